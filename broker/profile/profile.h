/*
 * profile.h - what is known about one tool or service, as data: its credential
 * files, which of their fields are secret, how a file is handed to the tool,
 * where a value goes in a request, how a login refreshes.
 * Floor: profile. Depends on: base/err, base/span.
 *
 * One profile is one JSON file, schema/profiles/NAME.json, described by
 * schema/profile.schema.json and decoded by profile/decode into these structs.
 * They are read-only, live as long as the `struct profiles` they came from,
 * and hold no secret. Adding a service is adding a profile, no code.
 *
 * Three small languages occur in the strings:
 * - paths: `~` at the start is the home, `${VAR:-DEFAULT}` a variable (DEFAULT
 *   may nest), `*` matches within one segment. See profile/expand.h.
 * - fields: an RFC 6901 pointer into the decoded file, e.g.
 *   `/tokens/access_token`; formats other than JSON have one too, see
 *   profile/fields.h. In patterns a segment may hold `*` (any run), and a
 *   segment `**` stands for any number of segments, none included.
 * - texts with `{}`: the value goes there.
 */
#ifndef AG_PROFILE_PROFILE_H
#define AG_PROFILE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    PROFILE_NAME_MAX_BYTES = 64,
    PROFILE_HASH_BYTES = 32,
};

/* How a file is read; also the syntax its field pointers address. */
enum file_format {
    FORMAT_OPAQUE, /* one value, the whole text less its last newline */
    FORMAT_JSON,
    FORMAT_YAML,   /* block mappings, lists, scalars: what tools write */
    FORMAT_INI,    /* [section], key = value: /SECTION/KEY, or /KEY above */
    FORMAT_TOML,   /* [table], key = "value": /TABLE/KEY */
    FORMAT_ENV,    /* NAME=value, shell quotes: /NAME */
    FORMAT_NETRC,  /* /HOST/login, /HOST/password */
    FORMAT_PGPASS, /* host:port:db:user:password: /LINE/password */
    FORMAT_URLS,   /* one URL per line: /LINE/user, /LINE/password */
    FORMAT_PEM,    /* key material in PEM armour: one value, whole file */
    FORMAT_SQLITE, /* a database: found by scan, never moved */
};

/* When and how the tool itself writes its file. */
enum file_rewrite {
    REWRITE_NEVER,
    REWRITE_LOGIN,    /* only when the person logs in or out */
    REWRITE_IN_PLACE, /* unattended (refresh): truncates and writes */
    REWRITE_RENAME,   /* unattended (refresh): new file renamed over it */
};

enum lock_kind {
    LOCK_KIND_FLOCK,     /* flock(2), exclusive, on a file that stays behind */
    LOCK_KIND_FILE,      /* a file made by O_EXCL that is removed again */
    LOCK_KIND_DIRECTORY, /* mkdir(2) of a directory that is removed again */
};

/* Best first. */
enum profile_grade {
    PROFILE_GRADE_PROXY,
    PROFILE_GRADE_SIGN,
    PROFILE_GRADE_FILE,
    PROFILE_GRADE_ENV,
};

/* How the tool is told where the private copy of its file is. */
enum deliver_by {
    DELIVER_NONE, /* no way to relocate it, and a link would not do */
    DELIVER_ENV,  /* a variable names the file or its directory */
    DELIVER_LINK, /* a link at the original path */
};

enum deliver_points {
    POINTS_FILE, /* the variable names the file itself */
    POINTS_DIR,  /* it names the directory that holds it */
};

enum profile_origin {
    ORIGIN_SHIPPED,
    ORIGIN_USER, /* not to be used before the operator trusts its hash */
};

/* Lists: count 0 when absent. Decoded by table (wire/msg), so each has the
 * layout of struct msg_list. */
#define PROFILE_LIST(tag, element)                                             \
    struct tag {                                                               \
        element *items;                                                        \
        size_t count;                                                          \
    }

PROFILE_LIST(strings, const char *const);

