/*
 * box.h - sealed boxes: anybody with the public key can put something in, only
 * the open vault can take it out. For write-backs left by a crash.
 * Floor: crypt. Depends on: base/buf, base/secret, libsodium.
 *
 * Blob: version 1 | crypto_box_seal (ephemeral X25519 public key 32 | tag 16 |
 * ciphertext n, XSalsa20-Poly1305). The key pair comes from the subkey
 * KDF_SPILL by crypto_box_seed_keypair. A box says nothing about who made it.
 */
#ifndef AG_CRYPT_BOX_H
#define AG_CRYPT_BOX_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;
struct secret;

enum {
    BOX_PUBLIC_BYTES = 32,
    BOX_OVERHEAD_BYTES = 1 + 32 + 16,
    BOX_PLAIN_MAX_BYTES = 128 * 1024, /* as seal.h */
};

/* The public key that belongs to `seed` (32 bytes, the subkey KDF_SPILL).
 * Errors: AG_EINVAL; those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err box_public(const struct secret *seed,
                                           uint8_t out[BOX_PUBLIC_BYTES]);

/* Appends the box to `out`. Errors: AG_ELIMIT, AG_ENOMEM, AG_EINVAL (a public
 * key of small order). */
AG_CHECK AG_NONNULL enum ag_err
box_seal(const uint8_t public_key[BOX_PUBLIC_BYTES], struct span plain,
         struct buf *out);

/* Errors: AG_EINVAL seed; AG_ECORRUPT not a box for this vault; AG_ELIMIT;
 * those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err box_open(const struct secret *seed,
                                         struct span blob, struct secret **ret);

#endif
