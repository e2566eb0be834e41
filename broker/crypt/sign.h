/*
 * sign.h - signatures that anybody can check: Ed25519 with a key of the vault.
 * Floor: crypt. Depends on: base/secret, base/span, libsodium.
 *
 * The seed is the subkey KDF_SIGN, so the key is the same as long as the root
 * key is: new passphrases and slots leave it, a rekey makes another.
 * Source: RFC 8032, "pure" Ed25519; libsodium refuses keys of small order and
 * signatures with another spelling.
 */
#ifndef AG_CRYPT_SIGN_H
#define AG_CRYPT_SIGN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    SIGN_KEY_BYTES = 32, /* public */
    SIGN_BYTES = 64,
};

/*
 * The public key of `seed` and, of `message`, the signature.
 * Errors: AG_EINVAL the seed is not 32 bytes long; those of secret_new().
 * Threads: safe.
 */
AG_CHECK AG_NONNULL enum ag_err sign_key(const struct secret *seed,
                                         uint8_t out[SIGN_KEY_BYTES]);
AG_CHECK AG_NONNULL enum ag_err sign_make(const struct secret *seed,
                                          struct span message,
                                          uint8_t out[SIGN_BYTES]);

/* Did the owner of `key` sign just this? Threads: safe. */
AG_NONNULL bool sign_check(const uint8_t key[SIGN_KEY_BYTES],
                           struct span message, const uint8_t made[SIGN_BYTES]);

#endif
