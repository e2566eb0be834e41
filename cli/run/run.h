/*
 * run.h - one `auth-guard run`, from the request to the receipt: the parts that
 * start.c joins and supervise.c watches.
 * Floor: cli/run. Depends on: everything in this folder.
 */
#ifndef AG_CLI_RUN_RUN_H
#define AG_CLI_RUN_RUN_H

#include <signal.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"
#include "run/argv.h"
#include "run/child.h"
#include "run/environ.h"
#include "run/isolate.h"
#include "run/keeper.h"
#include "run/place.h"
#include "run/plan.h"
#include "run/streams.h"
#include "run/task.h"
#include "run/watch.h"
#include "session.h"

struct cli;

enum {
    RUN_DIR_BYTES = PATH_BYTES + 32,
    RUN_LEASE_BYTES = 24,
    RUN_URL_BYTES = 64,
    RUN_EXIT_FAILED = 125, /* auth-guard itself, before or instead */
    RUN_EXIT_NOT_EXEC = 126,
    RUN_EXIT_NOT_FOUND = 127,
    RUN_EXIT_SIGNAL = 128, /* plus the signal */
};

/* What a delivery of a file has become. */
struct run_file {
    const struct delivery *delivery;
    int dir_fd; /* of the directory it lies in, while it is to be followed */
    char lease[RUN_LEASE_BYTES];
    struct place *place;
};

struct run {
    struct cli *cli;
    const struct run_plan *plan;
    struct task *task;
    struct env_list *env;
    struct argv *argv; /* the command's, with the profile's arguments */
    struct session *session;
    struct streams streams;
    struct input input;
    struct watch *watch;
    struct child_value values[CHILD_VALUES_MAX_COUNT];
    size_t value_count;
    struct run_file files[TASK_FILES_MAX];
    struct keeper_file keeper_files[TASK_FILES_MAX];
    size_t file_count;
    size_t answers_due; /* sent over the session and not answered yet */
    struct keeper_spec spec;
    struct isolation isolation;
    bool fenced; /* no namespaces: a fence is what there is */
    bool
        wants_fence; /* this kernel refused a view; the preset allows a fence */
    char dir[RUN_DIR_BYTES]; /* where the task's files are */
    char url[RUN_URL_BYTES]; /* the broker's, for this task; "" not needed */
    pid_t keeper;            /* 0: not running */
    int line;                /* to it */
    int signal_fd;
    sigset_t mask_before;
    json_t *receipt;  /* the broker's answer to the task's end, or NULL */
    bool raw;         /* the person's terminal is ours */
    bool broker_gone; /* the session broke */
    bool killed;      /* by us, for `reason` */
    int64_t alarm_ms; /* steady clock: it is killed then; 0: no alarm */
    bool ended;       /* by itself, with `status` */
    bool tree_gone;   /* no process of the task is left but the keeper */
    int status;       /* as waitpid() gave it */
    enum ag_err why;  /* what to tell the person */
    size_t streams_left;
    int stream_dst
        [STREAMS_MAX_COUNT]; /* in the order they were sent; borrowed */
    enum ag_err lost;        /* why a stream broke off; AG_OK: none did */
};

/* Blocks the signals that are handled by signal_fd. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err run_signals(struct run *r);

/*
 * From the request to the moment before the command: task, streams, files,
 * values, jail. On error everything that was begun is undone by run_done().
 */
AG_CHECK AG_NONNULL enum ag_err run_start(struct run *r);

/* ---- pieces of the start ---- */

/* Sends a message with one descriptor; its answer is due. */
AG_CHECK AG_NONNULL enum ag_err run_send(struct run *r, const char *op,
                                         const char *ticket, int fd);
/* Waits for the answers that are due. Errors: the first that is one. */
AG_CHECK AG_NONNULL enum ag_err run_collect(struct run *r);

/* Variables that get addresses of the broker, and r->url (urls.c). Errors:
 * AG_EUNSUPPORTED the broker is not on 127.0.0.1. */
AG_CHECK AG_NONNULL enum ag_err urls_set(struct run *r);

/* In this order (files.c): from the task's deliveries to the keeper's list; the
 * directory for a kind of jail; variables that name a place in it; an opened
 * file has come, index and [file, directory] taken over; each has its content
 * and is followed; links are placed. Errors: with a sentence. */
AG_NONNULL void files_list(struct run *r);
AG_CHECK AG_NONNULL enum ag_err files_dir(struct run *r, enum jail_kind kind);
AG_CHECK AG_NONNULL enum ag_err files_name(struct run *r);
AG_CHECK AG_NONNULL enum ag_err files_opened(struct run *r, int index,
                                             int fds[2]);
AG_CHECK AG_NONNULL enum ag_err files_follow(struct run *r);
AG_CHECK AG_NONNULL enum ag_err files_link(struct run *r);
/* When isolated, before the jail: links that are made in the task's view only;
 * files_link() places the rest. */
AG_CHECK AG_NONNULL enum ag_err files_link_inside(struct run *r);

/* Lets the command go and stays until its tree is gone, its files are taken,
 * its streams have ended. *ret_exit is the exit code for our caller. */
AG_CHECK AG_NONNULL enum ag_err run_supervise(struct run *r, int *ret_exit);

/* Tells the broker the end and waits until it knows. */
AG_NONNULL void run_tell_end(struct run *r, int exit_code);

/* What the broker has said (hear.c): the end of a stream, or of the task. */
AG_NONNULL void run_hear(struct run *r);
AG_NONNULL void run_end_by_alarm(struct run *r);

/* The broker refused something with `err`: if that is because it has ended the
 * task, why it did, which it says within a moment; else err. */
AG_CHECK AG_NONNULL enum ag_err run_why_refused(struct run *r, enum ag_err err);

/* Until the streams have ended or `until_ms` (steady clock; 0: however long);
 * a signal that is to end us ends the wait too, and stays. */
AG_NONNULL void run_await_streams(struct run *r, int64_t until_ms);

/* ^Z: stops us, and goes on when we are told to. */
AG_NONNULL void run_suspend(struct run *r);

/* Kills the tree and waits until it is gone. */
AG_NONNULL void run_kill(struct run *r);

/* Releases everything; links go, the terminal is given back. */
AG_NONNULL void run_done(struct run *r);

/* The whole: start, supervise, done. */
AG_CHECK AG_NONNULL enum ag_err
run_command(struct cli *cli, const struct run_plan *plan, int *ret_exit);

#endif
