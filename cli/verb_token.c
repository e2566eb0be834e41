/* token create, show, list, renew, revoke. */
#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "base/parse.h"
#include "client.h"
#include "grant.h"
#include "verb.h"

struct create_options {
    const char *task;
    struct arg_list grants;
    int64_t ttl_ms;
    int64_t max_ttl_ms;
    int64_t uses;
    bool unbound;
};

static enum ag_err
set_seconds(json_t *body, const char *name, int64_t ms)
{
    if (ms == 0) {
        return AG_OK;
    }
    return json_object_set_new(body, name, json_integer((ms + 999) / 1000)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
create_body(const struct create_options *o, json_t **ret)
{
    json_auto_t *body = json_pack("{s:s*}", "task", o->task);
    json_t *grants = NULL;
    enum ag_err err = body == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK && o->grants.count > 0) {
        err = grant_list(&o->grants, &grants);
        if (err == AG_OK && json_object_set_new(body, "grants", grants) != 0) {
            err = AG_ENOMEM;
        }
    }
    if (err == AG_OK) {
        err = set_seconds(body, "ttl_s", o->ttl_ms);
    }
    if (err == AG_OK) {
        err = set_seconds(body, "max_ttl_s", o->max_ttl_ms);
    }
    if (err == AG_OK && o->uses > 0 &&
        json_object_set_new(body, "uses", json_integer(o->uses)) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK && o->unbound &&
        json_object_set_new(body, "unbound", json_true()) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(body);
    }
    return err;
}

static enum ag_err
show_token(struct cli *cli, const json_t *answer)
{
    char when[OUT_WHEN_BYTES];

    if (cli->out.json) {
        return out_json(&cli->out, answer);
    }
    out_say(&cli->out, "Accessor %s, ends %s.", out_member(answer, "accessor"),
            out_when(out_member(answer, "expires_at"), when));
    if (json_object_get(answer, "token") != NULL) {
        out_line(&cli->out, OUT_PLAIN, "%s", out_member(answer, "token"));
    }
    return AG_OK;
}

static enum ag_err
token_create(struct cli *cli, int argc, char **argv)
{
    struct create_options o = {0};
    const struct arg_opt opts[] = {
        {"task", ARG_TEXT, &o.task, "ID",
         "for a task (operator); in a task: a child of its own"},
        {"grant", ARG_LIST, &o.grants, "SECRET:VERB[:FIELD]",
         "what it may do: verbs proxy, sign, file, env, read"},
        {"ttl", ARG_DURATION, &o.ttl_ms, "D", "ends after this time, e.g. 15m"},
        {"max-ttl", ARG_DURATION, &o.max_ttl_ms, "D",
         "can be renewed up to this"},
        {"uses", ARG_COUNT, &o.uses, "N", "good for N uses"},
        {"unbound", ARG_FLAG, &o.unbound, NULL,
         "not bound to the task's process tree (operator)"},
    };
    const struct arg_spec spec = {
        .usage = "token create [options]",
        .about = "Makes a token. A child is never wider than its parent and "
                 "dies with it.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
    };
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = create_body(&o, &body);
    if (err == AG_OK) {
        err = cli_call(cli, "POST", "/v1/tokens", body, &answer);
    }
    return err == AG_OK ? show_token(cli, answer) : err;
}

/* The acts on one's own token are for who has one. */
static enum ag_err
need_own(const struct cli *cli, const char *instead)
{
    return cli->token != NULL
               ? AG_OK
               : err_why(AG_EUSAGE, "AUTH_GUARD_TOKEN is not set; %s", instead);
}

static enum ag_err
token_show(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "token show [ACCESSOR]",
        .about = "Shows the token in AUTH_GUARD_TOKEN, or the one an accessor "
                 "stands for.",
        .words_max = 1};
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = args.count == 0 ? need_own(cli, "name an ACCESSOR") : AG_OK;
    if (err != AG_OK) {
        return err;
    }
    if (args.count == 0) {
        return acts_show(cli, "/v1/tokens/self");
    }
    body = json_pack("{s:s}", "accessor", args.words[0]);
    err = cli_call(cli, "POST", "/v1/tokens/lookup", body, &answer);
    return err == AG_OK ? acts_print(cli, answer) : err;
}

