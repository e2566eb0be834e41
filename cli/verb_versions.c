/* rm, versions, rollback: what was kept before. */
#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "base/parse.h"
#include "base/span.h"
#include "client.h"
#include "tty.h"
#include "verb.h"

/* Asks with the name, and only for what is there. */
static enum ag_err
confirm_rm(struct cli *cli, const char *name)
{
    AG_AUTO(buf) struct buf text;
    json_auto_t *answer = NULL;
    size_t count;
    enum ag_err err;

    buf_init(&text, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&text, "/v1/secrets/%s/versions", name);
    if (err == AG_OK) {
        err = cli_call(cli, "GET", buf_cstr(&text), NULL, &answer);
    }
    count = json_array_size(json_object_get(answer, "versions"));
    buf_clear(&text);
    if (err == AG_OK) {
        err = buf_fmt(&text, "Remove %s with its %zu version%s?", name, count,
                      count == 1 ? "" : "s");
    }
    return err == AG_OK ? tty_confirm(cli, buf_cstr(&text), "--yes") : err;
}

enum ag_err
verb_rm(struct cli *cli, int argc, char **argv)
{
    bool yes = false;
    const struct arg_opt opts[] = {
        {"yes", ARG_FLAG, &yes, NULL, "don't ask"},
    };
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "rm [options] NAME",
        .about = "Removes a secret with all its versions for good. What was "
                 "done with it stays on\nthe record.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1,
    };
    AG_AUTO(buf) struct buf path;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = parse_name(span_str(args.words[0]));
    if (err == AG_OK && !yes) {
        err = confirm_rm(cli, args.words[0]);
    }
    if (err == AG_OK) {
        err = client_path(&path, "/v1/secrets/%s", args.words[0]);
    }
    if (err == AG_OK) {
        err = cli_call(cli, "DELETE", buf_cstr(&path), NULL, NULL);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s is removed.", args.words[0]);
    }
    return err;
}

enum ag_err
verb_versions(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"VERSION", "version", true},
                                                {"STATE", "state", false},
                                                {"MADE", "when:created", false},
                                                {"BY", "made_by", false},
                                                {"BYTES", "bytes", true}};
    static const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "versions NAME",
        .about =
            "Lists the versions of a secret: current, retained, destroyed.",
        .words_min = 1,
        .words_max = 1,
    };
    AG_AUTO(buf) struct buf path;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = client_path(&path, "/v1/secrets/%s/versions", args.words[0]);
    return err == AG_OK ? acts_table(cli, buf_cstr(&path), "versions", columns,
                                     AG_COUNT(columns))
                        : err;
}

static enum ag_err
change_version(struct cli *cli, const char *name, const char *act,
               const char *version)
{
    AG_AUTO(buf) struct buf path;
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    uint64_t number = 0;
    enum ag_err err = parse_u64(span_str(version), INT32_MAX, &number);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || number == 0) {
        return err_why(AG_EUSAGE,
                       "'%s' is no version; see auth-guard versions "
                       "%s",
                       version, name);
    }
    body = json_pack("{s:I}", act, (json_int_t)number);
    err = client_path(&path, "/v1/secrets/%s/versions", name);
    if (err == AG_OK) {
        err = cli_call(cli, "POST", buf_cstr(&path), body, &answer);
    }
    if (err == AG_OK && cli->out.json) {
        err = out_json(&cli->out, answer);
    }
    return err;
}

enum ag_err
verb_rollback(struct cli *cli, int argc, char **argv)
{
    bool destroy = false;
    const struct arg_opt opts[] = {
        {"destroy", ARG_FLAG, &destroy, NULL,
         "destroy that version instead: its key is wiped"},
    };
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "rollback [options] NAME VERSION",
        .about = "Makes an older version current again.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 2,
        .words_max = 2,
    };
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = change_version(cli, args.words[0], destroy ? "destroy" : "rollback",
                         args.words[1]);
    if (err == AG_OK) {
        out_say(&cli->out,
                destroy ? "Version %s of %s is destroyed."
                        : "Version %s of %s is current again.",
                args.words[1], args.words[0]);
    }
    return err;
}
