/*
 * conflict.h - which of two versions of one value wins when a write-back meets
 * a current version that the writer never saw.
 * Floor: profile. Depends on: profile/fields.
 */
#ifndef AG_PROFILE_CONFLICT_H
#define AG_PROFILE_CONFLICT_H

#include "base/attr.h"
#include "base/err.h"
#include "profile/profile.h"

struct secret;

enum conflict_winner {
    WINNER_SAME,        /* equal bytes: nothing to store */
    WINNER_INCOMING,    /* becomes current, the other is retained */
    WINNER_CURRENT,     /* stays current, the incoming one is retained */
    WINNER_OTHER_LOGIN, /* another identity: not a refresh of this login */
};

/*
 * By the profile's rule; `p` NULL: the last one wins. A value that can't be
 * read as the profile says never wins over one that can, nor one without any
 * secret field over one that has some.
 * Errors: AG_EMEMLOCK. Threads: safe. Blocks: no.
 */
AG_CHECK enum ag_err conflict_decide(const struct profile *p, size_t file_index,
                                     const struct secret *current_value,
                                     const struct secret *incoming_value,
                                     enum conflict_winner *ret);

#endif
