#include "profile/table.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "profile/expand.h"
#include "profile/fields.h"

enum {
    TEXT_MAX_BYTES = 512, /* titles, templates, arguments */
    LIST_MAX_COUNT = 64,  /* files, patterns, places of one service */
    METHODS_MAX_COUNT = 16,
    METHOD_MAX_BYTES = 32,
    NAMES_MAX_BYTES = 128, /* variables, header names, words */
    URL_MAX_BYTES = 1024,
    VALUE_MAX_BYTES = 64 * 1024, /* of a shape: the largest login */
    LEAD_DEFAULT_S = 300,        /* as the tools themselves do */
    LEAD_MAX_S = 24 * 3600,
};

/* The lists of profile.h stand where wire/msg writes a msg_list. */
_Static_assert(sizeof(struct strings) == sizeof(struct msg_list) &&
                   offsetof(struct strings, count) ==
                       offsetof(struct msg_list, count),
               "layout differs");
_Static_assert(sizeof(enum file_format) == sizeof(int), "choice is an int");

static const char *const FORMATS[] = {"opaque", "json", "yaml",   "ini",
                                      "toml",   "env",  "netrc",  "pgpass",
                                      "urls",   "pem",  "sqlite", NULL};
static const char *const REWRITES[] = {"never", "login", "in-place", "rename",
                                       NULL};
static const char *const LOCK_KINDS[] = {"flock", "file", "directory", NULL};
static const char *const GRADES[] = {"proxy", "sign", "file", "env", NULL};
static const char *const BYS[] = {"none", "env", "link", NULL};
static const char *const POINTS[] = {"file", "dir", NULL};
static const char *const PLACES[] = {"header", "query", "basic", "field", NULL};
static const char *const EXPIRIES[] = {"none",    "jwt",  "ms",
                                       "seconds", "time", NULL};
static const char *const BODIES[] = {"json", "form", NULL};
static const char *const RULES[] = {"last", "newest", NULL};
static const char *const ALPHABETS[] = {"any",    "alnum",     "hex",
                                        "base64", "base64url", "jwt",
                                        "alpha",  "base32",    NULL};
static const char *const CHECKSUMS[] = {"none", "crc32-base62", NULL};

static enum ag_err
check_method(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z') {
            return err_why(AG_EINVAL, "a method is of upper-case letters");
        }
    }
    return text.len <= METHOD_MAX_BYTES ? AG_OK : AG_ELIMIT;
}

static enum ag_err
check_pattern(struct span text)
{
    return field_pointer_check(text);
}

static enum ag_err
check_segment(struct span text)
{
    if (text.len == 0 || span_find(text, '/') != text.len ||
        !parse_is_text(text)) {
        return err_why(AG_EINVAL, "a base name is one segment without '/'");
    }
    return AG_OK;
}

/* The kinds of secret the vault knows (store/words.h, a floor beside). */
static enum ag_err
check_kind(struct span text)
{
    static const char *const KINDS[] = {"opaque",     "file",    "login",
                                        "ssh-key",    "app-key", "password",
                                        "certificate"};

    for (size_t i = 0; i < AG_COUNT(KINDS); i++) {
        if (span_is(text, KINDS[i])) {
            return AG_OK;
        }
    }
    return err_why(AG_EINVAL, "not a kind of secret");
}

static const struct msg_field LOCK_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_lock, name, 1, NAMES_MAX_BYTES,
                     MSG_REQUIRED, check_segment),
    MSG_FIELD_CHOICE(struct profile_lock, kind, LOCK_KINDS, MSG_REQUIRED, 0),
};
static const struct msg_spec LOCK = MSG_SPEC(struct profile_lock, LOCK_FIELDS);

static const struct msg_field DELIVER_FIELDS[] = {
    MSG_FIELD_CHOICE(struct profile_deliver, by, BYS, MSG_REQUIRED, 0),
    MSG_FIELD_CHOICE(struct profile_deliver, points, POINTS, MSG_OPTIONAL,
                     POINTS_FILE),
    MSG_FIELD_STRING(struct profile_deliver, var, 1, NAMES_MAX_BYTES,
                     MSG_OPTIONAL, parse_env_name),
};
static const struct msg_spec DELIVER =
    MSG_SPEC(struct profile_deliver, DELIVER_FIELDS);

static const struct msg_field FILE_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_file, path, 1, TEXT_MAX_BYTES, MSG_OPTIONAL,
                     NULL),
    MSG_FIELD_STRINGS(struct profile_file, names, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, check_segment),
    MSG_FIELD_STRINGS(struct profile_file, except, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, check_segment),
    MSG_FIELD_CHOICE(struct profile_file, format, FORMATS, MSG_REQUIRED, 0),
    MSG_FIELD_STRINGS(struct profile_file, secrets, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, check_pattern),
    MSG_FIELD_STRINGS(struct profile_file, copies, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, check_segment),
    MSG_FIELD_LIST(struct profile_file, locks, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &LOCK),
    MSG_FIELD_CHOICE(struct profile_file, rewrite, REWRITES, MSG_REQUIRED, 0),
    MSG_FIELD_BOOL(struct profile_file, scan_only, MSG_OPTIONAL, false),
    MSG_FIELD_OBJECT(struct profile_file, deliver, MSG_OPTIONAL, &DELIVER),
};
static const struct msg_spec FILE_SPEC =
    MSG_SPEC(struct profile_file, FILE_FIELDS);

