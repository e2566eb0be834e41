/*
 * restamp.h - a file of placeholders into which a tool wrote values of its own:
 * once the vault has them, placeholders come in their stead.
 * Floor: cli/run. Depends on: session, base/fdx.
 */
#ifndef AG_CLI_RUN_RESTAMP_H
#define AG_CLI_RUN_RESTAMP_H

#include <sys/stat.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct session;

/* The same file with the same content, as far as its times tell? */
AG_NONNULL bool restamp_same(const struct stat *a, const struct stat *b);

struct restamp {
    int dir_fd;
    const char *name;
    const char *ticket; /* of `deliver`: what belongs there */
    struct stat taken;  /* the content that the vault has */
};

/*
 * Puts what the broker delivers in the file's place, at one blow. *ret_newer:
 * there was another content by then; it was left, and is to be taken first.
 * Else *ret_now is the file as it is.
 * Errors: those of the session; AG_EIO, AG_EFULL with a sentence: the file is as
 *         it was.
 */
AG_CHECK AG_NONNULL enum ag_err restamp_file(struct session *session,
                                             const struct restamp *what,
                                             bool *ret_newer,
                                             struct stat *ret_now);

#endif
