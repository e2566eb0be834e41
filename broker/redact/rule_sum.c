#include "redact/rule_sum.h"

#include <string.h>

#include <sodium.h>

#include "base/encode.h"

enum {
    DECODED_MAX_BYTES = 512, /* a JWT's head; a name and a password */
    AWS_PREFIX_BYTES = 4,
    AWS_ACCOUNT_CHARS = 9, /* base32 of the 45 bits that hold the account */
};

const char *const RULE_SUM_NAMES[] = {"none",       "crc32-base62", "jwt",
                                      "aws-key-id", "basic",        NULL};

static bool
holds_crc32(struct span secret)
{
    size_t from = span_find(secret, '_') + 1;
    char sum[ENCODE_CHECKSUM_CHARS];
    struct span body;

    if (from + ENCODE_CHECKSUM_CHARS >= secret.len) {
        return false;
    }
    body = span_sub(secret, from, secret.len - from - sizeof(sum));
    encode_checksum(body, sum);
    return span_equal(span_of(sum, sizeof(sum)),
                      span_sub(secret, secret.len - sizeof(sum), sizeof(sum)));
}

static bool
decode(struct span text, int variant, uint8_t out[DECODED_MAX_BYTES],
       size_t *ret_len)
{
    return sodium_base642bin(out, DECODED_MAX_BYTES, (const char *)text.ptr,
                             text.len, NULL, ret_len, NULL, variant) == 0;
}

static bool
contains(struct span text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word));
}

static bool
holds_jwt(struct span secret)
{
    uint8_t head[DECODED_MAX_BYTES];
    size_t len = 0;
    struct span first = span_sub(secret, 0, span_find(secret, '.'));
    bool holds =
        decode(first, sodium_base64_VARIANT_URLSAFE_NO_PADDING, head, &len) &&
        len > 2 && head[0] == '{' && head[len - 1] == '}' &&
        contains(span_of(head, len), "\"alg\"");

    sodium_memzero(head, sizeof(head));
    return holds;
}

/* 5 bits a character, high first; the account is 40 bits behind the first. */
static bool
holds_aws(struct span secret)
{
    uint64_t bits = 0;

    if (secret.len < AWS_PREFIX_BYTES + AWS_ACCOUNT_CHARS) {
        return false;
    }
    for (size_t i = 0; i < AWS_ACCOUNT_CHARS; i++) {
        uint8_t c = secret.ptr[AWS_PREFIX_BYTES + i];

        if (c >= 'A' && c <= 'Z') {
            bits = bits << 5 | (uint64_t)(c - 'A');
        } else if (c >= '2' && c <= '7') {
            bits = bits << 5 | (uint64_t)(c - '2' + 26);
        } else {
            return false;
        }
    }
    /* 45 bits read: one of the kind, 40 of the account, 4 of what follows. */
    return (bits >> 4 & 0xffffffffff) < 1000000000000;
}

static bool
holds_basic(struct span secret)
{
    uint8_t text[DECODED_MAX_BYTES];
    size_t len = 0;
    bool holds =
        decode(secret, sodium_base64_VARIANT_ORIGINAL, text, &len) ||
        decode(secret, sodium_base64_VARIANT_ORIGINAL_NO_PADDING, text, &len);
    struct span plain = span_of(text, holds ? len : 0);

    holds = span_find(plain, ':') + 1 < plain.len;
    for (size_t i = 0; holds && i < plain.len; i++) {
        holds = plain.ptr[i] >= 0x20 && plain.ptr[i] < 0x7f;
    }
    sodium_memzero(text, sizeof(text));
    return holds;
}

bool
rule_sum_holds(enum rule_sum sum, struct span secret)
{
    switch (sum) {
    case RULE_SUM_NONE:
        return false;
    case RULE_SUM_CRC32_BASE62:
        return holds_crc32(secret);
    case RULE_SUM_JWT:
        return holds_jwt(secret);
    case RULE_SUM_AWS_KEY_ID:
        return holds_aws(secret);
    case RULE_SUM_BASIC:
        return holds_basic(secret);
    }
    return false;
}

enum ag_err
rule_sum_add(enum rule_sum sum, struct buf *out, size_t from)
{
    struct span secret = span_sub(buf_view(out), from, out->len);
    char text[ENCODE_CHECKSUM_CHARS];

    if (sum != RULE_SUM_CRC32_BASE62) {
        return err_why(AG_EUNSUPPORTED, "no checksum can be computed for %s",
                       RULE_SUM_NAMES[sum]);
    }
    encode_checksum(span_sub(secret, span_find(secret, '_') + 1, secret.len),
                    text);
    return buf_add(out, span_of(text, sizeof(text)));
}
