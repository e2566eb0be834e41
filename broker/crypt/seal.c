#include "crypt/seal.h"

#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"

enum {
    VERSION_1 = 1,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    HEAD_BYTES = 1 + NONCE_BYTES,
    CONTEXT_MAX_BYTES =
        8 + SEAL_VAULT_ID_BYTES + 8 + 8 + 2 * (1 + SEAL_WORD_MAX_BYTES),
};

_Static_assert((int)SEAL_OVERHEAD_BYTES == HEAD_BYTES + TAG_BYTES,
               "layout differs");
_Static_assert((int)SEAL_KEY_BYTES ==
                   (int)crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
               "key length differs");

/* The associated data of a place; no secret. */
struct context {
    uint8_t bytes[CONTEXT_MAX_BYTES];
    size_t len;
};

static void
add_bytes(struct context *c, const void *bytes, size_t len)
{
    memcpy(c->bytes + c->len, bytes, len);
    c->len += len;
}

static void
add_number(struct context *c, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++) {
        c->bytes[c->len++] = (uint8_t)(number >> (8 * i));
    }
}

static bool
add_word(struct context *c, const char *word)
{
    size_t len = strlen(word);

    if (len > SEAL_WORD_MAX_BYTES) {
        return false;
    }
    c->bytes[c->len++] = (uint8_t)len;
    add_bytes(c, word, len);
    return true;
}

static enum ag_err
context_of(const struct secret *key, const struct seal_at *at,
           struct context *ret)
{
    ret->len = 0;
    if (secret_len(key) != SEAL_KEY_BYTES || at->vault_id == NULL) {
        return err_why(AG_EINVAL, "a seal needs a key of %d bytes and a vault",
                       SEAL_KEY_BYTES);
    }
    add_bytes(ret, "ag-seal", 8);
    add_bytes(ret, at->vault_id, SEAL_VAULT_ID_BYTES);
    add_number(ret, (uint64_t)at->row);
    add_number(ret, (uint64_t)at->version);
    if (!add_word(ret, at->table) || !add_word(ret, at->column)) {
        return err_why(AG_EINVAL, "the name of a table or column is too long");
    }
    return AG_OK;
}

enum ag_err
seal_make(const struct secret *key, const struct seal_at *at, struct span plain,
          struct buf *out)
{
    struct context context;
    uint8_t *to;
    enum ag_err err = context_of(key, at, &context);

    if (err != AG_OK) {
        return err;
    }
    if (plain.len > SEAL_PLAIN_MAX_BYTES) {
        return err_why(AG_ELIMIT, "%s: %zu bytes are above the limit of %d",
                       at->table, plain.len, SEAL_PLAIN_MAX_BYTES);
    }
    err = buf_room(out, plain.len + SEAL_OVERHEAD_BYTES, &to);
    if (err != AG_OK) {
        return err;
    }
    to[0] = VERSION_1;
    randombytes_buf(to + 1, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        to + HEAD_BYTES, NULL, plain.ptr, plain.len, context.bytes, context.len,
        NULL, to + 1, secret_view(key).ptr);
    buf_grew(out, plain.len + SEAL_OVERHEAD_BYTES);
    return AG_OK;
}

/* What can be told before decrypting; *ret_len is the length of the text. */
static enum ag_err
check_blob(const struct seal_at *at, struct span blob, size_t *ret_len)
{
    if (blob.len < SEAL_OVERHEAD_BYTES) {
        return err_why(AG_ECORRUPT, "%s.%s of row %lld is cut", at->table,
                       at->column, (long long)at->row);
    }
    if (blob.len - SEAL_OVERHEAD_BYTES > SEAL_PLAIN_MAX_BYTES) {
        return err_why(AG_ELIMIT, "%s.%s of row %lld is too large", at->table,
                       at->column, (long long)at->row);
    }
    if (blob.ptr[0] != VERSION_1) {
        return err_why(AG_ECORRUPT, "%s.%s of row %lld has an unknown form",
                       at->table, at->column, (long long)at->row);
    }
    *ret_len = blob.len - SEAL_OVERHEAD_BYTES;
    return AG_OK;
}

static enum ag_err
decrypt(const struct secret *key, const struct seal_at *at,
        const struct context *context, struct span blob, uint8_t *to)
{
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            to, NULL, NULL, blob.ptr + HEAD_BYTES, blob.len - HEAD_BYTES,
            context->bytes, context->len, blob.ptr + 1,
            secret_view(key).ptr) != 0) {
        return err_why(AG_ECORRUPT, "%s.%s of row %lld does not verify",
                       at->table, at->column, (long long)at->row);
    }
    return AG_OK;
}

enum ag_err
seal_open(const struct secret *key, const struct seal_at *at, struct span blob,
          struct secret **ret)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    struct context context;
    size_t len = 0;
    enum ag_err err = context_of(key, at, &context);

    err = err != AG_OK ? err : check_blob(at, blob, &len);
    err = err != AG_OK ? err : secret_new(len, &plain);
    if (err != AG_OK) {
        return err;
    }
    err = decrypt(key, at, &context, blob, secret_bytes(plain));
    if (err != AG_OK) {
        return err; /* `plain` is wiped on the way out */
    }
    *ret = AG_TAKE(plain);
    return AG_OK;
}

enum ag_err
seal_open_buf(const struct secret *key, const struct seal_at *at,
              struct span blob, struct buf *out)
{
    struct context context;
    size_t len = 0;
    uint8_t *to = NULL;
    enum ag_err err = context_of(key, at, &context);

    err = err != AG_OK ? err : check_blob(at, blob, &len);
    err = err != AG_OK ? err : buf_room(out, len, &to);
    err = err != AG_OK ? err : decrypt(key, at, &context, blob, to);
    if (err == AG_OK) {
        buf_grew(out, len);
    }
    return err;
}