static const struct msg_field ENV_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_env, var, 1, NAMES_MAX_BYTES, MSG_REQUIRED,
                     parse_env_name),
    MSG_FIELD_STRING(struct profile_env, field, 1, TEXT_MAX_BYTES, MSG_OPTIONAL,
                     check_pattern),
};
static const struct msg_spec ENV = MSG_SPEC(struct profile_env, ENV_FIELDS);

static const struct msg_field URL_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_url, var, 1, NAMES_MAX_BYTES, MSG_REQUIRED,
                     parse_env_name),
    MSG_FIELD_STRING(struct profile_url, service, 1, TEXT_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct profile_url, path, 1, TEXT_MAX_BYTES, MSG_OPTIONAL,
                     NULL),
};
static const struct msg_spec URL = MSG_SPEC(struct profile_url, URL_FIELDS);

static const struct msg_field WAY_FIELDS[] = {
    MSG_FIELD_STRINGS(struct profile_way, needs, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, check_pattern),
    MSG_FIELD_BOOL(struct profile_way, file, MSG_OPTIONAL, false),
    MSG_FIELD_LIST(struct profile_way, env, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &ENV),
    MSG_FIELD_LIST(struct profile_way, urls, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &URL),
    MSG_FIELD_STRINGS(struct profile_way, args, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                      NULL),
};
static const struct msg_spec WAY = MSG_SPEC(struct profile_way, WAY_FIELDS);

static const struct msg_field RUN_FIELDS[] = {
    MSG_FIELD_STRINGS(struct profile_run, commands, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, check_segment),
    MSG_FIELD_STRINGS(struct profile_run, args, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                      NULL),
    MSG_FIELD_STRINGS(struct profile_run, unset, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, parse_env_name),
    MSG_FIELD_LIST(struct profile_run, env, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &ENV),
    MSG_FIELD_LIST(struct profile_run, proxy, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &WAY),
};
static const struct msg_spec RUN = MSG_SPEC(struct profile_run, RUN_FIELDS);

static const struct msg_field WITH_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_with, name, 1, NAMES_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct profile_with, field, 1, TEXT_MAX_BYTES,
                     MSG_REQUIRED, check_pattern),
};
static const struct msg_spec WITH = MSG_SPEC(struct profile_with, WITH_FIELDS);

static const struct msg_field PLACE_FIELDS[] = {
    MSG_FIELD_STRINGS(struct profile_place, hosts, 1, LIST_MAX_COUNT,
                      MSG_REQUIRED, NULL),
    MSG_FIELD_STRINGS(struct profile_place, paths, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
    MSG_FIELD_STRINGS(struct profile_place, methods, 1, METHODS_MAX_COUNT,
                      MSG_OPTIONAL, check_method),
    MSG_FIELD_STRING(struct profile_place, field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_CHOICE(struct profile_place, in, PLACES, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct profile_place, name, 1, NAMES_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct profile_place, format, 1, NAMES_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_LIST(struct profile_place, with, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &WITH),
    MSG_FIELD_BOOL(struct profile_place, optional, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct profile_place, inner, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct profile_place, plain, MSG_OPTIONAL, false),
};
static const struct msg_spec PLACE =
    MSG_SPEC(struct profile_place, PLACE_FIELDS);

static const struct msg_field PARAM_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_param, name, 1, NAMES_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct profile_param, value, 1, TEXT_MAX_BYTES,
                     MSG_REQUIRED, NULL),
};
static const struct msg_spec PARAM =
    MSG_SPEC(struct profile_param, PARAM_FIELDS);

static const struct msg_field REPLACE_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_replace, member, 1, NAMES_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct profile_replace, field, 1, TEXT_MAX_BYTES,
                     MSG_REQUIRED, check_pattern),
};
static const struct msg_spec REPLACE =
    MSG_SPEC(struct profile_replace, REPLACE_FIELDS);

