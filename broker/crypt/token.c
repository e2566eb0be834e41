#include "crypt/token.h"

#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"
#include "crypt/kdf.h"

enum {
    DIGITS = 43,
    CHECK_DIGITS = ENCODE_CHECKSUM_CHARS,
    CHECKED_CHARS = TOKEN_PREFIX_CHARS + DIGITS,
    LINE_BYTES = TOKEN_RAW_BYTES / 2, /* what a renewed text keeps */
};

_Static_assert((int)TOKEN_HASH_BYTES == (int)KDF_HASH_BYTES, "hash differs");

static const char *const PREFIX[] = {
    [TOKEN_TASK] = "agt_",
    [TOKEN_ACCESSOR] = "aga_",
    [TOKEN_PASS] = "agx_",
};

static void
put_text(enum token_kind kind, struct span raw, char out[TOKEN_CHARS])
{
    AG_ASSERT(raw.len == TOKEN_RAW_BYTES);
    memcpy(out, PREFIX[kind], TOKEN_PREFIX_CHARS);
    AG_ASSERT(encode_base62(raw, DIGITS, out + TOKEN_PREFIX_CHARS) ==
              AG_OK); /* 62^43 > 2^256 */
    encode_checksum(span_of(out, CHECKED_CHARS), out + CHECKED_CHARS);
}

void
token_text(enum token_kind kind, struct span raw, char out[TOKEN_TEXT_BYTES])
{
    put_text(kind, raw, out);
    out[TOKEN_CHARS] = '\0';
}

enum ag_err
token_new(enum token_kind kind, struct secret **ret)
{
    uint8_t raw[TOKEN_RAW_BYTES];
    struct secret *text;
    enum ag_err err = secret_new(TOKEN_CHARS, &text);

    if (err != AG_OK) {
        return err;
    }
    randombytes_buf(raw, sizeof(raw));
    put_text(kind, span_of(raw, sizeof(raw)), (char *)secret_bytes(text));
    wipe(raw, sizeof(raw));
    *ret = text;
    return AG_OK;
}

void
token_new_text(enum token_kind kind, char out[TOKEN_TEXT_BYTES])
{
    uint8_t raw[TOKEN_RAW_BYTES];

    randombytes_buf(raw, sizeof(raw));
    token_text(kind, span_of(raw, sizeof(raw)), out);
    wipe(raw, sizeof(raw));
}

enum ag_err
token_parse(enum token_kind kind, struct span text,
            uint8_t raw[TOKEN_RAW_BYTES])
{
    const char *prefix = PREFIX[kind];
    char check[CHECK_DIGITS];
    uint8_t number[TOKEN_RAW_BYTES];
    bool right;

    if (!span_starts(text, span_str(prefix))) {
        return err_why(AG_ETOKEN, "a token of this kind begins with %s",
                       prefix);
    }
    if (text.len != TOKEN_CHARS) {
        return err_why(AG_ETOKEN, "a token has %d characters, this one %zu",
                       TOKEN_CHARS, text.len);
    }
    encode_checksum(span_sub(text, 0, CHECKED_CHARS), check);
    right = sodium_memcmp(check, text.ptr + CHECKED_CHARS, CHECK_DIGITS) == 0;
    right = decode_base62(span_sub(text, TOKEN_PREFIX_CHARS, DIGITS), number,
                          sizeof(number)) == AG_OK &&
            right;
    if (right) {
        memcpy(raw, number, sizeof(number));
    }
    wipe(number, sizeof(number));
    return right ? AG_OK
                 : err_why(AG_ETOKEN, "the token's checksum does not match; "
                                      "was it copied whole?");
}

enum ag_err
token_next(enum token_kind kind, struct span text, struct secret **ret)
{
    uint8_t raw[TOKEN_RAW_BYTES];
    AG_AUTO(secret) struct secret *next = NULL;
    enum ag_err err = token_parse(kind, text, raw);

    if (err == AG_OK) {
        err = secret_new(TOKEN_CHARS, &next);
    }
    if (err == AG_OK) {
        randombytes_buf(raw + LINE_BYTES, sizeof(raw) - LINE_BYTES);
        put_text(kind, span_of(raw, sizeof(raw)), (char *)secret_bytes(next));
        *ret = AG_TAKE(next);
    }
    wipe(raw, sizeof(raw));
    return err;
}

/* Of the first `count` of a text's random bytes. */
static enum ag_err
hash_of(const struct secret *key, enum token_kind kind, struct span text,
        size_t count, uint8_t out[TOKEN_HASH_BYTES])
{
    uint8_t data[TOKEN_PREFIX_CHARS + TOKEN_RAW_BYTES];
    enum ag_err err = token_parse(kind, text, data + TOKEN_PREFIX_CHARS);

    if (err != AG_OK) {
        return err;
    }
    memcpy(data, PREFIX[kind], TOKEN_PREFIX_CHARS);
    kdf_hash(key, span_of(data, TOKEN_PREFIX_CHARS + count), out);
    wipe(data, sizeof(data));
    return AG_OK;
}

enum ag_err
token_hash(const struct secret *key, enum token_kind kind, struct span text,
           uint8_t out[TOKEN_HASH_BYTES])
{
    return hash_of(key, kind, text, TOKEN_RAW_BYTES, out);
}

enum ag_err
token_line_hash(const struct secret *key, enum token_kind kind,
                struct span text, uint8_t out[TOKEN_HASH_BYTES])
{
    return hash_of(key, kind, text, LINE_BYTES, out);
}
