#include "rotate/sigv4.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

enum {
    DAY_BYTES = 8, /* of a date: its day */
    KEY_BYTES = crypto_auth_hmacsha256_BYTES,
    TO_SIGN_MAX_BYTES = 512,
};

_Static_assert((int)KEY_BYTES == (int)crypto_hash_sha256_BYTES, "not SHA-256");

void
sigv4_date(int64_t wall_ms, char out[SIGV4_DATE_BYTES])
{
    char text[CLOCK_TEXT_BYTES]; /* 2015-08-30T12:36:00.000Z */

    clock_text(wall_ms, text);
    (void)snprintf(out, SIGV4_DATE_BYTES, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", text,
                   text + 5, text + 8, text + 11, text + 14, text + 17);
}

static enum ag_err
add_hash(struct span of, struct buf *out)
{
    uint8_t hash[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(hash, of.ptr, of.len);
    return encode_hex(span_of(hash, sizeof(hash)), out);
}

static enum ag_err
add_names(const struct sigv4_request *q, struct buf *out)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < q->field_count; i++) {
        err = buf_fmt(out, "%s%s", i > 0 ? ";" : "", q->fields[i].name);
    }
    return err;
}

static enum ag_err
add_canonical(const struct sigv4_request *q, struct buf *out)
{
    enum ag_err err =
        buf_fmt(out, "%s\n%s\n%s\n", q->method, q->path, q->query);

    for (size_t i = 0; err == AG_OK && i < q->field_count; i++) {
        AG_ASSERT(i == 0 ||
                  strcmp(q->fields[i - 1].name, q->fields[i].name) < 0);
        err = buf_fmt(out, "%s:", q->fields[i].name);
        err = err == AG_OK ? buf_add(out, q->fields[i].value) : err;
        err = err == AG_OK ? buf_add_str(out, "\n") : err;
    }
    err = err == AG_OK ? buf_add_str(out, "\n") : err;
    err = err == AG_OK ? add_names(q, out) : err;
    err = err == AG_OK ? buf_add_str(out, "\n") : err;
    return err == AG_OK ? add_hash(q->body, out) : err;
}

static enum ag_err
add_scope(const struct sigv4_request *q, struct buf *out)
{
    return buf_fmt(out, "%.*s/%s/%s/aws4_request", DAY_BYTES, q->date,
                   q->region, q->service);
}

static enum ag_err
add_to_sign(const struct sigv4_request *q, struct buf *out)
{
    AG_AUTO(buf) struct buf canonical;
    enum ag_err err = AG_OK;

    buf_init(&canonical, SIGV4_CANONICAL_MAX_BYTES, BUF_WIPE);
    err = add_canonical(q, &canonical);
    err = err == AG_OK ? buf_fmt(out, ALGORITHM "\n%s\n", q->date) : err;
    err = err == AG_OK ? add_scope(q, out) : err;
    err = err == AG_OK ? buf_add_str(out, "\n") : err;
    return err == AG_OK ? add_hash(buf_view(&canonical), out) : err;
}

static void
mac(const uint8_t *key, size_t key_len, struct span of, uint8_t out[KEY_BYTES])
{
    crypto_auth_hmacsha256_state state;

    (void)crypto_auth_hmacsha256_init(&state, key, key_len);
    (void)crypto_auth_hmacsha256_update(&state, of.ptr, of.len);
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof(state));
}

static void
sign(const struct sigv4_request *q, struct span to_sign, uint8_t out[KEY_BYTES])
{
    static const char PREFIX[] = "AWS4";
    uint8_t first[sizeof(PREFIX) - 1 + SIGV4_SECRET_MAX_BYTES];
    uint8_t key[KEY_BYTES];
    size_t prefix_len = sizeof(PREFIX) - 1;

    memcpy(first, PREFIX, prefix_len);
    memcpy(first + prefix_len, q->secret_key.ptr, q->secret_key.len);
    mac(first, prefix_len + q->secret_key.len, span_of(q->date, DAY_BYTES),
        key);
    mac(key, sizeof(key), span_str(q->region), key);
    mac(key, sizeof(key), span_str(q->service), key);
    mac(key, sizeof(key), span_str("aws4_request"), key);
    mac(key, sizeof(key), to_sign, out);
    sodium_memzero(first, sizeof(first));
    sodium_memzero(key, sizeof(key));
}

enum ag_err
sigv4_sign(const struct sigv4_request *request, struct buf *out)
{
    AG_AUTO(buf) struct buf to_sign;
    uint8_t signature[KEY_BYTES];
    enum ag_err err = AG_OK;

    buf_init(&to_sign, TO_SIGN_MAX_BYTES, BUF_PLAIN);
    if (request->secret_key.len == 0 ||
        request->secret_key.len > SIGV4_SECRET_MAX_BYTES) {
        return err_why(AG_EINVAL, "a secret access key is of 1 to %d bytes",
                       SIGV4_SECRET_MAX_BYTES);
    }
    err = add_to_sign(request, &to_sign);
    if (err != AG_OK) {
        return err;
    }
    sign(request, buf_view(&to_sign), signature);
    err = buf_fmt(out, ALGORITHM " Credential=%s/", request->key_id);
    err = err == AG_OK ? add_scope(request, out) : err;
    err = err == AG_OK ? buf_add_str(out, ", SignedHeaders=") : err;
    err = err == AG_OK ? add_names(request, out) : err;
    err = err == AG_OK ? buf_add_str(out, ", Signature=") : err;
    return err == AG_OK ? encode_hex(span_of(signature, sizeof(signature)), out)
                        : err;
}
