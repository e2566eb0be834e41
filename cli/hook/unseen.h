/*
 * unseen.h - files of a diff that git wrote no lines of: binary ones, and those
 * that it takes for binary because an attribute says so.
 * Floor: cli. Depends on: base.
 */
#ifndef AG_CLI_HOOK_UNSEEN_H
#define AG_CLI_HOOK_UNSEEN_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

enum {
    UNSEEN_NAMES_MAX_COUNT = 5, /* by name, each once; others are counted */
};

/* {0} is none. */
struct unseen {
    char *names[UNSEEN_NAMES_MAX_COUNT]; /* owned */
    size_t name_count;
    size_t more;
    char *combined; /* the file of a combined diff being read; owned */
};

void unseen_done(struct unseen *u);

/* A line of a diff that is no content; any. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err unseen_line(struct unseen *u, struct span line);

/* "a.png, b.env and 3 more", appended; nothing where there are none. Errors:
 * AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err unseen_words(const struct unseen *u,
                                             struct buf *out);

#endif
