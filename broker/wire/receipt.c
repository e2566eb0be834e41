#include "wire/receipt.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/parse.h"
#include "base/secret.h"
#include "wire/emit.h"
#include "wire/receipt_impl.h"

#define PRINT_HEAD "SHA256:"
#define AUDIENCE   "operator" /* the only one that is given a receipt */

enum {
    VERSION = 1,
    HASH_CHARS = 2 * RECEIPT_HASH_BYTES,
};

_Static_assert((int)RECEIPT_HASH_BYTES == (int)crypto_hash_sha256_BYTES,
               "SHA-256");
_Static_assert((int)RECEIPT_HASH_BYTES == (int)crypto_auth_hmacsha256_BYTES,
               "HMAC-SHA-256");
_Static_assert((int)RECEIPT_OPENING_BYTES ==
                   (int)crypto_auth_hmacsha256_KEYBYTES,
               "the key of a seal");

const char *const RECEIPT_TIERS[RECEIPT_TIER_COUNT] = {
    [RECEIPT_P0] = "P0",
    [RECEIPT_P1] = "P1",
    [RECEIPT_P2] = "P2",
    [RECEIPT_RULE] = "rule",
};

const char *const RECEIPT_LEVELS[RECEIPT_LEVEL_COUNT] = {
    [RECEIPT_LEVEL_KNOWN] = "known",
    [RECEIPT_LEVEL_DEFAULT] = "default",
    [RECEIPT_LEVEL_ALL] = "all",
};

enum ag_err
receipt_check_subject(struct span text)
{
    if (text.len > RECEIPT_SUBJECT_MAX_BYTES || !parse_is_utf8(text)) {
        return err_why(AG_EINVAL, "subject: at most %d bytes of UTF-8",
                       (int)RECEIPT_SUBJECT_MAX_BYTES);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] == 0x7f) {
            return err_why(AG_EINVAL, "subject: one line, without control "
                                      "characters");
        }
    }
    return AG_OK;
}

