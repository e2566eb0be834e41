#include "rules/example.h"

#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/parse.h"
#include "redact/rule_class.h"
#include "redact/rule_sum.h"

enum {
    DEPTH_MAX = 3, /* a fill within base64 within base64 */
    FILL_MAX_CHARS = 16 * 1024,
};

#define SECRET_OPEN  "\xc2\xab"     /* « */
#define SECRET_CLOSE "\xc2\xbb"     /* » */
#define PART_OPEN    "\xe2\x80\xb9" /* ‹ */
#define PART_CLOSE   "\xe2\x80\xba" /* › */

static const struct {
    const char *name;
    const char *class;
} CLASSES[] = {
    {"base62", "0-9A-Za-z"},
    {"base36", "0-9a-z"},
    {"base58", "1-9A-HJ-NP-Za-km-z"},
    {"base32", "A-Z2-7"},
    {"hex", "0-9a-f"},
    {"HEX", "0-9A-F"},
    {"digits", "0-9"},
    {"lower", "a-z"},
    {"upper", "A-Z"},
    {"base64", "A-Za-z0-9+/"},
    {"base64url", "A-Za-z0-9_-"},
};

struct maker {
    const struct rule_item *item;
    struct rule_example *example;
    uint64_t state; /* of the generator */
    bool in_secret;
};

/* SplitMix64 (Steele, Lea, Flood 2014): the same text on every machine. */
static uint64_t
next_random(struct maker *m)
{
    uint64_t z = m->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static enum ag_err
fill(struct maker *m, struct span name, size_t count, struct buf *out)
{
    uint8_t chars[256];
    size_t char_count = 0;
    struct rule_class class;
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i < AG_COUNT(CLASSES); i++) {
        if (span_is(name, CLASSES[i].name)) {
            name = span_str(CLASSES[i].class);
            break;
        }
    }
    err = rule_class_parse(name, &class);
    for (i = 0; err == AG_OK && i < 256; i++) {
        if (rule_class_has(&class, (uint8_t)i)) {
            chars[char_count++] = (uint8_t)i;
        }
    }
    for (i = 0; err == AG_OK && i < count; i++) {
        err = buf_add_byte(out, chars[next_random(m) % char_count]);
    }
    return err;
}

static enum ag_err make(struct maker *m, struct span text, int depth,
                        struct buf *out);

static enum ag_err
add_base64(struct maker *m, struct span text, int depth, bool is_url,
           struct buf *out)
{
    AG_AUTO(buf) struct buf plain = {0};
    const int variant = is_url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING
                               : sodium_base64_VARIANT_ORIGINAL;
    size_t len;
    uint8_t *room = NULL;
    enum ag_err err;

    buf_init(&plain, RULE_EXAMPLE_MAX_BYTES, BUF_PLAIN);
    err = make(m, text, depth + 1, &plain);
    len = sodium_base64_encoded_len(plain.len, variant);
    if (err == AG_OK) {
        err = buf_room(out, len, &room);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)sodium_bin2base64((char *)room, len, plain.ptr, plain.len, variant);
    buf_grew(out, len - 1); /* it counts a NUL */
    return AG_OK;
}

static enum ag_err
add_part(struct maker *m, struct span part, int depth, struct buf *out)
{
    size_t colon = part.len;
    uint64_t count = 0;

    if (span_is(part, "sum")) {
        size_t i = m->example->secret_count;

        if (depth > 0 || !m->in_secret) {
            return err_why(AG_EINVAL, "‹sum› stands outside of «…»");
        }
        return rule_sum_add((enum rule_sum)m->item->checksum, out,
                            m->example->secrets[i].from);
    }
    if (span_starts(part, span_str("b64:"))) {
        return add_base64(m, span_sub(part, 4, part.len), depth, false, out);
    }
    if (span_starts(part, span_str("b64url:"))) {
        return add_base64(m, span_sub(part, 7, part.len), depth, true, out);
    }
    while (colon > 0 && part.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2 || parse_u64(span_sub(part, colon, part.len), FILL_MAX_CHARS,
                               &count) != AG_OK) {
        return err_why(AG_EINVAL,
                       "‹%.*s› is none of ‹CLASS:N›, ‹sum›, "
                       "‹b64:…›, ‹b64url:…›",
                       (int)(part.len < 40 ? part.len : 40),
                       (const char *)part.ptr);
    }
    return fill(m, span_sub(part, 0, colon - 1), count, out);
}

