/* run: a command as a task. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "args.h"
#include "run/plan.h"
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
run_with(struct cli *cli, const struct run_options *options, int *ret_exit)
{
    AG_AUTO(run_plan) struct run_plan *plan = NULL;
    enum ag_err err = check_stdio();

    if (err == AG_OK) {
        err = plan_make(options, &plan);
    }
    return err == AG_OK ? run_command(cli, plan, ret_exit) : err;
}

enum ag_err
verb_run(struct cli *cli, int argc, char **argv)
{
    struct run_options o = {0};
    const struct arg_opt opts[] = {
        {"profile", ARG_LIST, &o.profiles, "P[=SECRET]",
         "give the command this tool's login"},
        {"env", ARG_LIST, &o.env, "VAR=REF", "a variable with a value"},
        {"env-file", ARG_LIST, &o.env_files, "FILE",
         "variables from a .env file; values that are\nreferences (ag://…) are "
         "resolved"},
        {"file", ARG_LIST, &o.files, "PATH=REF",
         "a file only the command sees, found at PATH"},
        {"grant", ARG_LIST, &o.grants, "SECRET:VERB[:FIELD]",
         "what the task's token may do besides"},
        {"ttl", ARG_DURATION, &o.ttl_ms, "D",
         "the task ends after this time, e.g. 2h"},
        {"name", ARG_TEXT, &o.name, "TEXT", "its name on the record"},
        {"purpose", ARG_TEXT, &o.purpose, "TEXT", "what it is for"},
        {"pty", ARG_FLAG, &o.pty, NULL, "give it a terminal of its own"},
        {"no-pty", ARG_FLAG, &o.no_pty, NULL, "don't"},
    };
    const struct arg_spec spec = {
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
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = SIZE_MAX,
        .stop_at_word = true};
    struct args args;
    int exit_code = RUN_EXIT_FAILED;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (args.help && err == AG_OK) {
        return AG_OK;
    }
    if (err == AG_OK) {
        o.command = args.words;
        err = run_with(cli, &o, &exit_code);
    }
    cli->exit_code = exit_code;
    return err;
}
