#include "crypt/chain.h"

#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"
#include "crypt/seal.h"

enum {
    HEAD_PLAIN_BYTES = 8 + 8 + CHAIN_BYTES,
    HEAD_BLOB_BYTES = HEAD_PLAIN_BYTES + SEAL_OVERHEAD_BYTES,
};

_Static_assert((int)HEAD_BLOB_BYTES <= (int)CHAIN_HEAD_SLOT_BYTES,
               "a head fits its slot");

static void
put_u64(uint8_t out[8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t
get_u64(const uint8_t in[8])
{
    uint64_t value = 0;

    for (unsigned i = 8; i-- > 0;) {
        value = value << 8 | in[i];
    }
    return value;
}

void
chain_start(const struct secret *key, const char *label,
            const uint8_t *vault_id, uint8_t out[CHAIN_BYTES])
{
    static const uint8_t ZEROS[CHAIN_BYTES];
    const struct span parts[] = {span_str(label),
                                 span_of(vault_id, SEAL_VAULT_ID_BYTES)};

    chain_step(key, ZEROS, parts, AG_COUNT(parts), out);
}

static void
hash_number(crypto_generichash_state *state, uint64_t number)
{
    uint8_t le[8];

    put_u64(le, number);
    (void)crypto_generichash_update(state, le, sizeof(le));
}

void
chain_step(const struct secret *key, const uint8_t previous[CHAIN_BYTES],
           const struct span *parts, size_t count, uint8_t out[CHAIN_BYTES])
{
    crypto_generichash_state state;
    struct span k = secret_view(key);

    AG_ASSERT(count <= CHAIN_PARTS_MAX_COUNT);
    (void)crypto_generichash_init(&state, k.ptr, k.len, CHAIN_BYTES);
    (void)crypto_generichash_update(&state, previous, CHAIN_BYTES);
    hash_number(&state, count);
    for (size_t i = 0; i < count; i++) {
        hash_number(&state, parts[i].len);
        (void)crypto_generichash_update(&state, parts[i].ptr, parts[i].len);
    }
    (void)crypto_generichash_final(&state, out, CHAIN_BYTES);
    wipe(&state, sizeof(state));
}

bool
chain_equal(const uint8_t a[CHAIN_BYTES], const uint8_t b[CHAIN_BYTES])
{
    return sodium_memcmp(a, b, CHAIN_BYTES) == 0;
}

static struct seal_at
head_place(const uint8_t *vault_id, unsigned slot)
{
    return (struct seal_at){.vault_id = vault_id,
                            .table = "vault.head",
                            .column = "head",
                            .row = (int64_t)slot};
}

enum ag_err
chain_head_make(const struct secret *key, const uint8_t *vault_id,
                unsigned slot, const struct chain_head *head,
                uint8_t out[CHAIN_HEAD_SLOT_BYTES])
{
    AG_AUTO(buf) struct buf blob = {.max = HEAD_BLOB_BYTES};
    struct seal_at at = head_place(vault_id, slot);
    uint8_t plain[HEAD_PLAIN_BYTES];
    enum ag_err err;

    if (slot >= CHAIN_HEAD_COUNT) {
        return err_why(AG_EINVAL, "a head file has no slot %u", slot);
    }
    put_u64(plain, head->seq);
    put_u64(plain + 8, (uint64_t)head->wall_ms);
    memcpy(plain + 16, head->chain, CHAIN_BYTES);
    err = seal_make(key, &at, span_of(plain, sizeof(plain)), &blob);
    if (err != AG_OK) {
        return err;
    }
    memset(out, 0, CHAIN_HEAD_SLOT_BYTES);
    memcpy(out, blob.ptr, blob.len);
    return AG_OK;
}

static enum ag_err
head_open(const struct secret *key, const uint8_t *vault_id, unsigned slot,
          struct span file, struct chain_head *ret)
{
    AG_AUTO(buf) struct buf plain = {.max = HEAD_PLAIN_BYTES};
    struct seal_at at = head_place(vault_id, slot);
    struct span blob =
        span_sub(file, (size_t)slot * CHAIN_HEAD_SLOT_BYTES, HEAD_BLOB_BYTES);
    enum ag_err err = seal_open_buf(key, &at, blob, &plain);

    if (err != AG_OK) {
        return err;
    }
    if (plain.len != HEAD_PLAIN_BYTES) {
        return AG_ECORRUPT; /* cut blobs don't verify; for the reader's sake */
    }
    ret->seq = get_u64(plain.ptr);
    ret->wall_ms = (int64_t)get_u64(plain.ptr + 8);
    memcpy(ret->chain, plain.ptr + 16, CHAIN_BYTES);
    return AG_OK;
}

enum ag_err
chain_head_pick(const struct secret *key, const uint8_t *vault_id,
                struct span file, struct chain_head *ret, unsigned *ret_slot)
{
    struct chain_head best = {0};
    unsigned best_slot = CHAIN_HEAD_COUNT;

    for (unsigned slot = 0; slot < CHAIN_HEAD_COUNT; slot++) {
        struct chain_head head;
        enum ag_err err = head_open(key, vault_id, slot, file, &head);

        if (err != AG_OK && err != AG_ECORRUPT) {
            return err;
        }
        if (err == AG_OK &&
            (best_slot == CHAIN_HEAD_COUNT || head.seq > best.seq)) {
            best = head;
            best_slot = slot;
        }
    }
    if (best_slot == CHAIN_HEAD_COUNT) {
        return err_why(AG_ECORRUPT, "vault.head does not verify: it is damaged "
                                    "or of another vault");
    }
    *ret = best;
    *ret_slot = best_slot;
    return AG_OK;
}