/* A lock file or directory beside the credential file, by name. */
struct profile_lock {
    const char *name;
    enum lock_kind kind;
};

PROFILE_LIST(profile_locks, const struct profile_lock);

struct profile_deliver {
    enum deliver_by by;
    enum deliver_points points;
    const char *var; /* NULL unless by is DELIVER_ENV */
};

struct profile_file {
    const char *path;      /* path pattern; NULL when only `names` are given */
    struct strings names;  /* base names (`*` allowed) found in any tree */
    struct strings except; /* base names that are not meant after all */
    enum file_format format;
    struct strings secrets; /* field patterns; none = every leaf that is long */
    struct strings copies;  /* further base names of copies beside it */
    struct profile_locks locks; /* taken in this order */
    enum file_rewrite rewrite;
    bool scan_only;                        /* reported, never adopted */
    const struct profile_deliver *deliver; /* never NULL */
};

PROFILE_LIST(profile_files, struct profile_file);

/* At grade env: a variable made from a field (NULL: the whole value). */
struct profile_env {
    const char *var;
    const char *field;
};

PROFILE_LIST(profile_envs, const struct profile_env);

/* A variable that gets the address below which the broker answers for a
 * service: the host of a place, and `path` behind it (NULL: nothing). */
struct profile_url {
    const char *var;
    const char *service;
    const char *path;
};

PROFILE_LIST(profile_urls, const struct profile_url);

/*
 * One way to use the tool at grade proxy. It fits a value that has all fields
 * of `needs`; the first that fits is taken. `{url:HOST}` in an argument is the
 * address below which the broker answers for HOST.
 */
struct profile_way {
    struct strings needs;    /* none: any value */
    bool file;               /* the tool's file, its secrets placeholders */
    struct profile_envs env; /* variables that get placeholders */
    struct profile_urls urls;
    struct strings args; /* in place of the args of `run` */
};

PROFILE_LIST(profile_ways, const struct profile_way);

/* What `run` changes in the command or environment of a task. */
struct profile_run {
    struct strings commands; /* base names of argv[0] that `args` are for */
    struct strings args;  /* put right behind argv[0]; {dir}: cli/run/argv.h */
    struct strings unset; /* variables that would win over the delivery */
    struct profile_envs env;
    struct profile_ways proxy; /* none: it can't be had at grade proxy */
};

enum place_in {
    PLACE_HEADER,
    PLACE_QUERY,
    PLACE_BASIC, /* password of basic authentication; `name` is the user */
    PLACE_FIELD, /* a field of a JSON or form body: `name` is its pointer */
};

/* A header that goes along and comes from another field. */
struct profile_with {
    const char *name;
    const char *field;
};

PROFILE_LIST(profile_withs, const struct profile_with);

/* One place where a value may go: data for the proxy. */
struct profile_place {
    struct strings hosts;   /* exact, or `*.` and a suffix; `:port` allowed */
    struct strings paths;   /* `*` is any run, '/' too; none = every path */
    struct strings methods; /* none = every method */
    const char *field;      /* NULL: the whole value */
    enum place_in in;
    const char *name;
    const char *format; /* holds `{}` once, e.g. `Bearer {}` */
    struct profile_withs with;
    bool optional; /* requests without the value go out too */
    bool inner;    /* the host is on this machine or its networks */
    bool plain;    /* http: only with `inner` */
};

PROFILE_LIST(profile_places, const struct profile_place);

enum expiry_kind {
    EXPIRY_NONE,
    EXPIRY_JWT,     /* the `exp` of the token in `field` */
    EXPIRY_MS,      /* milliseconds since 1970 */
    EXPIRY_SECONDS, /* seconds since 1970 */
    EXPIRY_TIME,    /* RFC 3339 */
};

enum refresh_body {
    REFRESH_BODY_JSON,
    REFRESH_BODY_FORM,
};

/* From a member of the service's answer to a field of the stored value. */
struct profile_replace {
    const char *member;
    const char *field;
};

