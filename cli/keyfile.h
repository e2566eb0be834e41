/*
 * keyfile.h - a value from a file or from stdin into locked memory.
 * Floor: cli. Depends on: base/secret, base/fsx, cli.
 */
#ifndef AG_CLI_KEYFILE_H
#define AG_CLI_KEYFILE_H

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct secret;

enum {
    KEYFILE_MIN_BYTES = 32, /* less could be guessed */
    KEYFILE_MAX_BYTES = 4096,
    VALUE_MAX_BYTES = 64 * 1024, /* one value of the vault */
};

/* A private file (this user's, mode 0600 or less) that holds a key.
 * Errors: AG_ENOTFOUND, AG_EMODE, AG_EINVAL, AG_ELIMIT, AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err keyfile_read(struct cli *cli, const char *path,
                                             struct secret **ret);

/* A value: from `path`, "-" for stdin. Errors: the same, less the mode. */
AG_CHECK AG_NONNULL enum ag_err value_read(struct cli *cli, const char *path,
                                           struct secret **ret);

#endif