static enum ag_err
token_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"ACCESSOR", "accessor", false},
        {"TASK", "task", false},
        {"ENDS", "when:expires_at", false},
        {"GRANTS", "grants", true}};
    const char *task = NULL;
    const struct arg_opt opts[] = {
        {"task", ARG_TEXT, &task, "ID", "only this task's"}};
    const struct arg_spec spec = {.usage = "token list [options]",
                                  .about = "Lists live tokens.",
                                  .opts = opts,
                                  .opt_count = AG_COUNT(opts)};
    AG_AUTO(buf) struct buf path;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = task == NULL ? client_path(&path, "/v1/tokens")
                       : client_path(&path, "/v1/tokens?task=%s", task);
    return err == AG_OK ? acts_table(cli, buf_cstr(&path), "tokens", columns,
                                     AG_COUNT(columns))
                        : err;
}

static enum ag_err
token_renew(struct cli *cli, int argc, char **argv)
{
    int64_t ttl_ms = 0;
    const struct arg_opt opts[] = {
        {"ttl", ARG_DURATION, &ttl_ms, "D", "from now, up to its maximum"}};
    const struct arg_spec spec = {.usage = "token renew [options]",
                                  .about =
                                      "Renews the token in AUTH_GUARD_TOKEN "
                                      "and prints its new text. The one\n"
                                      "before ends: shown once the new one was "
                                      "used, it is a stolen copy, and the\n"
                                      "task or role that it belongs to ends "
                                      "too.",
                                  .opts = opts,
                                  .opt_count = AG_COUNT(opts)};
    json_auto_t *body = json_object();
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = need_own(cli, "a token is renewed by who has it");
    if (err == AG_OK) {
        err = set_seconds(body, "ttl_s", ttl_ms);
    }
    if (err == AG_OK) {
        err = cli_call(cli, "POST", "/v1/tokens/self/renew", body, &answer);
    }
    return err == AG_OK ? show_token(cli, answer) : err;
}

struct revoke_options {
    const char *task;
    const char *prefix;
    bool self;
};

static enum ag_err
send_revoke(struct cli *cli, const struct revoke_options *o, const char *given)
{
    json_auto_t *answer = NULL;
    json_auto_t *body = json_pack(
        "{s:s*,s:s*,s:s*}", "task", o->task, "prefix", o->prefix,
        given != NULL && strncmp(given, "agt_", 4) == 0 ? "token" : "accessor",
        given);
    int64_t count;
    enum ag_err err =
        o->self ? cli_call(cli, "DELETE", "/v1/tokens/self", NULL, &answer)
                : cli_call(cli, "POST", "/v1/tokens/revoke", body, &answer);

    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    count = out_member_int(answer, "revoked");
    out_say(&cli->out, "%lld token%s revoked.", (long long)count,
            count == 1 ? "" : "s");
    return AG_OK;
}

static enum ag_err
token_revoke(struct cli *cli, int argc, char **argv)
{
    struct revoke_options o = {0};
    const struct arg_opt opts[] = {
        {"task", ARG_TEXT, &o.task, "ID", "every token of a task"},
        {"prefix", ARG_TEXT, &o.prefix, "NAME",
         "every token with a grant below this name"},
        {"self", ARG_FLAG, &o.self, NULL, "the one in AUTH_GUARD_TOKEN"},
    };
    const struct arg_spec spec = {
        .usage = "token revoke [options] [ACCESSOR]",
        .about = "Revokes a token and its children at once.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = 1};
    struct args args;
    size_t what;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = o.self ? need_own(cli, "--self is for who has a token") : AG_OK;
    if (err != AG_OK) {
        return err;
    }
    what = args.count + (o.task != NULL) + (o.prefix != NULL) + o.self;
    if (what != 1) {
        return err_why(AG_EUSAGE, "say one of: ACCESSOR, --task, --prefix, "
                                  "--self");
    }
    return send_revoke(cli, &o, args.words[0]);
}

enum ag_err
verb_token(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"create", "make one", token_create},
        {"show", "one token", token_show},
        {"list", "live tokens", token_list},
        {"renew", "a later end", token_renew},
        {"revoke", "end one and its children", token_revoke},
    };
    static const struct act_table table = {
        "token", "Tokens let a task do a few named things for a while.", acts,
        AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
