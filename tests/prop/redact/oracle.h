/*
 * oracle.h - what the filter should put out, found the slow way: every form of
 * every value written out whole and sought at every place of the whole text.
 * Shares no code with broker/redact but the judgement of strength.
 */
#ifndef AG_TESTS_REDACT_ORACLE_H
#define AG_TESTS_REDACT_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/parse.h"
#include "redact/strength.h"

enum {
    ORACLE_FORMS_MAX = 1 << 16,
};

struct bytes {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

struct oracle_form {
    struct bytes text;
    const char *name;
    bool is_weak;
};

struct oracle {
    struct oracle_form *forms;
    size_t count;
};

static inline void
bytes_add(struct bytes *b, const void *ptr, size_t len)
{
    if (b->ptr == NULL || b->len + len > b->cap) {
        b->cap = (b->len + len) * 2 + 64;
        b->ptr = realloc(b->ptr, b->cap);
        if (b->ptr == NULL) {
            abort();
        }
    }
    if (len > 0) {
        memcpy(b->ptr + b->len, ptr, len);
    }
    b->len += len;
}

static inline void
bytes_str(struct bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

static inline void
bytes_done(struct bytes *b)
{
    free(b->ptr);
    *b = (struct bytes){NULL, 0, 0};
}

/* ---- the forms, each as a function from text to text ---- */

enum {
    O_SLASH = 1,
    O_ASCII = 2,
    O_UPPER = 4,
    O_HTML = 8,
};

static inline size_t
oracle_utf8(const uint8_t *p, size_t len, uint32_t *ret)
{
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;
    size_t i;

    if (n == 1 || n > len || !parse_is_utf8(span_of(p, n))) {
        *ret = p[0];
        return 1;
    }
    *ret = p[0] & (0xffU >> (n + 1));
    for (i = 1; i < n; i++) {
        *ret = *ret << 6 | (p[i] & 63U);
    }
    return n;
}

static inline struct bytes
oracle_json(struct bytes in, int how)
{
    struct bytes out = {NULL, 0, 0};
    size_t i = 0;

    while (i < in.len) {
        uint32_t c;
        size_t used = oracle_utf8(in.ptr + i, in.len - i, &c);
        char u[16];

        if (c == '"' || c == '\\' || (c == '/' && (how & O_SLASH) != 0)) {
            bytes_str(&out, "\\");
            bytes_add(&out, in.ptr + i, 1);
        } else if (c == '\n') {
            bytes_str(&out, "\\n");
        } else if (c == '\r') {
            bytes_str(&out, "\\r");
        } else if (c == '\t') {
            bytes_str(&out, "\\t");
        } else if (c == '\b') {
            bytes_str(&out, "\\b");
        } else if (c == '\f') {
            bytes_str(&out, "\\f");
        } else if (c < 0x20 || (c > 0x7f && (how & O_ASCII) != 0) ||
                   ((c == '<' || c == '>' || c == '&') &&
                    (how & O_HTML) != 0)) {
            uint32_t d = c;

            if (c > 0xffff) {
                d = 0xd800 + ((c - 0x10000) >> 10);
                snprintf(u, sizeof(u),
                         (how & O_UPPER) != 0 ? "\\u%04X" : "\\u%04x", d);
                bytes_str(&out, u);
                d = 0xdc00 + ((c - 0x10000) & 0x3ff);
            }
            snprintf(u, sizeof(u), (how & O_UPPER) != 0 ? "\\u%04X" : "\\u%04x",
                     d);
            bytes_str(&out, u);
        } else {
            bytes_add(&out, in.ptr + i, used);
        }
        i += used;
    }
    return out;
}

static inline struct bytes
oracle_map(struct bytes in, const char *keep, const char *fmt,
           const char *blank)
{
    struct bytes out = {NULL, 0, 0};
    size_t i;

    for (i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        char text[16];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (c != 0 && strchr(keep, c) != NULL)) {
            bytes_add(&out, &c, 1);
        } else if (c == ' ' && blank != NULL) {
            bytes_str(&out, blank);
        } else {
            snprintf(text, sizeof(text), fmt[1] == 'X' ? "%%%02X" : "%%%02x",
                     c);
            bytes_str(&out, text);
        }
    }
    return out;
}

/* swaps: pairs of from and to, ended by NULL. */
static inline struct bytes
oracle_swap(struct bytes in, const char *const *swaps)
{
    struct bytes out = {NULL, 0, 0};
    size_t i = 0;

    while (i < in.len) {
        size_t k;

        for (k = 0; swaps[k] != NULL; k += 2) {
            size_t len = strlen(swaps[k]);

            if (i + len <= in.len && memcmp(in.ptr + i, swaps[k], len) == 0) {
                bytes_str(&out, swaps[k + 1]);
                i += len;
                break;
            }
        }
        if (swaps[k] == NULL) {
            bytes_add(&out, in.ptr + i, 1);
            i++;
        }
    }
    return out;
}

static inline struct bytes
oracle_hex(struct bytes in, const char *fmt)
{
    struct bytes out = {NULL, 0, 0};
    size_t i;

    for (i = 0; i < in.len; i++) {
        char text[4];

        snprintf(text, sizeof(text), fmt[0] == 'X' ? "%02X" : "%02x",
                 in.ptr[i]);
        bytes_str(&out, text);
    }
    return out;
}

/* What base64 has of `in` whatever stands around it: encoded once among zeros
 * and once among ones, the characters that are equal. */
static inline struct bytes
oracle_core(struct bytes in, size_t before, int variant)
{
    struct bytes out = {NULL, 0, 0};
    size_t len = before + in.len + 3;
    size_t cap = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    uint8_t *plain = malloc(len);
    char *text[2] = {malloc(cap), malloc(cap)};
    size_t i;
    int k;

    if (plain == NULL || text[0] == NULL || text[1] == NULL) {
        abort();
    }
    for (k = 0; k < 2; k++) {
        memset(plain, k == 0 ? 0 : 0xff, len);
        if (in.len > 0) {
            memcpy(plain + before, in.ptr, in.len);
        }
        sodium_bin2base64(text[k], cap, plain, len, variant);
    }
    for (i = 0; text[0][i] != 0; i++) {
        if (text[0][i] == text[1][i] && text[0][i] != '=') {
            bytes_add(&out, &text[0][i], 1);
        }
    }
    free(plain);
    free(text[0]);
    free(text[1]);
    return out;
}

static inline void
oracle_put(struct oracle *o, struct bytes form, const char *name, bool is_weak,
           bool is_core)
{
    if (form.len < (is_core ? 8U : 4U)) {
        bytes_done(&form);
        return;
    }
    if (o->count == ORACLE_FORMS_MAX) {
        abort();
    }
    o->forms[o->count++] = (struct oracle_form){form, name, is_weak};
}

static inline void
oracle_text_forms(struct oracle *o, struct bytes in, const char *name,
                  bool is_weak)
{
    static const char *const SWAPS[][16] = {
        {"\r\n", "\n", NULL},
        {"\r\n", "\r\n", "\n", "\r\n", NULL},
        {"\r\n", " ", "\n", " ", NULL},
        {"&", "&amp;", "<", "&lt;", ">", "&gt;", NULL},
        {"&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", NULL},
        {"&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "'", "&apos;",
         NULL},
        {"&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "'", "&#39;",
         NULL},
        {"&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "'", "&#x27;",
         NULL},
        {"'", "'\\''", NULL},
        {"'", "'\"'\"'", NULL},
        {"\\", "\\\\", "\"", "\\\"", "$", "\\$", "`", "\\`", NULL},
    };
    static const char *const GO[] = {"&",  "&amp;", "<", "&lt;",  ">", "&gt;",
                                     "\"", "&#34;", "'", "&#39;", NULL};
    static const char *const REPR[] = {"\\", "\\\\", "'", "\\'",
                                       "\n", "\\n",  NULL};
    bool is_utf8 = parse_is_utf8(span_of(in.ptr, in.len));
    bool has_quote = memchr(in.ptr, '"', in.len) != NULL;
    bool has_apostrophe = memchr(in.ptr, '\'', in.len) != NULL;
    bool has_marks = memchr(in.ptr, '~', in.len) != NULL ||
                     memchr(in.ptr, '*', in.len) != NULL;
    int how;
    size_t i;

    for (i = 0; i < sizeof(SWAPS) / sizeof(SWAPS[0]); i++) {
        oracle_put(o, oracle_swap(in, SWAPS[i]), name, is_weak, false);
    }
    if (has_quote) {
        oracle_put(o, oracle_swap(in, GO), name, is_weak, false);
    }
    if (has_apostrophe) {
        oracle_put(o, oracle_swap(in, REPR), name, is_weak, false);
    }
    for (how = 0; how < 16; how++) {
        struct bytes once;

        if ((how & O_HTML) != 0 ? how != O_HTML : false) {
            continue;
        }
        if ((how & O_ASCII) != 0 && !is_utf8) {
            continue; /* no such form */
        }
        if ((how & O_UPPER) != 0 && how != O_UPPER &&
            how != (O_ASCII | O_UPPER)) {
            continue;
        }
        once = oracle_json(in, how);
        oracle_put(o, oracle_json(once, how & (O_SLASH | O_HTML)), name,
                   is_weak, false);
        oracle_put(o, once, name, is_weak, false);
    }
    oracle_put(o, oracle_map(in, "-._~", "%X", NULL), name, is_weak, false);
    oracle_put(o, oracle_map(in, "-._~", "%x", NULL), name, is_weak, false);
    oracle_put(o, oracle_map(in, "-._~/", "%X", NULL), name, is_weak, false);
    oracle_put(o, oracle_map(in, "-._~!'()*", "%X", NULL), name, is_weak,
               false);
    oracle_put(o, oracle_map(in, "-._~", "%X", "+"), name, is_weak, false);
    oracle_put(o, oracle_map(in, "-._~", "%x", "+"), name, is_weak, false);
    if (has_marks) {
        oracle_put(o, oracle_map(in, "-._*", "%X", "+"), name, is_weak, false);
    }
}

static inline struct bytes
oracle_trim(const uint8_t *ptr, size_t len)
{
    while (len > 0 && (ptr[0] == ' ' || (ptr[0] >= 9 && ptr[0] <= 13))) {
        ptr++;
        len--;
    }
    while (len > 0 &&
           (ptr[len - 1] == ' ' || (ptr[len - 1] >= 9 && ptr[len - 1] <= 13))) {
        len--;
    }
    return (struct bytes){(uint8_t *)(uintptr_t)ptr, len, 0};
}

static inline void
oracle_lines(struct oracle *o, struct bytes whole, const char *name)
{
    size_t from = 0;
    size_t i;

    if (memchr(whole.ptr, '\n', whole.len) == NULL) {
        return;
    }
    for (i = 0; i <= whole.len; i++) {
        struct bytes line;

        if (i < whole.len && whole.ptr[i] != '\n') {
            continue;
        }
        line = oracle_trim(whole.ptr + from, i - from);
        from = i + 1;
        if (line.len < 24 || memcmp(line.ptr, "-----BEGIN ", 11) == 0 ||
            memcmp(line.ptr, "-----END ", 9) == 0 ||
            strength_of(span_of(line.ptr, line.len)) != STRENGTH_FULL) {
            continue;
        }
        oracle_text_forms(o, line, name, false);
    }
}

/* Values of up to 4096 bytes. `name` is borrowed. */
static inline void
oracle_add(struct oracle *o, const void *value, size_t len, const char *name)
{
    struct bytes in = oracle_trim(value, len);
    enum strength strength = strength_of(span_of(value, len));
    bool is_weak = strength == STRENGTH_TOKEN;
    size_t a;
    size_t b;

    if (o->forms == NULL) {
        o->forms = calloc(ORACLE_FORMS_MAX, sizeof(*o->forms));
    }
    if (o->forms == NULL || !strength_is_redacted(strength)) {
        return;
    }
    oracle_text_forms(o, in, name, is_weak);
    oracle_put(o, oracle_hex(in, "x"), name, is_weak, false);
    oracle_put(o, oracle_hex(in, "X"), name, is_weak, false);
    for (a = 0; a < 3; a++) {
        struct bytes core =
            oracle_core(in, a, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);

        for (b = 0; b < 3; b++) {
            oracle_put(
                o,
                oracle_core(core, b, sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
                name, is_weak, true);
        }
        oracle_put(o, core, name, is_weak, true);
        oracle_put(o,
                   oracle_core(in, a, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                   name, is_weak, true);
    }
    for (a = 0; a < 9; a++) {
        struct bytes json = {NULL, 0, 0};

        if (a / 3 == 1 && !parse_is_utf8(span_of(in.ptr, in.len))) {
            continue;
        }
        json = oracle_json(in, a / 3 == 0 ? 0 : a / 3 == 1 ? O_ASCII : O_HTML);

        oracle_put(
            o,
            oracle_core(json, a % 3, sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
            name, is_weak, true);
        bytes_done(&json);
    }
    oracle_lines(o, in, name);
}

static inline void
oracle_done(struct oracle *o)
{
    size_t i;

    for (i = 0; i < o->count; i++) {
        bytes_done(&o->forms[i].text);
    }
    free(o->forms);
    *o = (struct oracle){NULL, 0};
}

/* ---- searching ---- */

static inline bool
oracle_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static inline bool
oracle_hexdigit(uint8_t c)
{
    return c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
}

/* Is text[0..at) the end of an escape rather than of a word? */
static inline bool
oracle_escape_before(const uint8_t *t, size_t at)
{
    size_t i;

    if (at >= 2 && t[at - 2] == '\\' && t[at - 1] != 0 &&
        strchr("nrtbfv0", t[at - 1]) != NULL) {
        return true;
    }
    if (at >= 3 && t[at - 3] == '%' && oracle_hexdigit(t[at - 2]) &&
        oracle_hexdigit(t[at - 1])) {
        return true;
    }
    if (at >= 6 && t[at - 6] == '\\' && t[at - 5] == 'u' &&
        oracle_hexdigit(t[at - 4]) && oracle_hexdigit(t[at - 3]) &&
        oracle_hexdigit(t[at - 2]) && oracle_hexdigit(t[at - 1])) {
        return true;
    }
    for (i = at >= 1 ? at - 1 : 0; i > 1 && at - i < 15; i--) {
        uint8_t c = t[i - 1];

        if (c == '[') {
            return t[i - 2] == 0x1b;
        }
        if (!(c >= '0' && c <= '9') && c != ';' && c != '?') {
            return false;
        }
    }
    return false;
}

static inline bool
oracle_stands(const struct oracle_form *f, const uint8_t *t, size_t len,
              size_t at)
{
    size_t n = f->text.len;

    if (n > len - at || memcmp(t + at, f->text.ptr, n) != 0) {
        return false;
    }
    if (n >= 8) {
        return true;
    }
    if (at > 0 && oracle_word(t[at]) && oracle_word(t[at - 1]) &&
        !oracle_escape_before(t, at)) {
        return false;
    }
    return at + n == len || !oracle_word(t[at + n - 1]) ||
           !oracle_word(t[at + n]);
}

/* The whole text with its holes marked; *ret_holes counts them. */
static inline struct bytes
oracle_redact(const struct oracle *o, const uint8_t *t, size_t len, bool task,
              size_t *ret_holes)
{
    struct bytes out = {NULL, 0, 0};
    size_t hole_end = 0;
    size_t at;

    *ret_holes = 0;
    bytes_add(&out, "", 0);
    for (at = 0; at < len; at++) {
        const struct oracle_form *best = NULL;
        size_t i;

        for (i = 0; i < o->count; i++) {
            const struct oracle_form *f = &o->forms[i];

            if ((!task || !f->is_weak) && f->text.ptr[0] == t[at] &&
                (best == NULL || f->text.len > best->text.len) &&
                oracle_stands(f, t, len, at)) {
                best = f;
            }
        }
        if (best != NULL && at >= hole_end) {
            bytes_str(&out, "[redacted:");
            bytes_str(&out, best->name);
            bytes_str(&out, "]");
            ++*ret_holes;
        }
        if (best != NULL && at + best->text.len > hole_end) {
            hole_end = at + best->text.len;
        }
        if (at >= hole_end) {
            bytes_add(&out, t + at, 1);
        }
    }
    return out;
}

#endif
