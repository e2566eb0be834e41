/*
 * gitcheck.h - when a task has ended: repositories that it made or changed so
 * that git, run outside, would run what it chose.
 * Floor: cli/run. Depends on: run/view, run/gitconf.
 *
 * By the time at which files last changed, which nobody can set. What the
 * mounts of view_git.c keep from change is not new.
 */
#ifndef AG_CLI_RUN_GITCHECK_H
#define AG_CLI_RUN_GITCHECK_H

#include <stdbool.h>
#include <time.h>

#include "base/attr.h"
#include "run/gitconf.h"

struct view;

enum {
    GITCHECK_DIRS_MAX_COUNT = 20000, /* some 0.2 s */
    GITCHECK_DEPTH_MAX = 48,
    GITCHECK_NOTES_MAX_COUNT = 256,
};

enum gitcheck_kind {
    GITCHECK_ASIDE,  /* moved aside: its name is `to` now */
    GITCHECK_STAYS,  /* can't be moved */
    GITCHECK_LOOK,   /* not new, but its repository may be: left alone */
    GITCHECK_PARTLY, /* too many directories: not all were looked at */
};

/* `path` is absolute, borrowed for the call. */
typedef void (*gitcheck_found_fn)(void *arg, enum gitcheck_kind kind,
                                  const char *path, const char *to);

/* Submodules whose configuration names programs already. */
struct gitnote {
    char *path;
    struct gitconf_facts facts;
};

struct gitnotes {
    struct gitnote *items;
    size_t count;
};

/* Before the task; what can't be noted counts as new. */
AG_NONNULL void gitcheck_note(const struct view *view, struct gitnotes *ret);
AG_NONNULL void gitnotes_done(struct gitnotes *notes);

struct gitcheck {
    const struct view *view;
    const struct gitnotes *notes;
    struct timespec since; /* before the task, CLOCK_REALTIME: what changed
                              later is new; its first process starts in a
                              later tick, by which files are stamped */
    bool had_git; /* the working tree's own `.git` was there: guarded */
    gitcheck_found_fn found;
    void *arg;
};

/* No process of the task is left. Links are not followed but where git does. */
AG_NONNULL void gitcheck_run(const struct gitcheck *what);

#endif
