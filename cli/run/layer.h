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

#include "base/attr.h"
#include "base/err.h"

/* Can the layer tell a directory made anew from one below? Before Linux 6.6
 * one in memory can't. */
AG_CHECK bool layer_keeps_marks(int upper_fd);

/*
 * Marks `path` (relative, resolved) as hidden: in `upper_fd`, the layer, over
 * `lower_fd`, the home. `early`, where layer_keeps_marks(): when the way to it
 * does not exist yet, that is marked, so that no empty directories show; else
 * nothing could be made in its place. Prefixes of other paths come first. What the layer has
 * there already stays, cut off from what is below. Errors: AG_EUNSUPPORTED.
 */
AG_CHECK AG_NONNULL enum ag_err layer_hide(int lower_fd, int upper_fd,
                                           bool early, const char *path);

/*
 * The home, not attached yet. `store_fd` holds the directories `upper` and
 * `work`. Errors: AG_EUNSUPPORTED (no overlayfs, or mounts below the home).
 */
AG_CHECK AG_NONNULL enum ag_err layer_mount(int lower_fd, int store_fd,
                                            int *ret_fd);

#endif
