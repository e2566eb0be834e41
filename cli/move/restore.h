/*
 * restore.h - puts a file back as it was: bytes, owner, mode and times; never
 * over another file.
 * Floor: cli. Depends on: move/erase.
 *
 * The temporary file .ag-release-ID (0600) lies in the target's directory; the
 * broker writes the bytes into its descriptor. It gets its name by a rename
 * that does not replace.
 */
#ifndef AG_CLI_MOVE_RESTORE_H
#define AG_CLI_MOVE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "move/erase.h"

struct restore_facts {
    int64_t mode; /* permission bits; 0: 0600 */
    int64_t gid;  /* -1: as it comes */
    int64_t mtime_ns;
    int64_t atime_ns;
    int64_t size_bytes; /* -1: unknown */
};

struct restore {
    int dir_fd;
    int fd; /* O_RDWR, of the temporary file */
    char *path;
    const char *name; /* within path */
    bool placed;      /* it has its name: no undoing by hand any more */
    char temp[ERASE_NAME_BYTES];
};

#define RESTORE_NONE                                                           \
    {                                                                          \
        .dir_fd = -1, .fd = -1                                                 \
    }

/*
 * Opens the directory (missing ones are made, 0700) and the temporary file.
 * Ownership: restore_close(); restore_discard() before it if not placed.
 * Errors: AG_EEXISTS the path is taken (by a link too); AG_EINVAL a path that
 *         is not absolute; AG_EDENIED, AG_ENOSPACE, AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err restore_open(const char *path, const char *id,
                                             struct restore *ret);
AG_NONNULL void restore_close(struct restore *r);
AG_DEFINE_CLEANUP_INPLACE(restore, restore_close)

/* Erases the temporary file of a release that failed. Errors: it is still
 * there; the move must then stay open, so that recovery erases it. */
AG_CHECK AG_NONNULL enum ag_err restore_discard(struct restore *r);

/* Can the path be restored to at all? Changes nothing. */
AG_CHECK AG_NONNULL enum ag_err restore_possible(const char *path);

/*
 * After the bytes are in: size, mode, group and times, sync, name, sync.
 * Errors: AG_EEXISTS, AG_ECORRUPT the size differs; AG_ENOSPACE; AG_EIO. The
 *         target is then not there, unless r->placed.
 */
AG_CHECK AG_NONNULL enum ag_err restore_place(struct restore *r,
                                              const struct restore_facts *f);

#endif