void
receipt_print(const uint8_t key[RECEIPT_KEY_BYTES],
              char out[RECEIPT_PRINT_BYTES])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char *end = stpcpy(out, PRINT_HEAD);

    (void)crypto_hash_sha256(hash, key, RECEIPT_KEY_BYTES);
    (void)sodium_bin2base64(end, RECEIPT_PRINT_BYTES - strlen(PRINT_HEAD), hash,
                            sizeof(hash),
                            sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

void
receipt_seal(const uint8_t opening[RECEIPT_OPENING_BYTES],
             const struct receipt_side *input, uint8_t out[RECEIPT_HASH_BYTES])
{
    uint8_t text[RECEIPT_HASH_BYTES + 8];

    memcpy(text, input->sha256, RECEIPT_HASH_BYTES);
    for (unsigned i = 0; i < 8; i++) {
        text[RECEIPT_HASH_BYTES + i] =
            (uint8_t)((uint64_t)input->bytes >> (8 * i));
    }
    (void)crypto_auth_hmacsha256(out, text, sizeof(text), opening);
    wipe(text, sizeof(text));
}

/* ---- its text ---- */

static void
emit_hash(struct emit *e, const char *key, const uint8_t *hash)
{
    char hex[HASH_CHARS + 1];

    (void)sodium_bin2hex(hex, sizeof(hex), hash, RECEIPT_HASH_BYTES);
    emit_str(e, key, hex);
}

static void
emit_sides(struct emit *e, const struct receipt *r)
{
    emit_open(e, "input", '{');
    emit_hash(e, "sealed", r->input);
    emit_close(e, '}');
    emit_open(e, "output", '{');
    emit_int(e, "bytes", r->output.bytes);
    emit_hash(e, "sha256", r->output.sha256);
    emit_close(e, '}');
}

static void
emit_hits(struct emit *e, const struct receipt *r)
{
    emit_open(e, "hits", '{');
    emit_int(e, "total", r->hits);
    emit_open(e, "tiers", '{');
    for (size_t i = 0; i < AG_COUNT(RECEIPT_TIERS); i++) {
        emit_int(e, RECEIPT_TIERS[i], r->tiers[i]);
    }
    emit_close(e, '}');
    emit_open(e, "names", '[');
    for (size_t i = 0; i < r->row_count; i++) {
        emit_open(e, NULL, '{');
        emit_str(e, "name", r->rows[i].name);
        emit_str(e, "tier", RECEIPT_TIERS[r->rows[i].tier]);
        emit_int(e, "count", r->rows[i].count);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_int(e, "unnamed", r->unnamed);
    emit_close(e, '}');
}

/* The statement, with its place on the record or without. */
static enum ag_err
put_statement(const struct receipt *r, bool with_place, struct buf *out)
{
    struct emit e;

    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_int(&e, "receipt", VERSION);
    emit_base64(&e, "key", span_of(r->key, sizeof(r->key)));
    emit_str(&e, "time", r->time);
    emit_str(&e, "subject", r->subject);
    emit_str(&e, "audience", AUDIENCE);
    emit_str(&e, "format", r->format);
    emit_sides(&e, r);
    emit_open(&e, "set", '{');
    emit_int(&e, "first_epoch", r->first_epoch);
    emit_int(&e, "last_epoch", r->last_epoch);
    emit_int(&e, "values", r->value_count);
    emit_hash(&e, "digest", r->set_digest);
    emit_close(&e, '}');
    emit_open(&e, "rules", '{');
    emit_str(&e, "level", RECEIPT_LEVELS[r->level]);
    emit_int(&e, "count", r->rule_count);
    emit_hash(&e, "digest", r->rules_digest);
    emit_close(&e, '}');
    emit_hits(&e, r);
    emit_int(&e, "residual", r->residual);
    if (with_place) {
        emit_open(&e, "audit", '{');
        emit_int(&e, "seq", r->seq);
        emit_hash(&e, "chain", r->chain);
        emit_close(&e, '}');
    }
    emit_close(&e, '}');
    return emit_end(&e);
}

enum ag_err
receipt_hash(const struct receipt *r, uint8_t out[RECEIPT_HASH_BYTES])
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err;

    buf_init(&text, RECEIPT_PAYLOAD_MAX_BYTES, BUF_PLAIN);
    err = put_statement(r, false, &text);
    if (err == AG_OK) {
        (void)crypto_hash_sha256(out, text.ptr, text.len);
    }
    return err;
}

/* ---- the line ---- */

enum ag_err
receipt_put_pae(struct span payload, struct buf *out)
{
    enum ag_err err = buf_fmt(out, "DSSEv1 %zu %s %zu ", strlen(RECEIPT_TYPE),
                              RECEIPT_TYPE, payload.len);

    return err == AG_OK ? buf_add(out, payload) : err;
}

enum ag_err
receipt_put(const struct receipt *r, receipt_sign_fn sign, void *ctx,
            struct buf *out)
{
    AG_AUTO(buf) struct buf payload = {0};
    AG_AUTO(buf) struct buf pae = {0};
    uint8_t made[RECEIPT_SIGNATURE_BYTES];
    char print[RECEIPT_PRINT_BYTES];
    struct emit e;
    enum ag_err err;

    buf_init(&payload, RECEIPT_PAYLOAD_MAX_BYTES, BUF_PLAIN);
    buf_init(&pae, RECEIPT_PAE_MAX_BYTES, BUF_PLAIN);
    err = put_statement(r, true, &payload);
    if (err == AG_OK) {
        err = receipt_put_pae(buf_view(&payload), &pae);
    }
    if (err == AG_OK) {
        err = sign(ctx, buf_view(&pae), made);
    }
    if (err != AG_OK) {
        return err;
    }
    receipt_print(r->key, print);
    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "payloadType", RECEIPT_TYPE);
    emit_base64(&e, "payload", buf_view(&payload));
    emit_open(&e, "signatures", '[');
    emit_open(&e, NULL, '{');
    emit_str(&e, "keyid", print);
    emit_base64(&e, "sig", span_of(made, sizeof(made)));
    emit_close(&e, '}');
    emit_close(&e, ']');
    emit_close(&e, '}');
    return emit_end(&e);
}
