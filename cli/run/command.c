/* One run from begin to end; anew where a fence is to do it (run.h). */
#include <sys/prctl.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "run/fence.h"
#include "run/run.h"

enum {
    LACKS_BYTES = 256,
};

/* Field by field: a whole value would first stand on the stack. */
static void
begin(struct run *r, struct cli *cli, const struct run_plan *plan)
{
    memset(r, 0, sizeof(*r));
    r->cli = cli;
    r->plan = plan;
    r->line = -1;
    r->isolation.keep_lock = -1;
    r->signal_fd = -1;
    r->streams.master_fd = -1;
    r->streams.input_fd = -1;
    for (size_t i = 0; i < AG_COUNT(r->streams.child_fd); i++) {
        r->streams.child_fd[i] = -1;
    }
    (void)sigprocmask(SIG_BLOCK, NULL, &r->mask_before);
}

/* Never weaker in silence. */
static void
tell_lacks(struct cli *cli)
{
    const char *lacks[FENCE_LACKS_MAX_COUNT];
    char text[LACKS_BYTES] = "";
    size_t len = 0;

    fence_lacks(lacks);
    for (size_t i = 0; lacks[i] != NULL && len < sizeof(text); i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
                                i == 0 ? "" : ", ", lacks[i]);
    }
    out_warn(&cli->out,
             "no namespaces here: the task is kept apart by Landlock alone, "
             "without %s; see: auth-guard doctor",
             text);
}

/* The broker lets a process have one task at a time: this one's end must be
 * known before the next is asked for. */
static void
end_first(struct run *r)
{
    run_kill(r);
    while (r->answers_due > 0 && run_collect(r) != AG_OK) {
    }
    run_tell_end(r, RUN_EXIT_FAILED);
}

enum ag_err
run_command(struct cli *cli, const struct run_plan *plan, int *ret_exit)
{
    static struct run run; /* one for the life of the process */
    enum ag_err err;

    cli_harden_bare(cli);
    streams_hide_inherited();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    begin(&run, cli, plan);
    err = run_start(&run);
    if (err != AG_OK && run.wants_fence) {
        end_first(&run);
        run_done(&run);
        begin(&run, cli, plan);
        run.fenced = true;
        tell_lacks(cli);
        err = run_start(&run);
    }
    if (err == AG_OK) {
        client_close(AG_TAKE(cli->client)); /* not needed for hours */
        err = run_supervise(&run, ret_exit);
    }
    run_done(&run);
    return err;
}
