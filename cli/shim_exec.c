/* shim exec: what the script calls. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/fdx.h"
#include "run/run.h"
#include "shim_acts.h"

static enum ag_err
check_program(const json_t *record)
{
    const char *name = shim_member(record, "name");

    switch (shim_judge(record)) {
    case SHIM_SAME:
        return AG_OK;
    case SHIM_CHANGED:
        return err_why(AG_ECONFLICT,
                       "%s (%s) has changed since its shim was made; if that "
                       "was you, say so: auth-guard shim install %s",
                       name, shim_member(record, "path"), name);
    case SHIM_GONE:
        return err_why(AG_ENOTFOUND,
                       "%s, which the shim %s starts, is gone or can't be "
                       "read; auth-guard shim install %s looks for it anew",
                       shim_member(record, "path"), name, name);
    }
    return AG_EINTERNAL;
}

/* A task has what it may have; the broker knows, by the process tree. */
static bool
is_inside_task(struct cli *cli)
{
    json_auto_t *status = NULL;
    enum ag_err err = cli_call(cli, "GET", "/v1/status", NULL, &status);

    /* Without a broker there are no tasks. What else went wrong `run` says. */
    return err == AG_OK &&
           strcmp(out_member(json_object_get(status, "caller"), "class"),
                  "task") == 0;
}

/* Nothing that is started here finds a shim by its name again. */
static enum ag_err
leave_path(int dir_fd)
{
    char *path = NULL;
    enum ag_err err = shim_path_without(dir_fd, shim_path_variable(), &path);

    if (err == AG_OK && setenv("PATH", path, 1) != 0) {
        err = AG_ENOMEM;
    }
    free(path);
    return err;
}

static enum ag_err
exec_program(const char *path, char **words)
{
    memcpy(&words[0], &path, sizeof(path));
    (void)execv(path, words);
    return err_why(err_from_errno(errno), "%s can't be executed: %s", path,
                   strerrordesc_np(errno));
}

static enum ag_err
start(struct cli *cli, const json_t *record, const struct args *args)
{
    const char *path = shim_member(record, "path");
    int argc = 0;
    char **argv;
    enum ag_err err;

    if (is_inside_task(cli)) {
        (void)unsetenv("AUTH_GUARD_HOME"); /* the script's, not the task's */
        return exec_program(path, args->words);
    }
    argv = shim_run_words(json_object_get(record, "options"), path,
                          args->words + 1, args->count - 1, &argc);
    if (argv == NULL) {
        return AG_ENOMEM;
    }
    err = verb_run(cli, argc, argv);
    free(argv);
    return err;
}

enum ag_err
shim_exec(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "shim exec NAME [-- ARGUMENT…]",
        .about = "What a shim calls: starts its program by auth-guard run, or "
                 "as it is inside a\ntask. Exit code as of run; 125 when the "
                 "program has changed.",
        .words_min = 1,
        .words_max = SIZE_MAX,
        .stop_at_word = true};
    AG_AUTO(fd) int dir_fd = -1;
    json_auto_t *record = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err == AG_OK && args.help) {
        return AG_OK;
    }
    cli->exit_code = RUN_EXIT_FAILED;
    if (err == AG_OK && args.count > 1 && strcmp(args.words[1], "--") == 0) {
        /* The rest is the program's, as it is. */
        memmove(args.words + 1, args.words + 2,
                (args.count - 1) * sizeof(*args.words));
        args.count--;
    }
    if (err == AG_OK) {
        err = shim_dir_open(&cli->paths, false, &dir_fd);
        err = err == AG_ENOTFOUND ? shim_none(args.words[0]) : err;
    }
    if (err == AG_OK) {
        err = shim_read(dir_fd, args.words[0], &record);
    }
    if (err == AG_OK) {
        err = check_program(record);
    }
    if (err == AG_OK) {
        err = leave_path(dir_fd);
    }
    return err == AG_OK ? start(cli, record, &args) : err;
}
