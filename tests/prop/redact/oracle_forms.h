/*
 * oracle_forms.h - every form of a value written out whole, the slow way.
 * Shares no code with broker/redact but the judgement of strength.
 */
#ifndef AG_TESTS_REDACT_ORACLE_FORMS_H
#define AG_TESTS_REDACT_ORACLE_FORMS_H

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
    O_DEL = 16,
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

static inline void
oracle_put_u(struct bytes *out, uint32_t c, int how)
{
    bool upper = (how & O_UPPER) != 0;
    char u[16];

    if (c > 0xffff) {
        oracle_put_u(out, 0xd800 + ((c - 0x10000) >> 10), how);
        c = 0xdc00 + ((c - 0x10000) & 0x3ff);
    }
    (void)snprintf(u, sizeof(u), upper ? "\\u%04X" : "\\u%04x", c);
    bytes_str(out, u);
}

static inline bool
oracle_is_u(uint32_t c, int how)
{
    return c < 0x20 || (c >= 0x7f && (how & O_ASCII) != 0) ||
           (c == 0x7f && (how & O_DEL) != 0) ||
           ((c == '<' || c == '>' || c == '&') && (how & O_HTML) != 0);
}

static inline struct bytes
oracle_json(struct bytes in, int how)
{
    static const char FROM[] = "\n\r\t\b\f\"\\/";
    static const char *const TO[] = {"\\n", "\\r",  "\\t",  "\\b",
                                     "\\f", "\\\"", "\\\\", "\\/"};
    struct bytes out = {NULL, 0, 0};
    size_t i = 0;

    while (i < in.len) {
        uint32_t c;
        size_t used = oracle_utf8(in.ptr + i, in.len - i, &c);
        const char *at = c == 0 || c > 0x7f ? NULL : strchr(FROM, (int)c);

        if (at != NULL && (*at != '/' || (how & O_SLASH) != 0)) {
            bytes_str(&out, TO[at - FROM]);
        } else if (oracle_is_u(c, how)) {
            oracle_put_u(&out, c, how);
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

static inline bool
oracle_has(struct bytes in, char c)
{
    return memchr(in.ptr, c, in.len) != NULL;
}

static inline void
oracle_swap_forms(struct oracle *o, struct bytes in, const char *name,
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
    size_t i;

    for (i = 0; i < sizeof(SWAPS) / sizeof(SWAPS[0]); i++) {
        oracle_put(o, oracle_swap(in, SWAPS[i]), name, is_weak, false);
    }
    if (oracle_has(in, '"')) {
        oracle_put(o, oracle_swap(in, GO), name, is_weak, false);
    }
    if (oracle_has(in, '\'')) {
        oracle_put(o, oracle_swap(in, REPR), name, is_weak, false);
    }
}

static inline void
oracle_json_forms(struct oracle *o, struct bytes in, const char *name,
                  bool is_weak)
{
    static const int HOW[] = {
        0,       O_SLASH, O_ASCII, O_ASCII | O_SLASH, O_ASCII | O_UPPER,
        O_UPPER, O_HTML,  O_DEL};
    size_t i;

    for (i = 0; i < sizeof(HOW) / sizeof(HOW[0]); i++) {
        struct bytes once;

        if ((HOW[i] & O_ASCII) != 0 &&
            !parse_is_utf8(span_of(in.ptr, in.len))) {
            continue; /* no such form */
        }
        once = oracle_json(in, HOW[i]);
        oracle_put(o, oracle_json(once, HOW[i] & (O_SLASH | O_HTML)), name,
                   is_weak, false);
        oracle_put(o, once, name, is_weak, false);
    }
}

static inline void
oracle_text_forms(struct oracle *o, struct bytes in, const char *name,
                  bool is_weak)
{
    static const struct {
        const char *keep;
        const char *fmt;
        const char *blank;
    } MAPS[] = {
        {"-._~", "%X", NULL},      {"-._~", "%x", NULL}, {"-._~/", "%X", NULL},
        {"-._~!'()*", "%X", NULL}, {"-._~", "%X", "+"},  {"-._~", "%x", "+"},
        {"-._*", "%X", "+"},
    };

    size_t i;

    oracle_swap_forms(o, in, name, is_weak);
    oracle_json_forms(o, in, name, is_weak);
    for (i = 0; i < sizeof(MAPS) / sizeof(MAPS[0]); i++) {
        if (i < 6 || oracle_has(in, '~') || oracle_has(in, '*')) {
            oracle_put(o,
                       oracle_map(in, MAPS[i].keep, MAPS[i].fmt, MAPS[i].blank),
                       name, is_weak, false);
        }
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

#endif
