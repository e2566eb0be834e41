/* role tokens for services, and the profiles. */
#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "client.h"
#include "verb.h"

static enum ag_err
role_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"NAME", "name", false},
        {"KIND", "kind", false},
        {"MADE", "when:created", false},
        {"ENDS", "when:expires_at", false}};
    static const struct arg_spec spec = {.usage = "role list",
                                         .about = "Lists the roles."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/roles", "roles", columns,
                                        AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
role_create(struct cli *cli, int argc, char **argv)
{
    int64_t ttl_ms = 0;
    const struct arg_opt opts[] = {
        {"ttl", ARG_DURATION, &ttl_ms, "D", "ends after this time"}};
    const struct arg_spec spec = {
        .usage = "role create [options] NAME KIND",
        .about = "Makes a token for a service: rotator, runner, auditor or "
                 "backup. It is shown\nonce; give it to the service as "
                 "AUTH_GUARD_TOKEN.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 2,
        .words_max = 2};
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    body = json_pack("{s:s,s:s}", "name", args.words[0], "kind", args.words[1]);
    if (body != NULL && ttl_ms > 0) {
        (void)json_object_set_new(body, "ttl_s",
                                  json_integer((ttl_ms + 999) / 1000));
    }
    err = cli_call(cli, "POST", "/v1/roles", body, &answer);
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    out_line(&cli->out, OUT_PLAIN, "%s", out_member(answer, "token"));
    return AG_OK;
}

static enum ag_err
role_remove(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_ROLES,
        .usage = "role remove NAME",
        .about = "Removes a role; its token ends at once.",
        .words_min = 1,
        .words_max = 1};

    return acts_call(cli,
                     &(struct act_call){.spec = &spec,
                                        .method = "DELETE",
                                        .path = "/v1/roles/%s",
                                        .what = "Role",
                                        .sentence = "is gone"},
                     argc, argv);
}

enum ag_err
verb_role(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"list", "the roles", role_list},
        {"create", "make one", role_create},
        {"remove", "end one", role_remove},
    };
    static const struct act_table table = {
        "role",
        "Tokens for cron, CI and IDEs: they may do their role's acts, "
        "never reveal,\napprove or widen.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}

static enum ag_err
trust_profile(struct cli *cli, const char *name)
{
    AG_AUTO(buf) struct buf path;
    enum ag_err err;

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&path, "/v1/profiles/%s/trust", name);
    if (err == AG_OK) {
        err = cli_call(cli, "PUT", buf_cstr(&path), NULL, NULL);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "The profile %s is trusted as it is now.", name);
    }
    return err;
}

enum ag_err
verb_profiles(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"NAME", "name", false},
                                                {"TITLE", "title", false},
                                                {"SECRET", "secret", false},
                                                {"FROM", "origin", false}};
    bool trust = false;
    const struct arg_opt opts[] = {
        {"trust", ARG_FLAG, &trust, NULL,
         "use this profile of your own, as it is now"},
    };
    const struct arg_spec spec = {
        .names = ARG_NAMES_PROFILES,
        .usage = "profiles [--trust] [NAME]",
        .about = "Lists the profiles, or shows one: the tools and services "
                 "auth-guard knows. Your\nown go to ~/.config/auth-guard/"
                 "profiles/NAME.json. They are read when the broker\nstarts "
                 "(auth-guard stop, auth-guard unlock), and one is used only "
                 "after you have\ntrusted it, and again when it has changed.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = 1};
    AG_AUTO(buf) struct buf path;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    if (trust && args.count == 0) {
        return err_why(AG_EUSAGE, "--trust needs the profile's NAME");
    }
    if (args.count == 0) {
        return acts_table(cli, "/v1/profiles", "profiles", columns,
                          AG_COUNT(columns));
    }
    if (trust) {
        return trust_profile(cli, args.words[0]);
    }
    err = client_path(&path, "/v1/profiles/%s", args.words[0]);
    return err == AG_OK ? acts_show(cli, buf_cstr(&path)) : err;
}
