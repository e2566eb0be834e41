#include "scan.h"

enum {
    DEPTH_MAX = 32,
};

struct cursor {
    const uint8_t *p;
    const uint8_t *end;
};

static void
skip_blanks(struct cursor *c)
{
    while (c->p < c->end &&
           (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) {
        c->p++;
    }
}

static bool
take(struct cursor *c, uint8_t byte)
{
    skip_blanks(c);
    if (c->p >= c->end || *c->p != byte) {
        return false;
    }
    c->p++;
    return true;
}

/* A string with its quotes. */
static bool
take_string(struct cursor *c, struct span *ret)
{
    const uint8_t *start;

    skip_blanks(c);
    start = c->p;
    if (c->p >= c->end || *c->p != '"') {
        return false;
    }
    for (c->p++; c->p < c->end && *c->p != '"'; c->p++) {
        if (*c->p < 0x20) {
            return false;
        }
        if (*c->p == '\\') {
            c->p++;
        }
    }
    if (c->p >= c->end) {
        return false;
    }
    c->p++;
    *ret = span_of(start, (size_t)(c->p - start));
    return true;
}

/* A number, a word, or one byte of what stands inside brackets. */
static void
skip_scalar(struct cursor *c, size_t depth)
{
    c->p++;
    while (depth == 0 && c->p < c->end && *c->p != ',' && *c->p != '}' &&
           *c->p != ' ' && *c->p != '\n') {
        c->p++;
    }
}

/* One step through a value; false where none can be. */
static bool
skip_step(struct cursor *c, size_t *depth)
{
    struct span ignored;

    skip_blanks(c);
    if (c->p >= c->end) {
        return false;
    }
    switch (*c->p) {
    case '"':
        return take_string(c, &ignored);
    case '{':
    case '[':
        c->p++;
        return ++*depth < DEPTH_MAX;
    case '}':
    case ']':
        c->p++;
        return (*depth)-- > 0;
    case ',':
        c->p++;
        return *depth > 0;
    default:
        skip_scalar(c, *depth);
        return true;
    }
}

/* Any value: strings whole, brackets counted, scalars up to a delimiter. */
static bool
skip_value(struct cursor *c)
{
    size_t depth = 0;
    bool ok;

    do {
        ok = skip_step(c, &depth);
    } while (ok && depth > 0);
    return ok;
}

static bool
take_member(struct cursor *c, const char *name, struct span *found)
{
    struct span key = {0};
    struct span value = {0};

    if (!take_string(c, &key) || !take(c, ':')) {
        return false;
    }
    if (!span_is(span_sub(key, 1, key.len - 2), name)) {
        return skip_value(c);
    }
    if (found->ptr != NULL || !take_string(c, &value)) {
        return false;
    }
    *found = value;
    return true;
}

enum ag_err
scan_member(struct span object, const char *name, struct span *ret)
{
    struct cursor c = {.p = object.ptr, .end = object.ptr + object.len};
    struct span found = {0};
    bool more = take(&c, '{');
    bool ok = more;

    while (ok && more) {
        ok = take_member(&c, name, &found);
        more = ok && take(&c, ',');
    }
    if (!ok || !take(&c, '}')) {
        return AG_ECORRUPT;
    }
    skip_blanks(&c);
    if (c.p != c.end || found.ptr == NULL) {
        return AG_ECORRUPT;
    }
    *ret = found;
    return AG_OK;
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p. */
static bool
hex4(const uint8_t *p, const uint8_t *end, uint32_t *ret)
{
    uint32_t v = 0;

    if (end - p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0) {
            return false;
        }
        v = v << 4 | (uint32_t)d;
    }
    *ret = v;
    return true;
}

static size_t
put_utf8(uint32_t v, uint8_t *to)
{
    if (v < 0x80) {
        to[0] = (uint8_t)v;
        return 1;
    }
    if (v < 0x800) {
        to[0] = (uint8_t)(0xc0 | v >> 6);
        to[1] = (uint8_t)(0x80 | (v & 63));
        return 2;
    }
    if (v < 0x10000) {
        to[0] = (uint8_t)(0xe0 | v >> 12);
        to[1] = (uint8_t)(0x80 | (v >> 6 & 63));
        to[2] = (uint8_t)(0x80 | (v & 63));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | v >> 18);
    to[1] = (uint8_t)(0x80 | (v >> 12 & 63));
    to[2] = (uint8_t)(0x80 | (v >> 6 & 63));
    to[3] = (uint8_t)(0x80 | (v & 63));
    return 4;
}

/* The character of "uXXXX" at *p, which is left behind it. */
static bool
unicode(const uint8_t **p, const uint8_t *end, uint32_t *ret)
{
    uint32_t low = 0;

    (*p)++;
    if (!hex4(*p, end, ret)) {
        return false;
    }
    *p += 4;
    if (*ret < 0xd800 || *ret > 0xdfff) {
        return true;
    }
    if (*ret > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' ||
        !hex4(*p + 2, end, &low) || low < 0xdc00 || low > 0xdfff) {
        return false; /* half a pair */
    }
    *p += 6;
    *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

enum ag_err
scan_string(struct span raw, uint8_t *to, size_t *ret_len)
{
    static const char names[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    const uint8_t *p = raw.ptr + 1;
    const uint8_t *end = raw.ptr + raw.len - 1;
    size_t n = 0;

    if (raw.len < 2 || raw.ptr[0] != '"' || *end != '"') {
        return AG_ECORRUPT;
    }
    while (p < end) {
        uint32_t v = 0;
        size_t i;

        if (*p != '\\') {
            to[n++] = *p++;
            continue;
        }
        if (++p >= end) {
            return AG_ECORRUPT;
        }
        i = span_find(span_str(names), *p);
        if (i < sizeof(names) - 1) {
            to[n++] = (uint8_t)means[i];
            p++;
        } else if (*p == 'u' && unicode(&p, end, &v)) {
            n += put_utf8(v, to + n);
        } else {
            return AG_ECORRUPT;
        }
    }
    *ret_len = n;
    return AG_OK;
}
