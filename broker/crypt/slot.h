/*
 * slot.h - unlock slots: the root key wrapped under a passphrase, the content
 * of a key file (or service credential), or a recovery code.
 * Floor: crypt. Depends on: base/buf, base/secret, libsodium.
 *
 * Blob (bytes, fixed SLOT_BLOB_BYTES): version 1 | factor 1 | salt 16 |
 *   passes u64le | memory bytes u64le | nonce 24 | ciphertext 32 | tag 16.
 * Wrapping key: a passphrase by Argon2id v1.3 (crypto_pwhash) with the stored
 * cost; the others, which are long and random, by BLAKE2b-256 keyed with the
 * salt (cost fields are 0). The seal is XChaCha20-Poly1305; its associated data
 * is "ag-slot\0" | vault id 16 | slot id u64le | the first 34 bytes of the blob,
 * so a blob opens only in its own vault and slot, with its own cost.
 */
#ifndef AG_CRYPT_SLOT_H
#define AG_CRYPT_SLOT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;
struct secret;

/* The numbers are on disk. */
enum slot_factor {
    SLOT_FACTOR_PASSPHRASE = 1,
    SLOT_FACTOR_KEY = 2,
    SLOT_FACTOR_RECOVERY = 3,
};

enum {
    SLOT_BLOB_BYTES = 1 + 1 + 16 + 8 + 8 + 24 + 32 + 16,
    SLOT_PASSPHRASE_MAX_BYTES = 1024,
    SLOT_KEY_MIN_BYTES = 32, /* shorter holds no key's worth of chance */
    SLOT_KEY_MAX_BYTES = 64 * 1024,
    SLOT_RECOVERY_BYTES = 17,      /* random: 136 bits */
    SLOT_RECOVERY_CHECK_BYTES = 3, /* BLAKE2b: a slip is noticed before Argon2,
                                      and with certainty of 1 - 2^-24 */
    SLOT_RECOVERY_TEXT_BYTES = 39, /* 8 groups of 4 with '-' between */
};

/* Cost of Argon2id. */
struct slot_cost {
    uint64_t passes;
    uint64_t memory_bytes;
};

/* libsodium's MODERATE: 3 passes over 256 MiB, some 0.7 s. slot_make() takes
 * less too, so that tests are quick. */
struct slot_cost slot_cost_default(void);

/* Which slot of which vault: bound into the blob. Whoever learns the id only
 * after the row was added passes 0 each time; vault and factor bind all the
 * same. */
struct slot_at {
    const uint8_t *vault_id; /* 16 bytes */
    int64_t slot_id;
    enum slot_factor factor;
};

/*
 * Appends the root key wrapped under `factor` (passphrase as typed, content of
 * the key file, or the text of a recovery code) to `out`. `cost` is used by
 * SLOT_FACTOR_PASSPHRASE only, and may be NULL for the others.
 * Errors: AG_EINVAL factor too short or long, recovery code mistyped (with a
 *         sentence); AG_ENOMEM Argon2's memory could not be had (a sentence
 *         names the amount); AG_ELIMIT the buffer.
 * Blocks: SLOT_FACTOR_PASSPHRASE for as long as the cost says.
 */
AG_CHECK enum ag_err slot_make(const struct slot_at *at,
                               const struct slot_cost *cost,
                               const struct secret *factor,
                               const struct secret *root, struct buf *out);

/*
 * Opens a blob. *ret is the root key and the caller's.
 * Errors: AG_EPASSPHRASE the factor is not the one, or the blob belongs to
 *         another vault or slot (nobody can tell the difference);
 *         AG_EINVAL as above; AG_ECORRUPT not a blob of this factor, or a cost
 *         out of bounds; AG_ENOMEM; those of secret_new().
 */
AG_CHECK AG_NONNULL enum ag_err slot_open(const struct slot_at *at,
                                          struct span blob,
                                          const struct secret *factor,
                                          struct secret **ret);

/* The cost a passphrase blob was made with. Errors: AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err slot_cost_of(struct span blob,
                                             struct slot_cost *ret);

/* A new recovery code as people keep it: SLOT_RECOVERY_TEXT_BYTES of Crockford
 * base32 in groups of four. */
AG_CHECK AG_NONNULL enum ag_err slot_recovery_new(struct secret **ret);

/*
 * What was typed, to the code's random bytes. Case, dashes and blanks don't
 * matter; O is 0, I and L are 1.
 * Errors: AG_EINVAL with a sentence (length, a character, the checksum).
 */
AG_CHECK AG_NONNULL enum ag_err slot_recovery_parse(struct span typed,
                                                    struct secret **ret);

#endif
