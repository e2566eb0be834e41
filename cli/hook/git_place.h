/*
 * git_place.h - the directory in which git looks for its hooks.
 * Floor: cli. Depends on: hook/git, cli.
 */
#ifndef AG_CLI_HOOK_GIT_PLACE_H
#define AG_CLI_HOOK_GIT_PLACE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"

struct cli;

struct git_place {
    char path[PATH_BYTES]; /* absolute */
    bool own;              /* ours alone, and of all repositories */
    int dir_fd;            /* -1 until git_place_open(); the caller's */
};

/*
 * Of the repository that `dir` is in; or, with `global`, of all that have none
 * set: where the person's configuration says, else a directory of our own,
 * which git_place_tell() sets. It need not be there.
 * Errors: AG_EINVAL no repository; AG_ECONFLICT git looks in that directory of
 * our own for the hooks of `dir`, and `global` was not said; AG_ENOTFOUND no
 * git.
 */
AG_CHECK AG_NONNULL enum ag_err git_place_find(const struct cli *cli,
                                               bool global, const char *dir,
                                               struct git_place *ret);

/* With its parents. Errors: those of mkdir(2). */
AG_CHECK AG_NONNULL enum ag_err git_place_make(const struct git_place *p);
AG_CHECK AG_NONNULL enum ag_err git_place_open(struct git_place *p);

/* Has git look there, for this person; or no more, and removes the directory if
 * it is empty. Errors: AG_EINVAL git failed. */
AG_CHECK AG_NONNULL enum ag_err git_place_tell(const struct git_place *p);
AG_CHECK AG_NONNULL enum ag_err git_place_forget(const struct git_place *p);

#endif
