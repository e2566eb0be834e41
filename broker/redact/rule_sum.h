/*
 * rule_sum.h - what a secret's own structure tells: checksums and parts that
 * must decode. A right one is proof; a wrong one only speaks against.
 * Floor: redact. Depends on: base/encode, libsodium (base64).
 */
#ifndef AG_REDACT_RULE_SUM_H
#define AG_REDACT_RULE_SUM_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum rule_sum {
    RULE_SUM_NONE,
    /* The last six characters are CRC-32 in base62 of those behind the first
     * `_` (GitHub's and npm's tokens, and ours). */
    RULE_SUM_CRC32_BASE62,
    /* The first of three parts in base64url is a JSON object with "alg". */
    RULE_SUM_JWT,
    /* The characters behind the first four are base32 of an account number
     * below 10^12 (AWS's key ids since 2019). */
    RULE_SUM_AWS_KEY_ID,
    /* Base64 of `name:password`, printable. */
    RULE_SUM_BASIC,
};

/* In the order of the enum, ended by NULL. */
extern const char *const RULE_SUM_NAMES[];

/* Threads: safe. */
bool rule_sum_holds(enum rule_sum sum, struct span secret);

/* Appends to `out` what makes `out` from `from` on right; only of
 * RULE_SUM_CRC32_BASE62. Errors: AG_EUNSUPPORTED with a sentence; AG_ENOMEM,
 * AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err rule_sum_add(enum rule_sum sum, struct buf *out,
                                             size_t from);

#endif
