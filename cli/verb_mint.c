/* mint: secrets that are made for each task at its first use. */
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "cli.h"
#include "client.h"
#include "verb.h"
#include "wire/json.h"

enum {
    MS_PER_S = 1000,
    PARAM_MAX_BYTES = 4 * 1024, /* as much as a rule may be long */
    KEY_MAX_BYTES = 40,
};

/* ---- parameters: words K=V ---- */

/* What is JSON but no word (a number, a list, a quoted text) is taken as that;
 * anything else is text. */
static json_t *
value_of(const char *text)
{
    json_t *value = NULL;
    json_t *list = NULL;
    AG_AUTO(buf) struct buf wrapped = {0};

    buf_init(&wrapped, PARAM_MAX_BYTES, BUF_PLAIN);
    if (buf_fmt(&wrapped, "{\"v\":%s}", text) == AG_OK &&
        wjson_parse(buf_view(&wrapped), PARAM_MAX_BYTES, &list) == AG_OK) {
        value = json_incref(json_object_get(list, "v"));
        value = json_object_size(list) == 1 ? value : NULL;
        json_decref(list);
    }
    return value != NULL ? value : json_string(text);
}

/* One that is said again becomes a list. */
static enum ag_err
add_param(json_t *params, const char *key, json_t *value)
{
    json_t *there = json_object_get(params, key);
    json_t *list = NULL;

    if (there == NULL) {
        return json_object_set_new(params, key, value) == 0 ? AG_OK : AG_ENOMEM;
    }
    if (json_is_array(there)) {
        return json_array_append_new(there, value) == 0 ? AG_OK : AG_ENOMEM;
    }
    list = json_pack("[O, o]", there, value);
    return list != NULL && json_object_set_new(params, key, list) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
read_params(const struct args *args, json_t *params)
{
    enum ag_err err = AG_OK;

    for (size_t i = 1; err == AG_OK && i < args->count; i++) {
        const char *equals = strchr(args->words[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - args->words[i]) : 0;
        char key[KEY_MAX_BYTES + 1];

        if (len == 0 || len > KEY_MAX_BYTES) {
            return err_why(AG_EUSAGE, "%.80s: a parameter is NAME=VALUE",
                           args->words[i]);
        }
        memcpy(key, args->words[i], len);
        key[len] = '\0';
        err = add_param(params, key, value_of(equals + 1));
    }
    return err;
}

/* ---- acts ---- */

static enum ag_err
send_rule(struct cli *cli, const char *name, const json_t *body)
{
    AG_AUTO(buf) struct buf path = {0};
    json_auto_t *answer = NULL;
    enum ag_err err = AG_OK;

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&path, "/v1/secrets/%s/mint", name);
    if (err == AG_OK) {
        err = cli_call(cli, "PUT", buf_cstr(&path), body, &answer);
    }
    if (err == AG_OK && cli->out.json) {
        return out_json(&cli->out, answer);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s is made by %s for each task that uses it.", name,
                out_member(answer, "minter"));
    }
    return err;
}

static enum ag_err
mint_set(struct cli *cli, int argc, char **argv)
{
    const char *minter = NULL;
    const char *source = NULL;
    int64_t ttl_ms = 0;
    const struct arg_opt opts[] = {
        {"minter", ARG_TEXT, &minter, "postgres|github-app|aws-sts",
         "who makes it"},
        {"from", ARG_TEXT, &source, "REF",
         "the secret by which the provider knows us"},
        {"ttl", ARG_DURATION, &ttl_ms, "D",
         "how long one works (1h); renewed while its task runs"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "mint set --minter M --from REF [--ttl D] NAME [PARAM=VALUE]…",
        .about =
            "Has a credential made for each task that uses NAME, at its first "
            "use, and\nrevoked when the task ends. It asks for the passphrase: "
            "the source's value goes\nwhere the parameters say. A value that "
            "is "
            "JSON is taken as that; a parameter that\nis said again is a "
            "list.\n\n"
            "postgres   host, port, dbname, user (the source is its password), "
            "roles (what the\n           task's role is a member of), owner "
            "(of what it leaves), format (json or\n           url), sslmode, "
            "sslrootcert\n"
            "github-app app, installation (the source is the app's private "
            "key), repositories,\n           permissions (contents:read), "
            "endpoint\n"
            "aws-sts    role (the source is an access key), policy, "
            "external_id, region,\n           section, endpoint",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = ARG_LIST_MAX_COUNT};
    json_auto_t *params = json_object();
    json_auto_t *body = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (minter == NULL || source == NULL) {
        return err_why(AG_EUSAGE, "say how and from what: --minter M --from "
                                  "REF");
    }
    err = params != NULL ? read_params(&args, params) : AG_ENOMEM;
    if (err != AG_OK) {
        return err;
    }
    body = json_pack(
        "{s:s, s:s, s:o*, s:O}", "minter", minter, "source", source, "ttl_s",
        ttl_ms > 0 ? json_integer((ttl_ms + MS_PER_S - 1) / MS_PER_S) : NULL,
        "params", params);
    return body != NULL ? send_rule(cli, args.words[0], body) : AG_ENOMEM;
}

static enum ag_err
mint_show(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {.names = ARG_NAMES_SECRETS,
                                         .usage = "mint show NAME",
                                         .about = "A secret's mint rule.",
                                         .words_min = 1,
                                         .words_max = 1};

    return acts_show_named(cli, &spec, "/v1/secrets/%s/mint", argc, argv);
}

static enum ag_err
mint_rules(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"SECRET", "secret", false},
                                                {"MINTER", "minter", false},
                                                {"FROM", "source", false}};
    static const struct arg_spec spec = {.usage = "mint rules",
                                         .about = "Lists the mint rules."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/mint-rules", "rules",
                                        columns, AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
mint_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"SECRET", "secret", false},   {"HANDLE", "handle", false},
        {"TASK", "task", true},        {"STATE", "state", false},
        {"TRIES", "attempts", true},   {"CODE", "code", false},
        {"EXPIRES", "expires", false},
    };
    static const struct arg_spec spec = {
        .usage = "mint list",
        .about = "What was made and may still work at its provider, newest "
                 "first; HANDLE is its\nname there."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/minted", "minted", columns,
                                        AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
mint_remove(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "mint remove NAME",
        .about = "Nothing is made by the rule any more; what was made lives on "
                 "with its tasks.",
        .words_min = 1,
        .words_max = 1};

    return acts_call(cli,
                     &(struct act_call){.spec = &spec,
                                        .method = "DELETE",
                                        .path = "/v1/secrets/%s/mint",
                                        .what = "The mint rule of",
                                        .sentence = "is gone"},
                     argc, argv);
}

enum ag_err
verb_mint(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"set", "how a secret is made", mint_set},
        {"show", "the rule of a secret", mint_show},
        {"rules", "all rules", mint_rules},
        {"list", "what was made and may still work", mint_list},
        {"remove", "end a rule", mint_remove},
    };
    static const struct act_table table = {
        "mint", "Credentials that are made for each task, and end with it.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
