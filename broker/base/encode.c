#include "base/encode.h"

#include <string.h>

#include <sodium.h>

#include "base/secret.h"

enum {
    BASE62_MAX_BYTES = 64, /* numbers: tokens are 32 bytes */
    LIMB_COUNT = BASE62_MAX_BYTES / 4,
    GROUP_DIGITS = 5, /* 62^5 fits a 32-bit limb */
    GROUP_BASE = 62 * 62 * 62 * 62 * 62,
    NOT_A_DIGIT = 0xff,
};

enum ag_err
encode_hex(struct span in, struct buf *out)
{
    size_t len;
    uint8_t *to;
    enum ag_err err;

    if (__builtin_mul_overflow(in.len, (size_t)2, &len)) {
        return AG_ELIMIT;
    }
    err = buf_room(out, len, &to);
    if (err != AG_OK) {
        return err;
    }
    (void)sodium_bin2hex((char *)to, len + 1, in.ptr, in.len);
    buf_grew(out, len);
    return AG_OK;
}

enum ag_err
encode_base64(struct span in, struct buf *out)
{
    size_t len;
    uint8_t *to;
    enum ag_err err;

    if (in.len > SIZE_MAX / 2) {
        return AG_ELIMIT;
    }
    len = sodium_base64_encoded_len(in.len, sodium_base64_VARIANT_ORIGINAL) - 1;
    err = buf_room(out, len, &to);
    if (err != AG_OK) {
        return err;
    }
    (void)sodium_bin2base64((char *)to, len + 1, in.ptr, in.len,
                            sodium_base64_VARIANT_ORIGINAL);
    buf_grew(out, len);
    return AG_OK;
}

/* 0xff if a <= x <= b, else 0, for values below 256, without a branch. */
static uint32_t
between(uint32_t x, uint32_t a, uint32_t b)
{
    return (((a - 1 - x) & (x - b - 1)) >> 8) & 0xff;
}

/* Ours, since libsodium 1.0.18 takes bytes from 0x80 for letters where char is
 * signed. NOT_A_DIGIT for what is not in the alphabet. */
static uint32_t
base64_value(uint8_t c)
{
    uint32_t upper = between(c, 'A', 'Z');
    uint32_t lower = between(c, 'a', 'z');
    uint32_t digit = between(c, '0', '9');
    uint32_t plus = between(c, '+', '+');
    uint32_t slash = between(c, '/', '/');
    uint32_t value =
        (upper & ((uint32_t)c - 'A')) | (lower & ((uint32_t)c - 'a' + 26)) |
        (digit & ((uint32_t)c - '0' + 52)) | (plus & 62) | (slash & 63);

    return value |
           (~(upper | lower | digit | plus | slash) & (uint32_t)NOT_A_DIGIT);
}

/* Four digits, the last `padding` of which are '='; 0 when all is well. */
static uint32_t
base64_group(const uint8_t in[4], size_t padding, uint8_t *out)
{
    uint32_t group = 0;
    uint32_t bad = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? base64_value(in[i]) : 0;

        bad |= between(value, 64, 255);
        group = group << 6 | (value & 63);
    }
    for (size_t i = 0; i < 3; i++) {
        uint8_t byte = (uint8_t)(group >> (16 - 8 * i));

        if (i < 3 - padding) {
            out[i] = byte;
        } else {
            bad |= byte; /* bits left over must be zero */
        }
    }
    return bad;
}

enum ag_err
decode_base64_secret(struct span in, struct secret **ret)
{
    AG_AUTO(secret) struct secret *s = NULL;
    size_t padding = 0;
    uint32_t bad = 0;
    enum ag_err err;

    if (in.len % 4 != 0) {
        return err_why(AG_EINVAL, "base64: the length is not a multiple of 4");
    }
    while (padding < 2 && padding < in.len &&
           in.ptr[in.len - 1 - padding] == '=') {
        padding++;
    }
    err = secret_new(in.len / 4 * 3 - padding, &s);
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < in.len; i += 4) {
        bad |= base64_group(in.ptr + i, i + 4 == in.len ? padding : 0,
                            secret_bytes(s) + i / 4 * 3);
    }
    if (bad != 0) {
        return err_why(AG_EINVAL, "base64: a character or the padding is not "
                                  "right");
    }
    *ret = AG_TAKE(s);
    return AG_OK;
}

