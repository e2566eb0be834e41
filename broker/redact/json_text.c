#include "redact/json_text.h"

enum {
    UTF8_MAX_BYTES = 4,
    ESCAPE_BYTES = 4, /* digits behind \u */
    HIGH_FIRST = 0xd800,
    LOW_FIRST = 0xdc00,
    SURROGATES_END = 0xe000,
};

static const char DIGITS[] = "0123456789abcdef";

static uint32_t
hex_of(const uint8_t *digits)
{
    uint32_t value = 0;

    for (size_t i = 0; i < ESCAPE_BYTES; i++) {
        uint8_t c = digits[i];

        value =
            value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static size_t
put_utf8(uint32_t c, uint8_t out[UTF8_MAX_BYTES])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* An escape, from its backslash on; returns its length. */
static size_t
decode_escape(struct span raw, uint8_t *out, size_t *ret_len)
{
    static const char NAMES[] = "bfnrt";
    static const char BYTES[] = "\b\f\n\r\t";
    const char *name = strchr(NAMES, raw.ptr[1]);
    uint32_t c;
    uint32_t low = 0;

    if (raw.ptr[1] != 'u') {
        out[0] = name == NULL ? raw.ptr[1] : (uint8_t)BYTES[name - NAMES];
        *ret_len = 1;
        return 2;
    }
    c = hex_of(raw.ptr + 2);
    if (c >= HIGH_FIRST && c < LOW_FIRST && raw.len >= 12 &&
        raw.ptr[6] == '\\' && raw.ptr[7] == 'u') {
        low = hex_of(raw.ptr + 8);
    }
    if (low >= LOW_FIRST && low < SURROGATES_END) {
        c = 0x10000 + ((c - HIGH_FIRST) << 10) + (low - LOW_FIRST);
        *ret_len = put_utf8(c, out);
        return 12;
    }
    *ret_len = put_utf8(c, out);
    return 6;
}

enum ag_err
json_text_decode(struct span raw, struct buf *out)
{
    uint8_t *room = NULL;
    size_t len = 0;
    enum ag_err err;

    if (raw.len == 0) {
        return AG_OK;
    }
    err =
        buf_room(out, raw.len, &room); /* no escape is shorter than its text */
    if (err != AG_OK) {
        return err;
    }
    while (raw.len > 0) {
        size_t plain = span_find(raw, '\\');

        memcpy(room + len, raw.ptr, plain);
        len += plain;
        raw = span_sub(raw, plain, raw.len);
        if (raw.len > 0) {
            size_t text_len = 0;
            size_t taken = decode_escape(raw, room + len, &text_len);

            len += text_len;
            raw = span_sub(raw, taken, raw.len);
        }
    }
    buf_grew(out, len);
    return AG_OK;
}

/* ---- back ---- */

static bool
is_surrogate(struct span text)
{
    return text.len >= 3 && text.ptr[0] == 0xed && text.ptr[1] >= 0xa0 &&
           text.ptr[1] < 0xc0 && text.ptr[2] >= 0x80 && text.ptr[2] < 0xc0;
}

static bool
is_plain(struct span text)
{
    uint8_t c = text.ptr[0];

    return c >= 0x20 && c != '"' && c != '\\' && !is_surrogate(text);
}

static enum ag_err
encode_one(struct span text, struct buf *out, size_t *ret_taken)
{
    static const char BYTES[] = "\b\f\n\r\t\"\\";
    static const char NAMES[] = "bfnrt\"\\";
    uint8_t c = text.ptr[0];
    const char *known = c == 0 ? NULL : strchr(BYTES, c);
    uint8_t escape[6] = {'\\', 'u', '0', '0', 0, 0};
    uint32_t code = c;

    *ret_taken = 1;
    if (known != NULL) {
        escape[1] = (uint8_t)NAMES[known - BYTES];
        return buf_add(out, span_of(escape, 2));
    }
    if (c >= 0x80) {
        code = (uint32_t)(c & 0x0f) << 12 |
               (uint32_t)(text.ptr[1] & 0x3f) << 6 | (text.ptr[2] & 0x3f);
        *ret_taken = 3;
    }
    for (size_t i = 0; i < ESCAPE_BYTES; i++) {
        escape[5 - i] = (uint8_t)DIGITS[code >> (4 * i) & 0xf];
    }
    return buf_add(out, span_of(escape, sizeof(escape)));
}

enum ag_err
json_text_encode(struct span text, struct buf *out)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && text.len > 0) {
        size_t plain = 0;
        size_t taken = 0;

        while (plain < text.len && is_plain(span_sub(text, plain, text.len))) {
            plain++;
        }
        err = buf_add(out, span_sub(text, 0, plain));
        text = span_sub(text, plain, text.len);
        if (err == AG_OK && text.len > 0) {
            err = encode_one(text, out, &taken);
            text = span_sub(text, taken, text.len);
        }
    }
    return err;
}
