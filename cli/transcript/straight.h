/*
 * straight.h - paths that lead through no symbolic link.
 * Floor: cli. Depends on: base.
 *
 * What is followed for long may be exchanged for a link at any time, in any
 * segment. So a path is resolved once, when it is named; after that every
 * directory is opened by a path in which a link is an error.
 */
#ifndef AG_CLI_TRANSCRIPT_STRAIGHT_H
#define AG_CLI_TRANSCRIPT_STRAIGHT_H

#include "base/attr.h"
#include "base/err.h"

/*
 * As the kernel calls it, as far as it is there now: a directory, or what is to
 * lie in one. What is not there yet, or is no directory, stays as it was named.
 * Ownership: the caller frees *ret.
 * Errors: AG_ENOTFOUND a relative path to nothing; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err straight_path(const char *path, char **ret);

/* A directory, for reading; -1 with errno: ELOOP there is a link in the path.
 * Needs Linux 5.6: openat2(2). */
AG_NONNULL int straight_open(const char *path);

#endif