/* No table: which entry is read would show in the cache. */
static char
base62_char(uint32_t v)
{
    return (char)((between(v, 0, 9) & (v + '0')) |
                  (between(v, 10, 35) & (v - 10 + 'A')) |
                  (between(v, 36, 61) & (v - 36 + 'a')));
}

static uint32_t
base62_value(uint8_t c)
{
    uint32_t digit = between(c, '0', '9');
    uint32_t upper = between(c, 'A', 'Z');
    uint32_t lower = between(c, 'a', 'z');
    uint32_t value = (digit & ((uint32_t)c - '0')) |
                     (upper & ((uint32_t)c - 'A' + 10)) |
                     (lower & ((uint32_t)c - 'a' + 36));

    return value | (~(digit | upper | lower) & NOT_A_DIGIT);
}

/* Big-endian bytes to little-endian limbs. */
static void
limbs_load(uint32_t limbs[LIMB_COUNT], struct span in)
{
    memset(limbs, 0, LIMB_COUNT * sizeof(limbs[0]));
    for (size_t i = 0; i < in.len; i++) {
        limbs[i / 4] |= (uint32_t)in.ptr[in.len - 1 - i] << (8 * (i % 4));
    }
}

static uint32_t
limbs_divide(uint32_t *limbs, size_t count, uint32_t by)
{
    uint64_t rest = 0;

    for (size_t i = count; i-- > 0;) {
        uint64_t part = rest << 32 | limbs[i];

        limbs[i] = (uint32_t)(part / by);
        rest = part % by;
    }
    return (uint32_t)rest;
}

static uint32_t
limbs_all(const uint32_t *limbs, size_t count)
{
    uint32_t all = 0;

    for (size_t i = 0; i < count; i++) {
        all |= limbs[i];
    }
    return all;
}

enum ag_err
encode_base62(struct span in, size_t digits, char *out)
{
    uint32_t limbs[LIMB_COUNT];
    size_t count = (in.len + 3) / 4;
    size_t at = digits;
    uint32_t left;

    if (in.len > BASE62_MAX_BYTES) {
        return AG_EINVAL;
    }
    limbs_load(limbs, in);
    while (at > 0) {
        size_t n = at < GROUP_DIGITS ? at : GROUP_DIGITS;
        uint32_t group = 0;

        if (n == GROUP_DIGITS) {
            group = limbs_divide(limbs, count, GROUP_BASE);
        }
        for (size_t i = 0; i < n; i++) {
            uint32_t digit =
                n == GROUP_DIGITS ? group % 62 : limbs_divide(limbs, count, 62);

            group /= 62;
            out[--at] = base62_char(digit);
        }
    }
    left = limbs_all(limbs, count);
    wipe(limbs, sizeof(limbs));
    return left == 0 ? AG_OK : AG_EINVAL;
}

