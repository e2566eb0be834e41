/*
 * grant.h - what a task may do with which secret, and whether one grant covers
 * another: pure data, no clock, no database.
 * Floor: policy. Depends on: store/words, base/parse.
 */
#ifndef AG_POLICY_GRANT_H
#define AG_POLICY_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/span.h"
#include "store/words.h"

enum {
    GRANTS_MAX_COUNT = 64, /* of one token: a task names a handful */
    GRANT_FIELD_BYTES = 256,
    GRANT_USES_UNLIMITED = -1,
};

struct grant {
    char secret[NAME_MAX_BYTES + 1]; /* a name, "dir/" + "*", or "*" */
    char field[GRANT_FIELD_BYTES];   /* RFC 6901; empty: the whole value */
    enum verb verb;
    int64_t uses; /* in all, or GRANT_USES_UNLIMITED */
};

/* Whether `worst`, the worst grade a secret allows, lets `verb` happen; reading
 * a value goes as far as an environment variable does. */
bool verb_allowed(enum verb verb, enum grade worst);

/* Whether a pattern of a grant covers a name (or a narrower pattern). */
AG_NONNULL bool pattern_covers(const char *pattern, const char *narrower);

/* Whether `field` lies in what the grant gives: the same pointer or below. */
AG_NONNULL bool field_covers(const char *granted, const char *field);

/* The first of `grants` that covers the wish, or NULL. */
const struct grant *grant_find(const struct grant *grants, size_t count,
                               const char *secret, const char *field,
                               enum verb verb);

/* Whether each of `child` is covered by one of `parent` with no more uses.
 * Errors: AG_EWIDER with a sentence that names the first that is not. */
AG_CHECK enum ag_err grants_narrow(const struct grant *parent,
                                   size_t parent_count,
                                   const struct grant *child,
                                   size_t child_count);

#endif
