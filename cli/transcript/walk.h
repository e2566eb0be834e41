/*
 * walk.h - every file below what was named. No link is followed but a directory
 * that was named by one; what an earlier run left is taken away on the way.
 * Floor: cli. Depends on: transcript/swap.
 */
#ifndef AG_CLI_TRANSCRIPT_WALK_H
#define AG_CLI_TRANSCRIPT_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    WALK_DEPTH_MAX = 48,
};

struct walk {
    /* For each entry that is no directory, whatever it is; `path` is for
     * people, `name` is in dir_fd. An error ends the walk. */
    enum ag_err (*each)(void *arg, int dir_fd, const char *name,
                        const char *path);
    /* For each directory, before what is in it; or NULL. */
    enum ag_err (*enter)(void *arg, int dir_fd, const char *path);
    /* By its name: a directory that is not gone into; or NULL. */
    bool (*pass_over)(const char *name);
    void *arg;
    bool look_only; /* leave what earlier runs left */

    /* Counted by the walk. */
    uint64_t swept_count;      /* files of earlier runs */
    uint64_t unreadable_count; /* directories */
};

/*
 * `path`: a file or a directory.
 * Errors: AG_ENOTFOUND and others of open(2), with a sentence; what the
 *         callbacks return.
 */
AG_CHECK AG_NONNULL enum ag_err walk_path(struct walk *w, const char *path);

/* A directory that is open; `path` is for people. Errors: the callbacks'. */
AG_CHECK AG_NONNULL enum ag_err walk_open(struct walk *w, int dir_fd,
                                          const char *path);

#endif
