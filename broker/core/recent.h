/*
 * recent.h - placeholders that were read a moment ago: a client sends the same
 * one with each request, and to read it takes three keyed hashes.
 * Floor: core. Depends on: base/span, libsodium (compare), pthread.
 *
 * What was read under one keyring is not known under the next; what is no
 * placeholder is not kept. No text in it is secret: a task was given each.
 */
#ifndef AG_CORE_RECENT_H
#define AG_CORE_RECENT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct recent;

enum {
    RECENT_PLACES_COUNT = 64,    /* others push them out */
    RECENT_TEXT_MAX_BYTES = 256, /* a longer one is read anew */
};

AG_CHECK AG_NONNULL enum ag_err recent_new(struct recent **ret);
void recent_free(struct recent *r);
AG_DEFINE_CLEANUP(recent, recent_free)

/* `keyring`: which one it is read under, counted before its key is asked for.
 * Threads: safe. */
AG_NONNULL void recent_put(struct recent *r, uint64_t keyring, struct span text,
                           uint64_t id);

/* Is it, to the letter, one of them? In constant time but for its length. */
AG_CHECK AG_NONNULL bool recent_get(struct recent *r, uint64_t keyring,
                                    struct span text, uint64_t *ret_id);

#endif
