/* leaked: a person says what leaked, by name or by what a report found. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "client.h"
#include "verb.h"

enum {
    REPORT_MAX_BYTES = 8 * 1024 * 1024, /* of `redact` or `scan` */
    PIECE_BYTES = 4096,
    DEPTH_MAX_COUNT = 4, /* where counts stand in one */
};

struct options {
    int64_t version;
    const char *fingerprint;
    const char *from;
    const char *note;
};

/* ---- names out of a report ---- */

/* What rules found, and tokens, are no secrets of the vault. */
static enum ag_err
add_name(json_t *names, const char *name)
{
    if (name == NULL || strncmp(name, "rule:", 5) == 0 ||
        strncmp(name, "auth-guard/", 11) == 0) {
        return AG_OK;
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0) {
            return AG_OK;
        }
    }
    return json_array_append_new(names, json_string(name)) == 0 ? AG_OK
                                                                : AG_ENOMEM;
}

static enum ag_err
add_counts(json_t *names, json_t *counts)
{
    const char *name = NULL;
    json_t *count = NULL;
    enum ag_err err = AG_OK;

    json_object_foreach(counts, name, count)
    {
        if (err == AG_OK && json_integer_value(count) > 0) {
            err = add_name(names, name);
        }
    }
    return err;
}

/* `redact --report`: {NAME: n} as hits or counts, of all and of each file. */
static enum ag_err
add_redacted(json_t *names, json_t *tree, int depth)
{
    const char *key = NULL;
    json_t *value = NULL;
    enum ag_err err = AG_OK;

    json_object_foreach(tree, key, value)
    {
        if (err != AG_OK) {
            break;
        }
        if (json_is_object(value) &&
            (strcmp(key, "hits") == 0 || strcmp(key, "counts") == 0)) {
            err = add_counts(names, value);
            continue;
        }
        for (size_t i = 0; err == AG_OK && depth < DEPTH_MAX_COUNT &&
                           i < json_array_size(value);
             i++) {
            err = add_redacted(names, json_array_get(value, i), depth + 1);
        }
    }
    return err;
}

/* `scan --json`: its texts. */
static enum ag_err
add_scanned(json_t *names, const json_t *texts)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < json_array_size(texts); i++) {
        err = add_name(names, json_string_value(json_object_get(
                                  json_array_get(texts, i), "name")));
    }
    return err;
}

static enum ag_err
read_all(int fd, struct buf *out)
{
    char piece[PIECE_BYTES];
    ssize_t n = read(fd, piece, sizeof(piece));
    enum ag_err err = AG_OK;

    while (err == AG_OK && n != 0) {
        if (n > 0) {
            err = buf_add(out, span_of(piece, (size_t)n));
        } else if (errno != EINTR) {
            err = err_from_errno(errno);
        }
        n = err == AG_OK ? read(fd, piece, sizeof(piece)) : 0;
    }
    return err;
}

static enum ag_err
read_file(const char *path, struct buf *out)
{
    AG_AUTO(fd) int fd = -1;
    int from = STDIN_FILENO;

    if (strcmp(path, "-") != 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return err_why(err_from_errno(errno), "%s: %s", path,
                           strerrordesc_np(errno));
        }
        from = fd;
    }
    return read_all(from, out);
}

/* One that found nothing is a report too, and so is a receipt; of other JSON it
 * can't be said that it has no secret. */
