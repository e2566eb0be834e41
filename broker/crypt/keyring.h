/*
 * keyring.h - the keys of an open vault: the root key and every subkey, held in
 * locked memory from open to lock; and the data keys wrapped under them.
 * Floor: crypt. Depends on: crypt/kdf, crypt/seal, crypt/token, base/secret, pthread.
 *
 * States: LOCKED -> OPEN -> LOCKED. A rekey makes a second keyring for the new
 * root key and re-wraps from the old one.
 *
 * Threads: all but keyring_root() may run while another thread locks: they
 * then answer AG_ELOCKED. What keyring_root() lends is good until
 * keyring_lock(): only for callers that know none is under way.
 */
#ifndef AG_CRYPT_KEYRING_H
#define AG_CRYPT_KEYRING_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "crypt/kdf.h"
#include "crypt/seal.h"
#include "crypt/token.h"

struct buf;
struct keyring;
struct secret;

enum keyring_state {
    KEYRING_LOCKED,
    KEYRING_OPEN,
};

enum {
    KEYRING_VAULT_ID_BYTES = SEAL_VAULT_ID_BYTES,
    KEYRING_DATA_KEY_BYTES = SEAL_KEY_BYTES,
    KEYRING_WRAPPED_BYTES = KEYRING_DATA_KEY_BYTES + SEAL_OVERHEAD_BYTES,
};

/* Locked. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
keyring_new(const uint8_t vault_id[KEYRING_VAULT_ID_BYTES],
            struct keyring **ret);
/* Wipes. NULL is allowed. */
void keyring_free(struct keyring *kr);
AG_DEFINE_CLEANUP(keyring, keyring_free)

/* Derives all subkeys from `root`, of which it keeps a copy of its own.
 * Errors: AG_EINVAL open already, or not a root key; those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err keyring_open(struct keyring *kr,
                                             const struct secret *root);

/* Wipes every key; waits for the hashes and unwraps under way. Locked already
 * is fine. */
AG_NONNULL void keyring_lock(struct keyring *kr);

AG_NONNULL enum keyring_state keyring_state(struct keyring *kr);
AG_NONNULL const uint8_t *keyring_vault_id(const struct keyring *kr);

/* A copy, the caller's: it stays good over a lock, which does not wait for it.
 * Errors: AG_ELOCKED; those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err
keyring_key(struct keyring *kr, enum kdf_key purpose, struct secret **ret);

/* Borrowed until keyring_lock(). Errors: AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err keyring_root(struct keyring *kr,
                                             const struct secret **ret);

/* kdf_hash() with one of the subkeys. Errors: AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err keyring_hash(struct keyring *kr,
                                             enum kdf_key purpose,
                                             struct span data,
                                             uint8_t out[KDF_HASH_BYTES]);

/* token_hash() with KDF_TOKEN. Errors: AG_ELOCKED, AG_ETOKEN. */
AG_CHECK AG_NONNULL enum ag_err
keyring_token_hash(struct keyring *kr, enum token_kind kind, struct span text,
                   uint8_t out[TOKEN_HASH_BYTES]);
/* token_line_hash() the same way. */
AG_CHECK AG_NONNULL enum ag_err
keyring_token_line(struct keyring *kr, enum token_kind kind, struct span text,
                   uint8_t out[TOKEN_HASH_BYTES]);

/*
 * A new random data key, and its wrapped form (KEYRING_WRAPPED_BYTES, sealed
 * under KDF_WRAP for the place `at`) appended to `wrapped`. at->vault_id may be
 * NULL: it is the keyring's.
 * Errors: AG_ELOCKED; those of seal_make() and secret_new().
 */
AG_CHECK AG_NONNULL enum ag_err keyring_data_new(struct keyring *kr,
                                                 const struct seal_at *at,
                                                 struct buf *wrapped,
                                                 struct secret **ret);

/* Unwraps. Errors: AG_ELOCKED; those of seal_open(). */
AG_CHECK AG_NONNULL enum ag_err keyring_data_open(struct keyring *kr,
                                                  const struct seal_at *at,
                                                  struct span wrapped,
                                                  struct secret **ret);

/* Wraps a data key under `kr`: keyring_data_open() on the old keyring and this
 * on the new one re-wrap a key. */
AG_CHECK AG_NONNULL enum ag_err keyring_data_wrap(struct keyring *kr,
                                                  const struct seal_at *at,
                                                  const struct secret *data_key,
                                                  struct buf *wrapped);

/* Both steps. */
AG_CHECK AG_NONNULL enum ag_err keyring_data_rewrap(struct keyring *old_ring,
                                                    struct keyring *new_ring,
                                                    const struct seal_at *at,
                                                    struct span wrapped,
                                                    struct buf *out);

#endif
