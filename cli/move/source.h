/*
 * source.h - a file that is to be moved into the vault: opened so that it can't
 * be exchanged, checked, read, and found unchanged later.
 * Floor: cli. Depends on: base.
 *
 * Decided outcomes, each with its sentence:
 *   symbolic link        AG_EFILE    names the file it leads to
 *   not a regular file   AG_EFILE
 *   hard links           AG_EFILE    another name would keep the plaintext
 *   another owner        AG_EFILE
 *   world-writable directory without sticky bit   AG_EFILE
 *   empty                AG_EFILE
 *   larger than SOURCE_MAX_BYTES   AG_ELIMIT
 *   can't be written or unlinked (mode, immutable, read-only)   AG_EFILE
 *   changed while it was read, or later   AG_ECHANGED
 */
#ifndef AG_CLI_MOVE_SOURCE_H
#define AG_CLI_MOVE_SOURCE_H

#include <sys/stat.h>

#include "base/attr.h"
#include "base/err.h"

struct secret;

enum {
    SOURCE_MAX_BYTES = 64 * 1024, /* the vault's largest value */
    SOURCE_NAME_BYTES = 256,
};

struct source {
    int dir_fd;
    int fd; /* O_RDONLY */
    struct stat st;
    char *path; /* absolute: the directory resolved, the name as given */
    char name[SOURCE_NAME_BYTES];
};

/* Opens and checks. Ownership: source_close(). */
AG_CHECK AG_NONNULL enum ag_err source_open(const char *path,
                                            struct source *ret);
AG_NONNULL void source_close(struct source *s);
AG_DEFINE_CLEANUP_INPLACE(source, source_close)

#define SOURCE_NONE                                                            \
    {                                                                          \
        .dir_fd = -1, .fd = -1                                                 \
    }

/* The whole content; the descriptor's offset stays where it is.
 * Errors: AG_ECHANGED, AG_EIO, AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err source_read(const struct source *s,
                                            struct secret **ret);

/* Same file under its name, same size and times as when it was opened.
 * Errors: AG_ECHANGED with a sentence, AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err source_unchanged(const struct source *s);

#endif
