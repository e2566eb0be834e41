/* put, get, list: secrets one by one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "base/parse.h"
#include "base/secret.h"
#include "body.h"
#include "client.h"
#include "value.h"
#include "verb.h"

struct put_options {
    const char *from;
    const char *kind;
    const char *profile;
    const char *min_grade;
    const char *description;
    int64_t if_version;
    bool only_new;
};

static json_t *
put_fields(const struct put_options *opt, bool text)
{
    json_t *fields = json_pack("{s:s,s:s*,s:s*,s:s*,s:s*}", "encoding",
                               text ? "text" : "base64", "kind", opt->kind,
                               "profile", opt->profile, "min_grade",
                               opt->min_grade, "description", opt->description);
    int64_t version = opt->only_new ? 0 : opt->if_version;

    if (fields != NULL && version >= 0 &&
        json_object_set_new(fields, "if_version", json_integer(version)) != 0) {
        json_decref(fields);
        return NULL;
    }
    return fields;
}

static enum ag_err
send_value(struct cli *cli, const char *name, const struct put_options *opt,
           const struct secret *value, json_t **ret)
{
    AG_AUTO(buf) struct buf path;
    AG_AUTO(secret) struct secret *body = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    struct span said;
    bool text = parse_is_utf8(secret_view(value)) &&
                memchr(secret_view(value).ptr, 0, secret_len(value)) == NULL;
    json_auto_t *fields = put_fields(opt, text);
    enum ag_err err = fields == NULL ? err_why(AG_EINVAL, "an option is not "
                                                          "UTF-8 text")
                                     : AG_OK;

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = body_make(fields,
                        &(struct body_member){
                            .name = "value", .value = value, .base64 = !text},
                        1, &body);
    }
    if (err == AG_OK) {
        err = client_path(&path, "/v1/secrets/%s", name);
    }
    if (err == AG_OK) {
        err = cli_call_secret(cli,
                              &(struct client_request){.method = "PUT",
                                                       .path = buf_cstr(&path),
                                                       .secret_body = body},
                              &answer);
    }
    if (err != AG_OK) {
        return err;
    }
    said = secret_view(answer); /* name, version, warnings */
    *ret = json_loadb((const char *)said.ptr, said.len, JSON_REJECT_DUPLICATES,
                      NULL);
    return *ret == NULL ? AG_ECORRUPT : AG_OK;
}

static enum ag_err
put_named(struct cli *cli, const char *name, const struct put_options *opt)
{
    AG_AUTO(secret) struct secret *value = NULL;
    json_auto_t *answer = NULL;
    const json_t *warning;
    size_t i;
    enum ag_err err = parse_name(span_str(name));

    if (err == AG_OK) {
        err = value_ask(cli, opt->from, "Value", &value);
    }
    if (err == AG_OK && secret_len(value) == 0) {
        err = err_why(AG_EINVAL, "the value is empty; nothing was kept");
    }
    if (err == AG_OK) {
        err = send_value(cli, name, opt, value, &answer);
    }
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    json_array_foreach(json_object_get(answer, "warnings"), i, warning)
    {
        out_warn(&cli->out, "%s", json_string_value(warning));
    }
    out_say(&cli->out, "%s is kept, version %lld.", name,
            (long long)out_member_int(answer, "version"));
    return AG_OK;
}

enum ag_err
verb_put(struct cli *cli, int argc, char **argv)
{
    struct put_options o = {.if_version = -1};
    const struct arg_opt opts[] = {
        {"from", ARG_TEXT, &o.from, "FILE",
         "read the value from a file, as it "
         "is"},
        {"kind", ARG_TEXT, &o.kind, "KIND",
         "opaque (default), file, login, ssh-key,\napp-key, password, "
         "certificate"},
        {"profile", ARG_TEXT, &o.profile, "P", "the tool it belongs to"},
        {"min-grade", ARG_TEXT, &o.min_grade, "G",
         "the farthest it may travel: proxy, sign, file, env"},
        {"description", ARG_TEXT, &o.description, "TEXT", "for people"},
        {"if-version", ARG_COUNT, &o.if_version, "N",
         "only if the current version is N"},
        {"new", ARG_FLAG, &o.only_new, NULL, "only if there is none yet"},
    };
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "put [options] NAME",
        .about =
            "Keeps a value under NAME (segments of a-z 0-9 . _ - joined by "
            "/) as a new\nversion. The value comes from stdin, or is asked "
            "for at the terminal; never\nfrom the command line, where every "
            "process could read it.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = SIZE_MAX, /* for a sentence of our own */
    };
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (args.count > 1) {
        return err_why(AG_EUSAGE,
                       "a value is not taken from the command line, where "
                       "every process could read it; give it on stdin, by "
                       "--from FILE or when asked: auth-guard put %s",
                       args.words[0]);
    }
    if (o.only_new && o.if_version >= 0) {
        return err_why(AG_EUSAGE, "--new and --if-version exclude each other");
    }
    return put_named(cli, args.words[0], &o);
}

