/*
 * isolate.h - from the options of `run` to what an isolated task is shown:
 * preset, working tree, places that are opened, paths that are hidden.
 * Floor: cli/run. Depends on: run/gitcheck, run/plan, run/preset, run/view, profile/expand.
 */
#ifndef AG_CLI_RUN_ISOLATE_H
#define AG_CLI_RUN_ISOLATE_H

#include <stdbool.h>
#include <time.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"
#include "run/gitcheck.h"
#include "run/plan.h"
#include "run/view.h"

struct task;

struct isolation {
    struct view *view;     /* NULL: the task is not isolated, or by a fence */
    struct view *fence;    /* where there are no namespaces: what it opens */
    char *scratch;         /* with a fence: its temporary files, taken away */
    int keep_lock;         /* on --keep-home while the task runs, or -1 */
    struct gitnotes notes; /* for isolation_tidy() */
    struct timespec since; /* the same */
    bool had_git;          /* the same */
};

/*
 * Checks the options and finds the places; nothing is made but the directory
 * of --keep-home, and that not with --dry-run. Errors: AG_EUSAGE with a sentence; AG_EBUSY that directory
 * belongs to a running task; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err isolation_make(const struct run_options *o,
                                               const struct paths *paths,
                                               struct isolation *ret);
AG_NONNULL void isolation_done(struct isolation *is);

/* The member `isolation` of POST /v1/tasks. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err isolation_body(const struct isolation *is,
                                               json_t **ret);

/* Adds the preset's hosts to the member `allow` of POST /v1/tasks.
 * Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err isolation_allow(const struct isolation *is,
                                                json_t *body);

/* No namespaces: from the view to a fence, and a directory for what the task
 * would have had in its own /tmp. Errors: AG_EIO, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err isolation_fence(struct isolation *is);

/* What the task is shown, one way or the other, or NULL. */
AG_NONNULL struct view *isolation_shown(const struct isolation *is);

/* Before the task's first process: files it writes get a later time than any
 * that was there. Mostly that time has come; else a few ms. */
AG_NONNULL void isolation_await_tick(const struct isolation *is);

/* When no process of the task is left: what of git's it has made, by which git
 * would run programs of the task's choice (run/gitcheck.h). */
void isolation_tidy(const struct isolation *is, gitcheck_found_fn found,
                    void *arg);

/* Hides the paths of the broker's answer: what the profiles know, existing or
 * not. Errors: AG_ECORRUPT, AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err isolation_hide(struct isolation *is,
                                               const json_t *answer);

#endif
