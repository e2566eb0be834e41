#include "crypt/token.h"

#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"
#include "crypt/kdf.h"

enum {
    DIGITS = 43,
    CHECK_DIGITS = 6,
    CHECKED_CHARS = TOKEN_PREFIX_CHARS + DIGITS,
};

_Static_assert((int)TOKEN_HASH_BYTES == (int)KDF_HASH_BYTES, "hash differs");

static const char *const PREFIX[] = {
    [TOKEN_TASK] = "agt_",
    [TOKEN_ACCESSOR] = "aga_",
    [TOKEN_PASS] = "agx_",
};

/* CRC-32 by half bytes: the table fills one cache line, so which entry is read
 * does not show. */
static uint32_t
crc32_of(const uint8_t *bytes, size_t len)
{
    static const uint32_t TABLE[16] __attribute__((aligned(64))) = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return ~crc;
}

/* The checksum's digits for the first CHECKED_CHARS of `text`. */
static void
check_digits(const void *text, char out[CHECK_DIGITS])
{
    uint32_t crc = crc32_of(text, CHECKED_CHARS);
    uint8_t be[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16),
                     (uint8_t)(crc >> 8), (uint8_t)crc};

    AG_ASSERT(encode_base62(span_of(be, sizeof(be)), CHECK_DIGITS, out) ==
              AG_OK); /* 62^6 > 2^32 */
}

static void
put_text(enum token_kind kind, struct span raw, char out[TOKEN_CHARS])
{
    AG_ASSERT(raw.len == TOKEN_RAW_BYTES);
    memcpy(out, PREFIX[kind], TOKEN_PREFIX_CHARS);
    AG_ASSERT(encode_base62(raw, DIGITS, out + TOKEN_PREFIX_CHARS) ==
              AG_OK); /* 62^43 > 2^256 */
    check_digits(out, out + CHECKED_CHARS);
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
    check_digits(text.ptr, check);
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
token_hash(const struct secret *key, enum token_kind kind, struct span text,
           uint8_t out[TOKEN_HASH_BYTES])
{
    uint8_t data[TOKEN_PREFIX_CHARS + TOKEN_RAW_BYTES];
    enum ag_err err = token_parse(kind, text, data + TOKEN_PREFIX_CHARS);

    if (err != AG_OK) {
        return err;
    }
    memcpy(data, PREFIX[kind], TOKEN_PREFIX_CHARS);
    kdf_hash(key, span_of(data, sizeof(data)), out);
    wipe(data, sizeof(data));
    return AG_OK;
}
