#include "crypt/slot.h"

#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/secret.h"
#include "crypt/kdf.h"

enum {
    VERSION_1 = 1,
    SALT_BYTES = crypto_pwhash_argon2id_SALTBYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    PARAMETER_BYTES = 1 + 1 + SALT_BYTES + 8 + 8,
    VAULT_ID_BYTES = 16,
    CONTEXT_BYTES = 8 + VAULT_ID_BYTES + 8 + PARAMETER_BYTES,
    /* What a stored cost may be at most: a forged vault must not hold us for
     * hours or take the machine's memory. */
    PASSES_MAX = 64,
};

static const uint64_t MEMORY_MAX_BYTES = UINT64_C(4) << 30;

_Static_assert((int)SLOT_BLOB_BYTES ==
                   PARAMETER_BYTES + NONCE_BYTES + KDF_KEY_BYTES + TAG_BYTES,
               "layout differs");

struct slot_cost
slot_cost_default(void)
{
    return (struct slot_cost){
        .passes = crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
        .memory_bytes = crypto_pwhash_argon2id_MEMLIMIT_MODERATE};
}

static bool
cost_within(const struct slot_cost *cost, uint64_t passes_min,
            uint64_t memory_min_bytes)
{
    return cost->passes >= passes_min && cost->passes <= PASSES_MAX &&
           cost->memory_bytes >= memory_min_bytes &&
           cost->memory_bytes <= MEMORY_MAX_BYTES;
}

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

/* The parameters at the front of a blob. */
static const uint8_t *
salt_of(const uint8_t *blob)
{
    return blob + 2;
}

static struct slot_cost
stored_cost(const uint8_t *blob)
{
    return (struct slot_cost){.passes = get_u64(blob + 2 + SALT_BYTES),
                              .memory_bytes =
                                  get_u64(blob + 2 + SALT_BYTES + 8)};
}

static void
context_of(const struct slot_at *at, const uint8_t *blob,
           uint8_t out[CONTEXT_BYTES])
{
    memcpy(out, "ag-slot", 8);
    memcpy(out + 8, at->vault_id, VAULT_ID_BYTES);
    put_u64(out + 8 + VAULT_ID_BYTES, (uint64_t)at->slot_id);
    memcpy(out + 8 + VAULT_ID_BYTES + 8, blob, PARAMETER_BYTES);
}

