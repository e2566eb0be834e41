/*
 * take.h - a file's content out of a descriptor that somebody passed us, into
 * locked memory; and whether the file still holds it.
 * Floor: handover. Depends on: base/secret.
 */
#ifndef AG_HANDOVER_TAKE_H
#define AG_HANDOVER_TAKE_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct secret;

enum {
    TAKE_MAX_BYTES = 64 * 1024, /* one value: what the filter can hold */
};

/*
 * Reads the whole file from its start, whatever the descriptor's offset, which
 * stays as it is. Only regular files of `owner`'s.
 * Errors: AG_EFILE not such a file, or not readable; AG_ELIMIT larger than
 *         TAKE_MAX_BYTES; AG_ECHANGED it grew or shrank meanwhile; AG_EIO;
 *         AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err take_read(int fd, uid_t owner,
                                          struct secret **ret);

/* Reads it again. Errors: AG_ECHANGED it is not the same; AG_EIO; AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err take_compare(int fd,
                                             const struct secret *content);

#endif