/* limbs = limbs * by + plus; what does not fit is returned. */
static uint32_t
limbs_multiply(uint32_t *limbs, size_t count, uint32_t by, uint32_t plus)
{
    uint64_t carry = plus;

    for (size_t i = 0; i < count; i++) {
        carry += (uint64_t)limbs[i] * by;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return (uint32_t)carry;
}

enum ag_err
decode_base62(struct span in, uint8_t *out, size_t out_len)
{
    uint32_t limbs[LIMB_COUNT] = {0};
    size_t count = (out_len + 3) / 4;
    uint32_t bad = 0;
    size_t at = 0;

    if (out_len > BASE62_MAX_BYTES) {
        return AG_EINVAL;
    }
    while (at < in.len) {
        size_t left = (in.len - at) % GROUP_DIGITS;
        size_t n = left == 0 ? GROUP_DIGITS : left; /* the odd group first */
        uint32_t base = 1;
        uint32_t group = 0;

        for (size_t i = 0; i < n; i++) {
            uint32_t value = base62_value(in.ptr[at++]);

            bad |= between(value, 62, 255);
            group = group * 62 + (value & 63);
            base *= 62;
        }
        bad |= limbs_multiply(limbs, count, base, group);
    }
    bad |= out_len % 4 == 0 ? 0 : limbs[count - 1] >> (8 * (out_len % 4));
    for (size_t i = 0; i < out_len && bad == 0; i++) {
        out[out_len - 1 - i] = (uint8_t)(limbs[i / 4] >> (8 * (i % 4)));
    }
    wipe(limbs, sizeof(limbs));
    return bad == 0 ? AG_OK : AG_EINVAL;
}

/* CRC-32 by half bytes: the table fills one cache line, so which entry is read
 * does not show. */
static uint32_t
crc32_of(struct span in)
{
    static const uint32_t TABLE[16] __attribute__((aligned(64))) = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < in.len; i++) {
        crc ^= in.ptr[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return ~crc;
}

void
encode_checksum(struct span in, char out[ENCODE_CHECKSUM_CHARS])
{
    uint32_t crc = crc32_of(in);
    uint8_t be[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16),
                     (uint8_t)(crc >> 8), (uint8_t)crc};

    AG_ASSERT(encode_base62(span_of(be, sizeof(be)), ENCODE_CHECKSUM_CHARS,
                            out) == AG_OK);
}

/* Crockford's: no I, L, O, U. */
static const char BASE32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum ag_err
encode_base32_secret(struct span in, struct secret **ret)
{
    struct secret *text;
    uint32_t acc = 0;
    unsigned bits = 0;
    uint8_t *to;
    enum ag_err err;

    if (in.len > SECRET_MAX_BYTES / 2) {
        return AG_ELIMIT;
    }
    err = secret_new((in.len * 8 + 4) / 5, &text);
    if (err != AG_OK) {
        return err;
    }
    to = secret_bytes(text);
    for (size_t i = 0; i < in.len; i++) {
        acc = (acc << 8 | in.ptr[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5) {
            *to++ = (uint8_t)BASE32[acc >> (bits - 5) & 31];
        }
    }
    if (bits > 0) {
        *to = (uint8_t)BASE32[acc << (5 - bits) & 31];
    }
    wipe(&acc, sizeof(acc));
    *ret = text;
    return AG_OK;
}

/* As people type it: either case, O for 0, I and L for 1. */
static uint32_t
base32_value(uint8_t c)
{
    uint8_t upper = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    const char *at;

    if (upper == 'O') {
        return 0;
    }
    if (upper == 'I' || upper == 'L') {
        return 1;
    }
    at = upper == 0 ? NULL : strchr(BASE32, upper);
    return at == NULL ? NOT_A_DIGIT : (uint32_t)(at - BASE32);
}

enum ag_err
decode_base32_secret(struct span in, struct secret **ret)
{
    AG_AUTO(secret) struct secret *s = NULL;
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t len = 0;
    enum ag_err err;

    if (in.len > SECRET_MAX_BYTES) {
        return AG_ELIMIT;
    }
    err = secret_new(in.len * 5 / 8, &s);
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < in.len; i++) {
        uint32_t value = base32_value(in.ptr[i]);

        if (value == NOT_A_DIGIT) {
            return err_why(AG_EINVAL,
                           "base32: character %zu is not one of the "
                           "alphabet",
                           i + 1);
        }
        acc = (acc << 5 | value) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            secret_bytes(s)[len++] = (uint8_t)(acc >> bits);
        }
    }
    if (bits >= 5 || (acc & ((1U << bits) - 1)) != 0) {
        return err_why(AG_EINVAL, "base32: the end is not right");
    }
    wipe(&acc, sizeof(acc));
    *ret = AG_TAKE(s);
    return AG_OK;
}
