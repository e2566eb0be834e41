/*
 * dirs.h - told what changes in directories (inotify(7)).
 * Floor: cli. Depends on: base.
 */
#ifndef AG_CLI_TRANSCRIPT_DIRS_H
#define AG_CLI_TRANSCRIPT_DIRS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct dirs;

struct dirs_told {
    /* A writer closed a file, or it got its name; an error ends the reading. */
    enum ag_err (*file)(void *arg, const char *dir, const char *name);
    /* A new directory, where everything below is meant. */
    enum ag_err (*made)(void *arg, const char *path);
    void *arg;
};

AG_CHECK AG_NONNULL enum ag_err dirs_new(struct dirs **ret);
void dirs_free(struct dirs *d);
AG_DEFINE_CLEANUP(dirs, dirs_free)

/* For poll(). */
AG_NONNULL int dirs_fd(const struct dirs *d);

/*
 * The directory that is open, not what is below it; its path is for telling.
 * `pattern`: only names that match (glob_match()) are meant; NULL: all, and
 * directories, too. Once more, the same directory has the new path, and is meant
 * whole if one of the calls meant that.
 * Errors: those of inotify_add_watch(2); AG_ELIMIT the system allows no more;
 *         AG_ENOMEM.
 */
AG_CHECK enum ag_err dirs_add(struct dirs *d, int dir_fd, const char *path,
                              const char *pattern);

/* What was told so far. *ret_lost: events were lost: look everywhere. Errors:
 * those of the two callbacks. */
AG_CHECK AG_NONNULL enum ag_err
dirs_read(struct dirs *d, const struct dirs_told *told, bool *ret_lost);

#endif
