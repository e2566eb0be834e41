/* run: a command as a task. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "args.h"
#include "rules.h"
#include "run/plan.h"
#include "run/preview.h"
#include "run/run.h"
#include "verb.h"

/* A closed 0, 1 or 2 would be taken by the next file we open. */
static enum ag_err
check_stdio(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return err_why(AG_EUSAGE, "descriptor %d is closed", fd);
        }
    }
    return AG_OK;
}

static enum ag_err
choose_rules(struct run_options *o)
{
    enum rule_level_word word;
    enum ag_err err = rule_word_parse(o->rules, &word);

    if (err == AG_OK && word == RULE_WORD_NONE) {
        err = err_why(AG_EUSAGE, "a task's output is always searched for the "
                                 "vault's values; the least is --rules known");
    }
    o->rules =
        rule_word_text(word == RULE_WORD_UNSAID ? RULE_WORD_DEFAULT : word);
    return err;
}

static enum ag_err
run_with(struct cli *cli, const struct run_options *options, int *ret_exit)
{
    AG_AUTO(run_plan) struct run_plan *plan = NULL;
    enum ag_err err = check_stdio();

    if (err == AG_OK) {
        err = plan_make(options, &plan);
    }
    if (err == AG_OK && options->dry_run) {
        err = run_preview(cli, plan);
        *ret_exit = err == AG_OK ? 0 : *ret_exit;
        return err;
    }
    return err == AG_OK ? run_command(cli, plan, ret_exit) : err;
}

/* What was given; one for the life of the process. */
static struct run_options given;

static const struct arg_opt OPTIONS[] = {
    {"profile", ARG_LIST, &given.profiles, "P[=SECRET]",
     "give the command this tool's login"},
    {"grade", ARG_TEXT, &given.grade, "proxy|file|env",
     "how far that login may travel at most; the best that\nprofile and secret "
     "allow; a worse one costs the\npassphrase"},
    {"env", ARG_LIST, &given.env, "VAR=REF", "a variable with a value"},
    {"env-file", ARG_LIST, &given.env_files, "FILE",
     "variables from a .env file; values that are\nreferences (ag://…) are "
     "resolved"},
    {"file", ARG_LIST, &given.files, "PATH=REF",
     "a file only the command sees, found at PATH"},
    {"proxy", ARG_LIST, &given.proxies, "secret=REF[,KEY=VALUE]…",
     "a placeholder instead of a value; the broker puts\nthe value into "
     "requests to its service:\nupstream=URL, url-env=VAR, key-env=VAR, "
     "header=,\nquery=, basic=, format=, uses=, inner"},
    {"allow", ARG_LIST, &given.allow, "HOST[:PORT]",
     "a host it may reach without a credential, through the\nbroker's proxy; "
     "*.HOST for all below; HOST:PORT,inner\nfor one on this machine or its "
     "networks"},
    {"grant", ARG_LIST, &given.grants, "SECRET:VERB[:FIELD]",
     "what the task's token may do besides"},
    {"ttl", ARG_DURATION, &given.ttl_ms, "D",
     "the task ends after this time, e.g. 2h"},
    {"dry-run", ARG_FLAG, &given.dry_run, NULL,
     "only says what it would be given, at which grade,\nwhich places and "
     "hosts, "
     "and how it would be kept apart"},
    {"name", ARG_TEXT, &given.name, "TEXT", "its name on the record"},
    {"purpose", ARG_TEXT, &given.purpose, "TEXT", "what it is for"},
    {NULL, ARG_HEADING, NULL, NULL,
     "isolation (README.md says what it keeps out):"},
    {"isolate", ARG_MAYBE, &given.isolate, "[=PRESET]",
     "what it sees of the machine; workspace (unless said\notherwise): the "
     "working tree to write, the system\nand the home without credentials to "
     "read; strict:\nno home; offline: no network"},
    {"no-isolate", ARG_FLAG, &given.no_isolate, NULL,
     "all that you see, on purpose: it goes on the record"},
    {"ro", ARG_LIST, &given.ro, "PATH", "a further place it may read"},
    {"rw", ARG_LIST, &given.rw, "PATH", "a further place it may write"},
    {"hide", ARG_LIST, &given.hide, "PATH", "a further place it may not see"},
    {"keep-home", ARG_TEXT, &given.keep_home, "DIR",
     "keeps there what it writes to its home, for the next\nrun; else that "
     "goes with the task"},
    {NULL, ARG_HEADING, NULL, NULL, "streams:"},
    {"pty", ARG_FLAG, &given.pty, NULL, "give it a terminal of its own"},
    {"no-pty", ARG_FLAG, &given.no_pty, NULL, "don't"},
    {"rules", ARG_TEXT, &given.rules, "known|default|all",
     "what is taken out besides the vault's values: what\nlooks like a secret "
     "(default), more of it, or nothing"},
};

static const struct arg_spec SPEC = {
    .usage = "run [options] [--] COMMAND [ARGUMENT…]",
    .about =
        "Runs a command as a task: it gets what the options name and "
        "nothing "
        "else of the\nvault, whatever it prints is redacted, and when it "
        "ends its processes, files,\ntokens and leases are gone. REF is "
        "ag://NAME or ag://NAME#/FIELD.\n\nexit code: the command's; 128 "
        "and "
        "the signal that ended it; 127 not found, 126 not\nexecutable; 125 "
        "when auth-guard failed.",
    .opts = OPTIONS,
    .opt_count = AG_COUNT(OPTIONS),
    .words_min = 1,
    .words_max = SIZE_MAX,
    .stop_at_word = true};

enum ag_err
verb_run_check(struct cli *cli, int argc, char **argv)
{
    struct out before = cli->out;
    struct args args;
    enum ag_err err = args_parse(cli, &SPEC, argc, argv, &args);

    cli->out = before; /* --json and --quiet are for the run, not for us */
    if (err != AG_OK) {
        return err;
    }
    return args.help || args.count != 1
               ? err_why(AG_EUSAGE,
                         "'%s' is no option of run; see: "
                         "auth-guard run --help",
                         args.help ? "--help" : args.words[0])
               : AG_OK;
}

enum ag_err
verb_run(struct cli *cli, int argc, char **argv)
{
    struct args args;
    int exit_code = RUN_EXIT_FAILED;
    enum ag_err err = args_parse(cli, &SPEC, argc, argv, &args);

    if (args.help && err == AG_OK) {
        return AG_OK;
    }
    if (err == AG_OK) {
        given.command = args.words;
        err = choose_rules(&given);
    }
    if (err == AG_OK) {
        err = run_with(cli, &given, &exit_code);
    }
    cli->exit_code = exit_code;
    return err;
}