PROFILE_LIST(profile_replaces, const struct profile_replace);

/* A fixed member of the request. */
struct profile_param {
    const char *name;
    const char *value;
};

PROFILE_LIST(profile_params, const struct profile_param);

/* OAuth 2 refresh grant. After a refresh expiry_field (but for JWT) is set from
 * the answer's expires_in, stamp_field to the time. */
struct profile_refresh {
    const char *url;
    enum refresh_body body;
    const char *client_id;
    const char *client_secret_field; /* where the value itself carries them */
    const char *client_id_field;
    const char *refresh_field;
    const char *access_field;
    enum expiry_kind expiry;
    const char *expiry_field;
    const char *stamp_field;
    int64_t lead_s; /* refreshed this long before its expiry */
    struct profile_params params;
    struct profile_replaces replaces;
    struct strings permanent; /* error codes after which only a login helps */
};

enum conflict_rule {
    CONFLICT_RULE_LAST,   /* what comes in wins; the other is retained */
    CONFLICT_RULE_NEWEST, /* the later time in `field` wins */
};

/* Two versions of one value meet: a write-back and a newer current one. */
struct profile_conflict {
    enum conflict_rule rule;
    const char *field;    /* the time that tells (NEWEST) */
    const char *identity; /* differs or is gone: no refresh, another login */
};

enum shape_alphabet {
    ALPHABET_ANY,
    ALPHABET_ALNUM,
    ALPHABET_HEX,
    ALPHABET_BASE64,
    ALPHABET_BASE64URL,
    ALPHABET_JWT,
    ALPHABET_ALPHA,  /* letters of either case */
    ALPHABET_BASE32, /* A-Z2-7 */
};

enum shape_checksum {
    CHECKSUM_NONE,
    CHECKSUM_CRC32_BASE62, /* GitHub, npm: the last six characters, of those
                            * behind the prefix */
};

/* What a value looks like: for placeholders. The first that fits a value is
 * its shape; one with a prefix serves the values of other profiles too. */
struct profile_shape {
    const char *field; /* pattern; NULL: the whole value */
    const char *prefix;
    int64_t min_len; /* bytes, prefix and checksum included; 0 = unknown */
    int64_t max_len;
    enum shape_alphabet alphabet;
    enum shape_checksum checksum;
};

PROFILE_LIST(profile_shapes, const struct profile_shape);

struct profile {
    int64_t profile; /* version of the format: 1 */
    const char *name;
    const char *title;
    const char *kind;   /* of the secrets adopted: file, login, ssh-key, … */
    const char *secret; /* default name, e.g. codex/default */
    enum profile_grade min_grade; /* worst grade allowed by default */
    bool single_holder; /* refreshes by itself: one task holds it at a time */
    struct profile_files files; /* none: a service without a file */
    /* Where the tool writes what it did: path patterns of directories, with all
     * below them, or of files. */
    struct strings transcripts;
    const struct profile_run *run; /* never NULL */
    struct profile_places places;
    const struct profile_refresh *refresh;   /* NULL: it does not */
    const struct profile_conflict *conflict; /* never NULL */
    struct profile_shapes shapes;

    /* Not in the file: */
    enum profile_origin origin;
    const char *source;               /* path of the JSON file */
    uint8_t hash[PROFILE_HASH_BYTES]; /* BLAKE2b-256 of its bytes */
};

/* "json", "rename", "file", …: the words of the schema. Static. */
AG_CHECK const char *file_format_word(enum file_format format);
AG_CHECK const char *file_rewrite_word(enum file_rewrite rewrite);
AG_CHECK const char *profile_grade_word(enum profile_grade grade);

/* Errors: AG_EINVAL, not one of the words. */
AG_CHECK AG_NONNULL enum ag_err file_format_parse(const char *word,
                                                  enum file_format *ret);
AG_CHECK AG_NONNULL enum ag_err profile_grade_parse(const char *word,
                                                    enum profile_grade *ret);

#endif
