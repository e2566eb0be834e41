/*
 * layer.h - the home of an isolated task: the person's own to read, a
 * throw-away layer above it to write, and what is to be hidden marked in that
 * layer as gone, whether it is there or comes later.
 * Floor: cli/run. Depends on: run/mnt.
 *
 * The marks are those of overlayfs itself (whiteouts: a character device 0, 0;
 * opaque directories): nothing that is mounted and could be unmounted. Source:
 * Documentation/filesystems/overlayfs.rst.
 */
#ifndef AG_CLI_RUN_LAYER_H
#define AG_CLI_RUN_LAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* Can the layer tell a directory made anew from one below? Before Linux 6.6
 * one in memory can't. */
AG_CHECK bool layer_keeps_marks(int upper_fd);

struct layer_hiding {
    int lower_fd;             /* the home */
    int upper_fd;             /* the layer over it */
    const char *const *paths; /* relative, resolved; sorted by their bytes */
    size_t count;
    bool early; /* where layer_keeps_marks() */
};

/*
 * Marks the paths as hidden. `early`: when the way to one does not exist yet,
 * that is marked, so that no empty directories show; else nothing could be made
 * in its place. What the layer has there already stays, cut off from what is
 * below. Errors: AG_EIO, also more than 62 directories deep.
 */
AG_CHECK AG_NONNULL enum ag_err layer_hide(const struct layer_hiding *what);

/*
 * The home, not attached yet. `store_fd` holds the directories `upper` and
 * `work`. Errors: AG_EIO (no overlayfs, or mounts below the home).
 */
AG_CHECK AG_NONNULL enum ag_err layer_mount(int lower_fd, int store_fd,
                                            int *ret_fd);

#endif