static enum ag_err
stretch(const uint8_t *blob, struct span passphrase, struct secret *key)
{
    struct slot_cost cost = stored_cost(blob);

    if (passphrase.len == 0 || passphrase.len > SLOT_PASSPHRASE_MAX_BYTES) {
        return err_why(AG_EINVAL, "a passphrase has 1 to %d bytes",
                       SLOT_PASSPHRASE_MAX_BYTES);
    }
    if (crypto_pwhash_argon2id(secret_bytes(key), KDF_KEY_BYTES,
                               (const char *)passphrase.ptr, passphrase.len,
                               salt_of(blob), cost.passes,
                               (size_t)cost.memory_bytes,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
        return err_why(AG_ENOMEM,
                       "the passphrase check needs %llu MiB of free memory",
                       (unsigned long long)(cost.memory_bytes >> 20));
    }
    return AG_OK;
}

static void
salted_hash(const uint8_t *blob, struct span content, struct secret *key)
{
    (void)crypto_generichash(secret_bytes(key), KDF_KEY_BYTES, content.ptr,
                             content.len, salt_of(blob), SALT_BYTES);
}

/* The wrapping key that `factor` gives with the parameters in `blob`. */
static enum ag_err
wrapping_key(enum slot_factor factor, const uint8_t *blob,
             const struct secret *what, struct secret **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *code = NULL;
    struct span content = secret_view(what);
    enum ag_err err = secret_new(KDF_KEY_BYTES, &key);

    if (err != AG_OK) {
        return err;
    }
    switch (factor) {
    case SLOT_FACTOR_PASSPHRASE:
        err = stretch(blob, content, key);
        break;
    case SLOT_FACTOR_KEY:
        if (content.len < SLOT_KEY_MIN_BYTES ||
            content.len > SLOT_KEY_MAX_BYTES) {
            return err_why(AG_EINVAL, "a key file has %d to %d bytes",
                           SLOT_KEY_MIN_BYTES, SLOT_KEY_MAX_BYTES);
        }
        salted_hash(blob, content, key);
        break;
    case SLOT_FACTOR_RECOVERY:
        err = slot_recovery_parse(content, &code);
        if (err == AG_OK) {
            salted_hash(blob, secret_view(code), key);
        }
        break;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(key);
    }
    return err;
}

enum ag_err
slot_make(const struct slot_at *at, const struct slot_cost *cost,
          const struct secret *factor, const struct secret *root,
          struct buf *out)
{
    AG_AUTO(secret) struct secret *key = NULL;
    uint8_t blob[SLOT_BLOB_BYTES] = {VERSION_1, (uint8_t)at->factor};
    uint8_t context[CONTEXT_BYTES];
    uint8_t *nonce = blob + PARAMETER_BYTES;
    enum ag_err err;

    if (secret_len(root) != KDF_KEY_BYTES ||
        (at->factor == SLOT_FACTOR_PASSPHRASE && cost == NULL)) {
        return err_why(AG_EINVAL, "a slot needs a root key, and a passphrase a "
                                  "cost");
    }
    randombytes_buf(blob + 2, SALT_BYTES);
    if (at->factor == SLOT_FACTOR_PASSPHRASE) {
        put_u64(blob + 2 + SALT_BYTES, cost->passes);
        put_u64(blob + 2 + SALT_BYTES + 8, cost->memory_bytes);
    }
    err = wrapping_key(at->factor, blob, factor, &key);
    if (err != AG_OK) {
        return err;
    }
    randombytes_buf(nonce, NONCE_BYTES);
    context_of(at, blob, context);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        nonce + NONCE_BYTES, NULL, secret_view(root).ptr, KDF_KEY_BYTES,
        context, sizeof(context), NULL, nonce, secret_view(key).ptr);
    return buf_add(out, span_of(blob, sizeof(blob)));
}

static enum ag_err
check_blob(enum slot_factor factor, struct span blob)
{
    struct slot_cost cost;

    if (blob.len != SLOT_BLOB_BYTES || blob.ptr[0] != VERSION_1 ||
        blob.ptr[1] != (uint8_t)factor) {
        return err_why(AG_ECORRUPT, "an unlock slot has an unknown form");
    }
    cost = stored_cost(blob.ptr);
    if (factor == SLOT_FACTOR_PASSPHRASE
            ? !cost_within(&cost, crypto_pwhash_argon2id_OPSLIMIT_MIN,
                           crypto_pwhash_argon2id_MEMLIMIT_MIN)
            : cost.passes != 0 || cost.memory_bytes != 0) {
        return err_why(AG_ECORRUPT, "the cost stored in an unlock slot is not "
                                    "possible");
    }
    return AG_OK;
}

enum ag_err
slot_open(const struct slot_at *at, struct span blob,
          const struct secret *factor, struct secret **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *root = NULL;
    uint8_t context[CONTEXT_BYTES];
    const uint8_t *nonce;
    enum ag_err err = check_blob(at->factor, blob);

    err = err != AG_OK ? err : wrapping_key(at->factor, blob.ptr, factor, &key);
    err = err != AG_OK ? err : secret_new(KDF_KEY_BYTES, &root);
    if (err != AG_OK) {
        return err;
    }
    nonce = blob.ptr + PARAMETER_BYTES;
    context_of(at, blob.ptr, context);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            secret_bytes(root), NULL, NULL, nonce + NONCE_BYTES,
            KDF_KEY_BYTES + TAG_BYTES, context, sizeof(context), nonce,
            secret_view(key).ptr) != 0) {
        return AG_EPASSPHRASE;
    }
    *ret = AG_TAKE(root);
    return AG_OK;
}

enum ag_err
slot_cost_of(struct span blob, struct slot_cost *ret)
{
    enum ag_err err = check_blob(SLOT_FACTOR_PASSPHRASE, blob);

    if (err == AG_OK) {
        *ret = stored_cost(blob.ptr);
    }
    return err;
}
