/*
 * mnt.h - mounts by descriptor: nothing that somebody else renames or replaces
 * meanwhile can lead a mount elsewhere.
 * Floor: cli/run. Depends on: base/err, base/fdx. Linux 5.12.
 *
 * Every function that fails leaves errno and a sentence that names the path.
 */
#ifndef AG_CLI_RUN_MNT_H
#define AG_CLI_RUN_MNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* One option of a file system; `value` NULL: a flag. */
struct mnt_option {
    const char *key;
    const char *value;
};

/* A new file system, not attached yet; `options` end with a NULL key.
 * Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err mnt_new(const char *type,
                                        const struct mnt_option *options,
                                        uint64_t attributes, int *ret_fd);

/* A copy of the mount at `path` (links are followed; AT_FDCWD or a directory)
 * with what is mounted below it, not attached yet. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err mnt_copy(int dir_fd, const char *path,
                                         uint64_t attributes, int *ret_fd);

/* Attaches at what `where_fd` is open on; closes neither.
 * Errors: AG_EIO. */
AG_CHECK enum ag_err mnt_attach(int mnt_fd, int where_fd, const char *name);

/* What `path` is below `root_fd`, which links can't leave: an O_PATH
 * descriptor, or -1. */
AG_NONNULL int mnt_find(int root_fd, const char *path);

enum mnt_kind {
    MNT_DIR,
    MNT_FILE,
};

/* The same, made where it is missing: a mount point. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err mnt_point(int root_fd, const char *path,
                                          enum mnt_kind kind, int *ret_fd);

/* Attaches at `where` below `root_fd`, made now: for places that most likely
 * are not there yet. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err mnt_put(int mnt_fd, enum mnt_kind kind,
                                        int root_fd, const char *where);

/* mnt_copy() and mnt_attach() at the same kind of place below `root_fd`. */
AG_CHECK AG_NONNULL enum ag_err mnt_bind(int dir_fd, const char *path,
                                         uint64_t attributes, int root_fd,
                                         const char *where);

#endif