/* The length of the part at the start of `text`, its marks included; 0: it has
 * no end. */
static size_t
part_len(struct span text)
{
    size_t depth = 0;

    for (size_t at = 0; at < text.len; at++) {
        struct span rest = span_sub(text, at, text.len);

        if (span_starts(rest, span_str(PART_OPEN))) {
            depth++;
        } else if (span_starts(rest, span_str(PART_CLOSE)) && --depth == 0) {
            return at + strlen(PART_CLOSE);
        }
    }
    return 0;
}

static enum ag_err
turn_secret(struct maker *m, bool opens, int depth, const struct buf *out)
{
    struct rule_example *e = m->example;

    if (depth > 0 || opens == m->in_secret) {
        return err_why(AG_EINVAL, "« and » don't come in turn");
    }
    if (e->secret_count == RULE_EXAMPLE_SECRETS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d secrets in one example",
                       (int)RULE_EXAMPLE_SECRETS_MAX_COUNT);
    }
    m->in_secret = opens;
    if (opens) {
        e->secrets[e->secret_count].from = out->len;
    } else {
        e->secrets[e->secret_count++].to = out->len;
    }
    return AG_OK;
}

/* One step: a mark, a part, or a byte. */
static enum ag_err
step(struct maker *m, struct span *rest, int depth, struct buf *out)
{
    size_t len = 1;
    enum ag_err err;

    if (span_starts(*rest, span_str(SECRET_OPEN)) ||
        span_starts(*rest, span_str(SECRET_CLOSE))) {
        len = strlen(SECRET_OPEN);
        err = turn_secret(m, span_starts(*rest, span_str(SECRET_OPEN)), depth,
                          out);
    } else if (span_starts(*rest, span_str(PART_OPEN))) {
        const size_t mark = strlen(PART_OPEN);

        len = part_len(*rest);
        err = len == 0 ? err_why(AG_EINVAL, "‹ has no ›")
                       : add_part(m, span_sub(*rest, mark, len - 2 * mark),
                                  depth, out);
    } else {
        err = buf_add_byte(out, rest->ptr[0]);
    }
    *rest = span_sub(*rest, len, rest->len);
    return err;
}

static enum ag_err
make(struct maker *m, struct span text, int depth, struct buf *out)
{
    enum ag_err err = AG_OK;

    if (depth > DEPTH_MAX) {
        return err_why(AG_ELIMIT, "parts within parts, deeper than %d",
                       (int)DEPTH_MAX);
    }
    while (err == AG_OK && text.len > 0) {
        err = step(m, &text, depth, out);
    }
    return err;
}

enum ag_err
rule_example_make(const struct rule_item *item, const char *text, uint64_t seed,
                  struct rule_example *ret)
{
    struct maker m = {.item = item, .example = ret, .state = seed};
    enum ag_err err;

    ret->secret_count = 0;
    buf_init(&ret->text, RULE_EXAMPLE_MAX_BYTES, BUF_PLAIN);
    for (const char *c = item->id; *c != '\0'; c++) {
        m.state = (m.state ^ (uint8_t)*c) * 0x100000001b3; /* FNV-1a */
    }
    err = make(&m, span_str(text), 0, &ret->text);
    if (err == AG_OK && m.in_secret) {
        err = err_why(AG_EINVAL, "« has no »");
    }
    return err;
}

void
rule_example_done(struct rule_example *e)
{
    buf_done(&e->text);
}
