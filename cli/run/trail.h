/*
 * trail.h - where paths lead, as far as they exist. Hundreds are asked about
 * at each start, most of them in a few directories or in none: what is known of
 * a directory is kept, and below one that is not there nothing is looked up.
 * Floor: cli/run. Depends on: base/err.
 */
#ifndef AG_CLI_RUN_TRAIL_H
#define AG_CLI_RUN_TRAIL_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    TRAIL_STEPS_MAX_COUNT = 16384, /* directories on the way to 4096 paths */
};

struct trail_step;

/* Zeroed: nothing is known. */
struct trail {
    struct trail_step *steps;
    size_t count;
};

/*
 * `path` with its links followed as far as it exists, and from there on as it
 * is written. It is absolute, without empty segments and such of dots, below
 * PATH_MAX. "/" gives "".
 * Ownership: on AG_OK the caller frees *ret.
 * Errors: AG_ELIMIT, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err trail_follow(struct trail *t, const char *path,
                                             char **ret);
AG_NONNULL void trail_done(struct trail *t);

#endif