static const struct msg_field REFRESH_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_refresh, url, 1, URL_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_CHOICE(struct profile_refresh, body, BODIES, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct profile_refresh, client_id, 1, NAMES_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct profile_refresh, client_id_field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_STRING(struct profile_refresh, client_secret_field, 1,
                     TEXT_MAX_BYTES, MSG_OPTIONAL, check_pattern),
    MSG_FIELD_STRING(struct profile_refresh, refresh_field, 1, TEXT_MAX_BYTES,
                     MSG_REQUIRED, check_pattern),
    MSG_FIELD_STRING(struct profile_refresh, access_field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_CHOICE(struct profile_refresh, expiry, EXPIRIES, MSG_OPTIONAL,
                     EXPIRY_NONE),
    MSG_FIELD_STRING(struct profile_refresh, expiry_field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_STRING(struct profile_refresh, stamp_field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_INT(struct profile_refresh, lead_s, 0, LEAD_MAX_S, MSG_OPTIONAL,
                  LEAD_DEFAULT_S),
    MSG_FIELD_LIST(struct profile_refresh, params, 1, LIST_MAX_COUNT,
                   MSG_OPTIONAL, &PARAM),
    MSG_FIELD_LIST(struct profile_refresh, replaces, 1, LIST_MAX_COUNT,
                   MSG_REQUIRED, &REPLACE),
    MSG_FIELD_STRINGS(struct profile_refresh, permanent, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
};
static const struct msg_spec REFRESH =
    MSG_SPEC(struct profile_refresh, REFRESH_FIELDS);

static const struct msg_field CONFLICT_FIELDS[] = {
    MSG_FIELD_CHOICE(struct profile_conflict, rule, RULES, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct profile_conflict, field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_STRING(struct profile_conflict, identity, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
};
static const struct msg_spec CONFLICT =
    MSG_SPEC(struct profile_conflict, CONFLICT_FIELDS);

static const struct msg_field SHAPE_FIELDS[] = {
    MSG_FIELD_STRING(struct profile_shape, field, 1, TEXT_MAX_BYTES,
                     MSG_OPTIONAL, check_pattern),
    MSG_FIELD_STRING(struct profile_shape, prefix, 1, NAMES_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_INT(struct profile_shape, min_len, 0, VALUE_MAX_BYTES,
                  MSG_OPTIONAL, 0),
    MSG_FIELD_INT(struct profile_shape, max_len, 0, VALUE_MAX_BYTES,
                  MSG_OPTIONAL, 0),
    MSG_FIELD_CHOICE(struct profile_shape, alphabet, ALPHABETS, MSG_OPTIONAL,
                     ALPHABET_ANY),
    MSG_FIELD_CHOICE(struct profile_shape, checksum, CHECKSUMS, MSG_OPTIONAL,
                     CHECKSUM_NONE),
};
static const struct msg_spec SHAPE =
    MSG_SPEC(struct profile_shape, SHAPE_FIELDS);

static const struct msg_field PROFILE_FIELDS[] = {
    MSG_FIELD_INT(struct profile, profile, 1, 1, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct profile, name, 1, PROFILE_NAME_MAX_BYTES,
                     MSG_REQUIRED, parse_name),
    MSG_FIELD_STRING(struct profile, title, 1, NAMES_MAX_BYTES, MSG_REQUIRED,
                     NULL),
    MSG_FIELD_STRING(struct profile, kind, 1, 32, MSG_REQUIRED, check_kind),
    MSG_FIELD_STRING(struct profile, secret, 1, NAME_MAX_BYTES, MSG_REQUIRED,
                     parse_name),
    MSG_FIELD_CHOICE(struct profile, min_grade, GRADES, MSG_OPTIONAL,
                     PROFILE_GRADE_FILE),
    MSG_FIELD_BOOL(struct profile, single_holder, MSG_OPTIONAL, false),
    MSG_FIELD_LIST(struct profile, files, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &FILE_SPEC),
    MSG_FIELD_STRINGS(struct profile, transcripts, 1, LIST_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
    MSG_FIELD_OBJECT(struct profile, run, MSG_OPTIONAL, &RUN),
    MSG_FIELD_LIST(struct profile, places, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &PLACE),
    MSG_FIELD_OBJECT(struct profile, refresh, MSG_OPTIONAL, &REFRESH),
    MSG_FIELD_OBJECT(struct profile, conflict, MSG_OPTIONAL, &CONFLICT),
    MSG_FIELD_LIST(struct profile, shapes, 1, LIST_MAX_COUNT, MSG_OPTIONAL,
                   &SHAPE),
};
static const struct msg_spec PROFILE = MSG_SPEC(struct profile, PROFILE_FIELDS);

const struct msg_spec *
profile_spec(void)
{
    return &PROFILE;
}

static bool
find_word(const char *const *words, const char *word, int *ret)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *
file_format_word(enum file_format format)
{
    return FORMATS[format];
}

const char *
file_rewrite_word(enum file_rewrite rewrite)
{
    return REWRITES[rewrite];
}

const char *
profile_grade_word(enum profile_grade grade)
{
    return GRADES[grade];
}

enum ag_err
file_format_parse(const char *word, enum file_format *ret)
{
    int index = 0;

    if (!find_word(FORMATS, word, &index)) {
        return err_why(AG_EINVAL, "'%s' is not a file format", word);
    }
    *ret = (enum file_format)index;
    return AG_OK;
}

enum ag_err
profile_grade_parse(const char *word, enum profile_grade *ret)
{
    int index = 0;

    if (!find_word(GRADES, word, &index)) {
        return err_why(AG_EINVAL,
                       "'%s' is not a grade: proxy, sign, file or env", word);
    }
    *ret = (enum profile_grade)index;
    return AG_OK;
}
