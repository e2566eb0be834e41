/*
 * kdf.h - from the root key to one subkey per purpose, and keyed hashes.
 * Floor: crypt. Depends on: base/secret, base/span, libsodium.
 *
 * Subkey = crypto_kdf_derive_from_key (BLAKE2b) with context "agvault1" and the
 * number of the purpose. A hash is BLAKE2b-256 keyed with a subkey.
 */
#ifndef AG_CRYPT_KDF_H
#define AG_CRYPT_KDF_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    KDF_KEY_BYTES = 32,
    KDF_HASH_BYTES = 32,
};

/* Numbers are on disk, in what was made with them: add at the end only. */
enum kdf_key {
    KDF_WRAP = 1,        /* wraps data keys */
    KDF_NAME = 2,        /* look-up hashes of names */
    KDF_TOKEN = 3,       /* stored hashes of tokens */
    KDF_AUDIT = 4,       /* chain and bodies of the record */
    KDF_PLACEHOLDER = 5, /* placeholders of tasks */
    KDF_JOURNAL = 6,     /* chain of the use journal */
    KDF_HEAD = 7,        /* seal of vault.head */
    KDF_SPILL = 8,       /* X25519 seed of write-backs left by a crash */
    KDF_META = 9,        /* sealed columns that are not values */
    KDF_DIGEST = 10,     /* keyed digests of files and values */
    KDF_BACKUP = 11,     /* backups */
    KDF_SIGN = 12,       /* Ed25519 seed of receipts */
    KDF_RECEIPT = 13,    /* what a receipt says without telling it */
    KDF_KEY_END,
};

/* A new random root key. Errors: those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err kdf_root_new(struct secret **ret);

/*
 * The subkey of one purpose.
 * Ownership: *ret is the caller's. Threads: safe.
 * Errors: AG_EINVAL root is not KDF_KEY_BYTES long; those of secret_new().
 */
AG_CHECK AG_NONNULL enum ag_err kdf_subkey(const struct secret *root,
                                           enum kdf_key purpose,
                                           struct secret **ret);

/* BLAKE2b-256 of `data` keyed with `key` (KDF_KEY_BYTES, asserted).
 * Threads: safe. Constant time in key and content. */
AG_NONNULL void kdf_hash(const struct secret *key, struct span data,
                         uint8_t out[KDF_HASH_BYTES]);

#endif