static bool
is_report(const json_t *tree)
{
    static const char *const MEMBERS[] = {"hits",  "counts",   "streams",
                                          "files", "findings", "payloadType"};

    for (size_t i = 0; i < AG_COUNT(MEMBERS); i++) {
        if (json_object_get(tree, MEMBERS[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* The body of the request, of a file: a receipt goes as it is. */
static enum ag_err
body_of_file(const struct options *o, json_t **ret)
{
    AG_AUTO(buf) struct buf text;
    json_auto_t *tree = NULL;
    json_auto_t *names = json_array();
    enum ag_err err;

    buf_init(&text, REPORT_MAX_BYTES, BUF_WIPE);
    err = read_file(o->from, &text);
    if (err != AG_OK || names == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    while (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
    }
    tree = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES,
                      NULL);
    if (!is_report(tree)) {
        return err_why(AG_EINVAL,
                       "%s: neither a report of redact or scan, nor one "
                       "receipt",
                       o->from);
    }
    if (json_object_get(tree, "payloadType") != NULL) {
        *ret = json_pack("{s:s%, s:b, s:s*, s:s*}", "receipt",
                         (const char *)text.ptr, text.len, "report", 1,
                         "fingerprint", o->fingerprint, "note", o->note);
        return *ret != NULL ? AG_OK : AG_ENOMEM;
    }
    if (o->fingerprint != NULL) {
        return err_why(AG_EUSAGE, "--fingerprint needs the receipt that it "
                                  "stands in: --from RECEIPT");
    }
    err = json_object_get(tree, "findings") != NULL
              ? add_scanned(names, json_object_get(tree, "texts"))
              : add_redacted(names, tree, 0);
    if (err == AG_OK && json_array_size(names) == 0) {
        return err_why(AG_ENOTFOUND,
                       "%s: no secret of the vault was found "
                       "there",
                       o->from);
    }
    *ret = json_pack("{s:O, s:b, s:s*}", "names", names, "report", 1, "note",
                     o->note);
    return err == AG_OK && *ret == NULL ? AG_ENOMEM : err;
}

static enum ag_err
body_of(const struct args *args, const struct options *o, json_t **ret)
{
    if ((args->count == 1) == (o->from != NULL)) {
        return err_why(AG_EUSAGE, "say one: a secret's name, or --from REPORT");
    }
    if (o->from != NULL && o->version != 0) {
        return err_why(AG_EUSAGE, "--version goes with a name");
    }
    if (o->from != NULL) {
        return body_of_file(o, ret);
    }
    if (o->fingerprint != NULL) {
        return err_why(AG_EUSAGE, "--fingerprint goes with --from RECEIPT");
    }
    *ret = json_pack("{s:[s], s:I, s:s*}", "names", args->words[0], "version",
                     (json_int_t)o->version, "note", o->note);
    return *ret != NULL ? AG_OK : AG_ENOMEM;
}

static void
say(const struct cli *cli, const json_t *answer)
{
    const json_t *items = json_object_get(answer, "incidents");

    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);

        out_line(&cli->out, OUT_WARN, "incident %lld%s: %s, version %lld: %s",
                 (long long)out_member_int(item, "incident"),
                 json_is_true(json_object_get(item, "new")) ? ""
                                                            : " (open already)",
                 out_member(item, "secret"),
                 (long long)out_member_int(item, "version"),
                 out_member(item, "answer"));
    }
}

enum ag_err
verb_leaked(struct cli *cli, int argc, char **argv)
{
    struct options o = {.version = 0};
    const struct arg_opt opts[] = {
        {"version", ARG_COUNT, &o.version, "N",
         "which version of NAME; the current one unless said"},
        {"from", ARG_TEXT, &o.from, "REPORT",
         "all secrets that a report of `redact --report`, `scan\n--json` or a "
         "receipt of this vault names; - is stdin"},
        {"fingerprint", ARG_TEXT, &o.fingerprint, "F",
         "of a receipt with hashed names only this one: ~0123…"},
        {"note", ARG_TEXT, &o.note, "TEXT",
         "where it was seen, for the "
         "record"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "leaked [--version N] NAME | --from REPORT [--fingerprint F]",
        .about = "Says that a secret leaked: an incident is opened, and what "
                 "follows is the\nsecret's rule (auth-guard rotate rule set "
                 "--on-leak): it is recorded, kept on hold\nor rotated now.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = 1};
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = body_of(&args, &o, &body);
    if (err == AG_OK) {
        err = cli_call(cli, "POST", "/v1/incidents", body, &answer);
    }
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    say(cli, answer);
    return AG_OK;
}
