/*
 * digest.h - what a stream was searched for, as a number: two with the same
 * digests were searched for the same.
 * Floor: redact. Depends on: redact/matcher, redact/rule_set, libsodium.
 *
 * BLAKE2b-256 over the parts, each with its length u64le before it. Nobody
 * outside may see the digest of a set as it is: who knows all but one weak
 * value could try it out. Whoever shows one hashes it with a key first.
 */
#ifndef AG_REDACT_DIGEST_H
#define AG_REDACT_DIGEST_H

#include "base/attr.h"
#include "base/err.h"
#include "redact/rule_set.h"

struct matcher;

enum {
    DIGEST_BYTES = 32,
};

/* Id, name and value of each value in order of ids. Those that are spare
 * (MATCHER_SPARE: tokens, which come and go) are left out, also of the count.
 * Errors: AG_ENOMEM. Threads: safe. */
AG_CHECK AG_NONNULL enum ag_err digest_of_set(const struct matcher *m,
                                              uint8_t out[DIGEST_BYTES],
                                              uint64_t *ret_count);

/* All that decides what the rules of a level find, in their order. */
AG_NONNULL void digest_of_rules(const struct rule_set *set,
                                enum rule_level_set level,
                                uint8_t out[DIGEST_BYTES], uint64_t *ret_count);

#endif
