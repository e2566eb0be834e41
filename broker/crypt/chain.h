/*
 * chain.h - a keyed hash chain, and the sealed record of its head.
 * Floor: crypt. Depends on: crypt/seal, base/secret, libsodium.
 *
 * Step: BLAKE2b-256, keyed, over previous 32 | part count u64le | for each part
 * its length u64le and its bytes. Without the key nobody can make a link that
 * verifies, so an edit or a gap shows.
 *
 * Head file: CHAIN_HEAD_COUNT slots of CHAIN_HEAD_SLOT_BYTES each, written in
 * turn, so that a torn write spoils only the older one. Slot: a seal.h blob
 * (table "vault.head", column "head", row = number of the slot) over
 *   seq u64le | wall_ms u64le | chain 32
 * padded with zero bytes. The valid slot with the highest seq counts.
 */
#ifndef AG_CRYPT_CHAIN_H
#define AG_CRYPT_CHAIN_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    CHAIN_BYTES = 32,
    CHAIN_PARTS_MAX_COUNT = 16,
    CHAIN_HEAD_SLOT_BYTES = 512, /* one sector of any disk */
    CHAIN_HEAD_COUNT = 2,
    CHAIN_HEAD_FILE_BYTES = CHAIN_HEAD_COUNT * CHAIN_HEAD_SLOT_BYTES,
};

/* The value before the first link of the chain `label` ("audit", "uses"):
 * one step from zeros over label and vault id (16 bytes). */
AG_NONNULL void chain_start(const struct secret *key, const char *label,
                            const uint8_t *vault_id, uint8_t out[CHAIN_BYTES]);

/* The next value. `out` may be `previous`. count is at most
 * CHAIN_PARTS_MAX_COUNT (asserted). */
AG_NONNULL void chain_step(const struct secret *key,
                           const uint8_t previous[CHAIN_BYTES],
                           const struct span *parts, size_t count,
                           uint8_t out[CHAIN_BYTES]);

/* Constant time. */
AG_NONNULL bool chain_equal(const uint8_t a[CHAIN_BYTES],
                            const uint8_t b[CHAIN_BYTES]);

struct chain_head {
    uint64_t seq;
    int64_t wall_ms;
    uint8_t chain[CHAIN_BYTES];
};

/* One slot's bytes. `key` is the subkey KDF_HEAD. Errors: AG_EINVAL slot
 * number; those of seal_make(). */
AG_CHECK AG_NONNULL enum ag_err
chain_head_make(const struct secret *key, const uint8_t *vault_id,
                unsigned slot, const struct chain_head *head,
                uint8_t out[CHAIN_HEAD_SLOT_BYTES]);

/*
 * The newest valid head of a head file's content, and its slot: the next one is
 * written to the other.
 * Errors: AG_ECORRUPT no slot verifies (cut, foreign, damaged). A single bad
 *         slot is what a crash leaves, and no error.
 */
AG_CHECK AG_NONNULL enum ag_err
chain_head_pick(const struct secret *key, const uint8_t *vault_id,
                struct span file, struct chain_head *ret, unsigned *ret_slot);

#endif
