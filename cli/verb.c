#include "verb.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct verb verb_table[] = {
    {NULL, "the vault and the broker", NULL},
    {"init", "make the vault", verb_init},
    {"unlock", "open it for this session; starts the broker", verb_unlock},
    {"lock", "close it: tokens revoked, tasks ended, keys wiped", verb_lock},
    {"stop", "lock and end the broker", verb_stop},
    {"status", "what is running, and what to type next", verb_status},
    {"doctor", "what this machine offers and lacks", verb_doctor},
    {"passphrase", "change the passphrase", verb_passphrase},
    {"slot", "other ways to unlock: key file, recovery code", verb_slot},
    {"rekey", "new keys for everything in the vault", verb_rekey},
    {NULL, "credentials on this machine", NULL},
    {"scan", "find plaintext credentials", verb_scan},
    {"adopt", "move credential files into the vault", verb_adopt},
    {"release", "put a file back as it was", verb_release},
    {NULL, "secrets one by one", NULL},
    {"put", "keep a value", verb_put},
    {"get", "show a value (asks for the passphrase)", verb_get},
    {"list", "names, kinds, versions", verb_list},
    {"rm", "remove a secret with all its versions", verb_rm},
    {"versions", "the versions of a secret", verb_versions},
    {"rollback", "make an older version current", verb_rollback},
    {"rotate", "new values by rules: rule, program, log", verb_rotate},
    {"mint", "values made for each task: set, rules, list, remove", verb_mint},
    {"wrap", "a single-use token for a value", verb_wrap},
    {"unwrap", "open one", verb_unwrap},
    {NULL, "work", NULL},
    {"run", "run a command as a task", verb_run},
    {"shim", "make a command's name mean a task", verb_shim},
    {"hook", "have git and agents ask before a secret leaves", verb_hook},
    {"render", "a daemon's file with values, kept up to date", verb_render},
    {"redact", "take known secrets out of text", verb_redact},
    {"watch", "redact transcripts where they lie, as they are written",
     verb_watch},
    {"redaction-set", "find secrets where there is no vault",
     verb_redaction_set},
    {"task", "tasks: list, show, end", verb_task},
    {"token", "tokens: create, show, list, renew, revoke", verb_token},
    {"role", "tokens for cron, CI and IDEs", verb_role},
    {"profiles", "the tools auth-guard knows", verb_profiles},
    {NULL, "the record", NULL},
    {"receipt", "receipts of redaction: verify, key", verb_receipt},
    {"exposure", "who could have seen a secret", verb_exposure},
    {"audit", "the record: tail, verify, export", verb_audit},
    {"leaked", "say that a secret leaked", verb_leaked},
    {"incident", "what leaked: list, show, close", verb_incident},
    {NULL, "", NULL},
    {"completion", "verbs and names by Tab in bash, fish and zsh",
     verb_completion},
    {"version", "the version of this program", verb_version},
    {"help", "this list; auth-guard VERB --help for more", verb_help},
    {NULL, NULL, NULL},
};

const struct verb *
verb_find(const char *name)
{
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run != NULL && strcmp(v->name, name) == 0) {
            return v;
        }
    }
    return NULL;
}

static bool
wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

/* `init` is what cli_init() returned: without a HOME one may still ask for help
 * and the version. */
static enum ag_err
dispatch(struct cli *cli, enum ag_err init, int argc, char **argv)
{
    const struct verb *v;
    const char *name = argc < 2 ? "help" : argv[1];

    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    }
    v = verb_find(name);
    if (v == NULL) {
        return err_why(AG_EUSAGE, "there is no verb '%s'; see auth-guard help",
                       name);
    }
    if (init != AG_OK && v->run != verb_help && v->run != verb_version) {
        return init;
    }
    return v->run(cli, argc - 1, argv + 1);
}

int
verb_main(struct cli *cli, int argc, char **argv)
{
    enum ag_err err = cli_init(cli);
    bool json = wants_json(argc, argv); /* before the parser reorders it */
    enum ag_err flushed;

    err = dispatch(cli, err, argc, argv);
    /* No broker for want of a vault; where there was one, it is just gone. */
    if (err == AG_ENOBROKER && cli_vault_absent(cli) &&
        access(cli->paths.api_sock, F_OK) != 0) {
        err = err_why(AG_ENOVAULT,
                      "there is no vault in %s yet; run: "
                      "auth-guard init",
                      cli->paths.home);
    }
    if (err == AG_EUSAGE) {
        /* The parser may have stopped before it came to --json. */
        cli->out.json = cli->out.json || json;
    }
    if (err == AG_EFOUND) {
        /* An answer, not a failure: the verb has printed it. */
        flushed = out_flush();
        cli_done(cli);
        return flushed == AG_OK ? err_exit(err) : err_exit(flushed);
    }
    if (err == AG_OK) {
        err = out_flush();
    }
    if (err != AG_OK) {
        out_error(&cli->out, err);
    }
    cli_done(cli);
    if (cli->exit_code >= 0) {
        return cli->exit_code;
    }
    return err_exit(err);
}
