#include <string.h>

#include "base/secret.h"
#include "profile/leaf.h"

/* No spelling makes text longer than it was written, so each decoder writes
 * into a secret of the raw length and the rest is cut off. */
struct decode {
    struct span in;
    size_t at;
    uint8_t *out;
    size_t len;
};

typedef enum ag_err (*decode_fn)(struct decode *d);

static void
put(struct decode *d, uint8_t byte)
{
    d->out[d->len++] = byte;
}

static enum ag_err
bad_escape(void)
{
    return err_why(AG_EINVAL, "malformed escape in a value");
}

static void
put_utf8(struct decode *d, uint32_t c)
{
    if (c < 0x80) {
        put(d, (uint8_t)c);
    } else if (c < 0x800) {
        put(d, (uint8_t)(0xc0 | (c >> 6)));
        put(d, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        put(d, (uint8_t)(0xe0 | (c >> 12)));
        put(d, (uint8_t)(0x80 | ((c >> 6) & 0x3f)));
        put(d, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        put(d, (uint8_t)(0xf0 | (c >> 18)));
        put(d, (uint8_t)(0x80 | ((c >> 12) & 0x3f)));
        put(d, (uint8_t)(0x80 | ((c >> 6) & 0x3f)));
        put(d, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

static bool
hex_digit(uint8_t c, uint32_t *ret)
{
    static const char DIGITS[] = "0123456789abcdef";
    const char *p =
        memchr(DIGITS, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c, 16);

    if (p == NULL) {
        return false;
    }
    *ret = (uint32_t)(p - DIGITS);
    return true;
}

/* `count` hex digits at d->at. */
static bool
take_hex(struct decode *d, size_t count, uint32_t *ret)
{
    uint32_t value = 0;

    if (d->in.len - d->at < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t digit = 0;

        if (!hex_digit(d->in.ptr[d->at + i], &digit)) {
            return false;
        }
        value = value << 4 | digit;
    }
    d->at += count;
    *ret = value;
    return true;
}

/* Behind `\u`: one code point, of two escapes when it is a surrogate pair. */
static enum ag_err
take_unicode(struct decode *d)
{
    uint32_t high = 0;
    uint32_t low = 0;

    if (!take_hex(d, 4, &high) || (high >= 0xdc00 && high < 0xe000)) {
        return bad_escape();
    }
    if (high >= 0xd800 && high < 0xdc00) {
        if (d->in.len - d->at < 6 || d->in.ptr[d->at] != '\\' ||
            d->in.ptr[d->at + 1] != 'u') {
            return bad_escape();
        }
        d->at += 2;
        if (!take_hex(d, 4, &low) || low < 0xdc00 || low >= 0xe000) {
            return bad_escape();
        }
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(d, high);
    return AG_OK;
}

/* JSON's escapes and those that YAML and TOML add to them. */
static enum ag_err
decode_json(struct decode *d)
{
    static const char NAMES[] = "\"\\/bfnrt0ae";
    static const char BYTES[] = "\"\\/\b\f\n\r\t\0\a\033";
    enum ag_err err = AG_OK;

    while (err == AG_OK && d->at < d->in.len) {
        uint8_t c = d->in.ptr[d->at++];
        const char *name;
        uint32_t value = 0;

        if (c != '\\') {
            put(d, c);
            continue;
        }
        if (d->at == d->in.len) {
            return bad_escape();
        }
        c = d->in.ptr[d->at++];
        name = memchr(NAMES, c, sizeof(NAMES) - 1);
        if (name != NULL) {
            put(d, (uint8_t)BYTES[name - NAMES]);
        } else if (c == 'u') {
            err = take_unicode(d);
        } else if ((c == 'x' && take_hex(d, 2, &value)) ||
                   (c == 'U' && take_hex(d, 8, &value) && value < 0x110000)) {
            put_utf8(d, value);
        } else {
            err = bad_escape();
        }
    }
    return err;
}

static enum ag_err
decode_plain(struct decode *d)
{
    if (d->in.len > 0) {
        memcpy(d->out, d->in.ptr, d->in.len);
    }
    d->len = d->in.len;
    return AG_OK;
}

static enum ag_err
decode_yaml_sq(struct decode *d)
{
    while (d->at < d->in.len) {
        uint8_t c = d->in.ptr[d->at++];

        put(d, c);
        if (c == '\'' && d->at < d->in.len && d->in.ptr[d->at] == '\'') {
            d->at++;
        }
    }
    return AG_OK;
}

static enum ag_err
decode_shell(struct decode *d)
{
    while (d->at < d->in.len) {
        uint8_t c = d->in.ptr[d->at++];

        if (c == '\\' && d->at < d->in.len) {
            uint8_t next = d->in.ptr[d->at++];
            const char *known = memchr("ntr", next, 3);

            if (known != NULL) {
                put(d, next == 'n' ? '\n' : next == 't' ? '\t' : '\r');
                continue;
            }
            if (memchr("\"\\$`'\n", next, 6) == NULL) {
                put(d, '\\');
            }
            put(d, next);
            continue;
        }
        put(d, c);
    }
    return AG_OK;
}

static enum ag_err
decode_backslash(struct decode *d)
{
    while (d->at < d->in.len) {
        if (d->in.ptr[d->at] == '\\' && d->at + 1 < d->in.len) {
            d->at++;
        }
        put(d, d->in.ptr[d->at++]);
    }
    return AG_OK;
}

static enum ag_err
decode_percent(struct decode *d)
{
    while (d->at < d->in.len) {
        uint8_t c = d->in.ptr[d->at++];
        uint32_t value = 0;

        if (c == '%' && take_hex(d, 2, &value)) {
            c = (uint8_t)value;
        }
        put(d, c);
    }
    return AG_OK;
}

static const decode_fn DECODERS[] = {
    [SPELL_PLAIN] = decode_plain,
    [SPELL_JSON] = decode_json,
    [SPELL_YAML_SQ] = decode_yaml_sq,
    [SPELL_SHELL] = decode_shell,
    [SPELL_BACKSLASH] = decode_backslash,
    [SPELL_PERCENT] = decode_percent,
    [SPELL_BLOCK] = NULL,
};

static void
decode_block(struct decode *d, size_t indent)
{
    while (d->at < d->in.len) {
        size_t cut = 0;

        while (cut < indent && d->at < d->in.len && d->in.ptr[d->at] == ' ') {
            d->at++;
            cut++;
        }
        while (d->at < d->in.len) {
            uint8_t c = d->in.ptr[d->at++];

            if (c != '\r') {
                put(d, c);
            }
            if (c == '\n') {
                break;
            }
        }
    }
    while (d->len > 0 && d->out[d->len - 1] == '\n') {
        d->len--;
    }
}

enum ag_err
leaf_value(const struct leaf *leaf, struct secret **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct decode d = {.in = leaf->raw};
    enum ag_err err = secret_new(leaf->raw.len, &value);

    if (err != AG_OK) {
        return err;
    }
    d.out = secret_bytes(value);
    if (leaf->spelling == SPELL_BLOCK) {
        decode_block(&d, leaf->indent);
    } else {
        err = DECODERS[leaf->spelling](&d);
    }
    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(d.len <= leaf->raw.len);
    secret_shrink(value, d.len);
    *ret = AG_TAKE(value);
    return AG_OK;
}
