/*
 * fsx.h - files: private from birth, replaced atomically, named relative to a
 * held directory.
 * Floor: base. Depends on: base/err, base/span, base/fdx.
 */
#ifndef AG_BASE_FSX_H
#define AG_BASE_FSX_H

#include <sys/stat.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Makes (mode 0700) and opens a directory; every missing parent too. Refuses
 * a link, another owner, or a mode open to group or others (AG_EMODE). */
AG_CHECK AG_NONNULL enum ag_err fs_private_dir(const char *path, int *ret_fd);

/* Opens an existing regular file for reading; link, other owner or open mode
 * is AG_EMODE. */
AG_CHECK AG_NONNULL enum ag_err fs_open_private(int dir_fd, const char *name,
                                                int *ret_fd);

/* Writes name.tmp (0600), fsync, rename, fsync of the directory. */
AG_CHECK AG_NONNULL enum ag_err fs_replace(int dir_fd, const char *name,
                                           struct span content);

/* A whole public file, at most max_bytes. */
AG_CHECK AG_NONNULL enum ag_err fs_read(int dir_fd, const char *name,
                                        size_t max_bytes, struct buf *out);

/* fsync of a directory that is held open. */
AG_CHECK enum ag_err fs_sync_dir(int dir_fd);

/* Exclusive lock by flock(2) on `name` (made 0600), held as long as *ret_fd is
 * open; AG_EBUSY when somebody else has it. */
AG_CHECK AG_NONNULL enum ag_err fs_lock(int dir_fd, const char *name,
                                        int *ret_fd);

#endif
