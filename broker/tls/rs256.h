/*
 * rs256.h - a signature of an RSA key as JSON Web Tokens want it: RSASSA-PKCS1
 * v1.5 with SHA-256 (RFC 7518 section 3.3).
 * Floor: tls. Depends on: base, GnuTLS.
 *
 * Values in memory: the PEM is borrowed from locked memory. GnuTLS has copies of
 * the key on the heap for the length of the call: the decoded text and the
 * numbers, which it clears itself when it frees them, and what else its
 * arithmetic needs, which the daemon's allocator overwrites (M_PERTURB). None of
 * it is kept from one call to the next.
 */
#ifndef AG_TLS_RS256_H
#define AG_TLS_RS256_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    RS256_BITS_LEAST = 2048,
    RS256_BITS_MOST = 8192,
    RS256_MAX_BYTES = RS256_BITS_MOST / 8, /* a signature */
};

/*
 * `pem`: one RSA private key in PKCS #1 or PKCS #8, without a passphrase.
 * Errors: AG_EINVAL with a sentence: it is none, or of another kind or size;
 *         AG_ENOMEM; AG_EINTERNAL. Threads: safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err rs256_sign(struct span pem, struct span data,
                                           uint8_t out[RS256_MAX_BYTES],
                                           size_t *ret_len);

#endif
