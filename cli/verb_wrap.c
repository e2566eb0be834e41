/* wrap, unwrap: a value handed on by a token that opens once. */
#include <string.h>

#include "args.h"
#include "base/parse.h"
#include "base/secret.h"
#include "body.h"
#include "client.h"
#include "keyfile.h"
#include "value.h"
#include "verb.h"

static enum ag_err
wrap_stdin(struct cli *cli, const json_t *fields, struct secret **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err = value_read(cli, "-", &value);

    return err == AG_OK ? body_make(fields,
                                    &(struct body_member){.name = "text",
                                                          .value = value},
                                    1, ret)
                        : err;
}

enum ag_err
verb_wrap(struct cli *cli, int argc, char **argv)
{
    int64_t ttl_ms = 0;
    const struct arg_opt opts[] = {
        {"ttl", ARG_DURATION, &ttl_ms, "D", "must be opened within this"}};
    const struct arg_spec spec = {
        .usage = "wrap [options] REFERENCE | -",
        .about =
            "Makes a token that gives the value once. A second try to open "
            "it is refused and\nput on the record as an alarm. With - the "
            "text comes from stdin.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    AG_AUTO(secret) struct secret *body = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    AG_AUTO(secret) struct secret *token = NULL;
    json_auto_t *fields = json_object();
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (ttl_ms > 0) {
        (void)json_object_set_new(fields, "ttl_s",
                                  json_integer((ttl_ms + 999) / 1000));
    }
    err = cli_harden(cli);
    if (err == AG_OK && strcmp(args.words[0], "-") == 0) {
        err = wrap_stdin(cli, fields, &body);
    } else if (err == AG_OK) {
        (void)json_object_set_new(fields, "ref", json_string(args.words[0]));
        err = body_make(fields, NULL, 0, &body);
    }
    if (err == AG_OK) {
        err = cli_call_secret(cli,
                              &(struct client_request){.method = "POST",
                                                       .path = "/v1/wrap",
                                                       .secret_body = body},
                              &answer);
    }
    if (err != AG_OK) {
        return err;
    }
    if (!cli->out.json) {
        err = body_take(answer, "token", &token, NULL);
    }
    if (err == AG_OK) {
        err = out_bytes(secret_view(token != NULL ? token : answer));
    }
    return err == AG_OK ? out_bytes(span_str("\n")) : err;
}

enum ag_err
verb_unwrap(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "unwrap",
        .about =
            "Reads a wrap token from stdin (or the terminal) and shows its "
            "value. Works once."};
    AG_AUTO(secret) struct secret *token = NULL;
    AG_AUTO(secret) struct secret *body = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = value_ask(cli, NULL, "Wrap token", &token);
    if (err == AG_OK) {
        err = body_make(NULL,
                        &(struct body_member){.name = "token", .value = token},
                        1, &body);
    }
    if (err == AG_OK) {
        err = cli_call_secret(cli,
                              &(struct client_request){.method = "POST",
                                                       .path = "/v1/unwrap",
                                                       .secret_body = body},
                              &answer);
    }
    return err == AG_OK ? value_print(cli, answer) : err;
}