/* The path of GET …/value for a reference, with options. */
static enum ag_err
value_path(struct buf *path, const char *text, int64_t version)
{
    char number[24];
    struct reference ref = {0};
    AG_AUTO(buf) struct buf part;
    enum ag_err err = parse_reference(span_str(text), &ref);

    buf_init(&part, REFERENCE_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = buf_add(&part, ref.name);
    }
    if (err == AG_OK) {
        err = client_path(path, "/v1/secrets/%s/value", buf_cstr(&part));
    }
    buf_clear(&part);
    if (err == AG_OK && ref.pointer.len > 0) {
        err = buf_add(&part, ref.pointer);
        if (err == AG_OK) {
            err = client_path(path, "?field=%s", buf_cstr(&part));
        }
    }
    if (err == AG_OK && version > 0) {
        (void)snprintf(number, sizeof(number), "%lld", (long long)version);
        err = client_path(
            path, ref.pointer.len > 0 ? "&version=%s" : "?version=%s", number);
    }
    return err;
}

enum ag_err
verb_get(struct cli *cli, int argc, char **argv)
{
    int64_t version = 0;
    const struct arg_opt opts[] = {
        {"version", ARG_COUNT, &version, "N", "an older version"},
    };
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "get [options] NAME[#/FIELD]",
        .about = "Shows a value, or one field of a JSON value: ag://name#/a/b "
                 "and name#/a/b both\nwork. Asks for the passphrase, unless it "
                 "was given a moment ago; a task needs a\ngrant to read.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1,
    };
    AG_AUTO(secret) struct secret *answer = NULL;
    AG_AUTO(buf) struct buf path;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = value_path(&path, args.words[0], version);
    if (err == AG_OK) {
        err = cli_call_secret(
            cli,
            &(struct client_request){.method = "GET", .path = buf_cstr(&path)},
            &answer);
    }
    return err == AG_OK ? value_print(cli, answer) : err;
}

static int
by_name(const void *a, const void *b)
{
    const json_t *const *left = a;
    const json_t *const *right = b;

    return strcmp(out_member(*left, "name"), out_member(*right, "name"));
}

/* What a person must do, or who makes it, stands before what the secret is. */
static enum ag_err
say_first(json_t *row, const char *member, const char *words)
{
    const char *what = json_string_value(json_object_get(row, member));
    const char *rest = json_string_value(json_object_get(row, "description"));
    bool more = rest != NULL && *rest != '\0';

    if (what == NULL) {
        return AG_OK;
    }
    return json_object_set_new(row, "description",
                               json_sprintf("%s (%s)%s%s", words, what,
                                            more ? " " : "",
                                            more ? rest : "")) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
say_more(json_t *row)
{
    enum ag_err err = say_first(row, "minter", "for each task");

    return err == AG_OK ? say_first(row, "needs_login", "needs login") : err;
}

static enum ag_err
sorted(const json_t *secrets, json_t *ret)
{
    size_t count = json_array_size(secrets);
    json_t **rows = calloc(count + 1, sizeof(json_t *));
    enum ag_err err = rows == NULL ? AG_ENOMEM : AG_OK;

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        rows[i] = json_array_get(secrets, i);
    }
    if (err == AG_OK) {
        qsort(rows, count, sizeof(json_t *), by_name);
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = json_array_append(ret, rows[i]) == 0 ? say_more(rows[i])
                                                   : AG_ENOMEM;
    }
    free(rows);
    return err;
}

enum ag_err
verb_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"NAME", "name", false},           {"KIND", "kind", false},
        {"PROFILE", "profile", false},     {"GRADE", "min_grade", false},
        {"VERSION", "some:version", true}, {"CHANGED", "when:changed", false},
        {"ON LEAK", "on_leak", false},     {"ABOUT", "description", false}};
    static const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "list [PREFIX]",
        .about = "Lists the secrets, or those below PREFIX: names and what is "
                 "known about them,\nnever values.",
        .words_max = 1,
    };
    AG_AUTO(buf) struct buf path;
    json_auto_t *answer = NULL;
    json_auto_t *rows = json_array();
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = args.count == 0
              ? client_path(&path, "/v1/secrets")
              : client_path(&path, "/v1/secrets?prefix=%s", args.words[0]);
    if (err == AG_OK) {
        err = cli_call(cli, "GET", buf_cstr(&path), NULL, &answer);
    }
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    err = sorted(json_object_get(answer, "secrets"), rows);
    if (err == AG_OK && args.count > 0 && json_array_size(rows) == 0) {
        out_say(&cli->out, "There are none below %s.", args.words[0]);
        return AG_OK;
    }
    return err == AG_OK ? acts_rows(cli, rows, columns, AG_COUNT(columns))
                        : err;
}
