/*
 * oracle.h - what the filter should put out, found the slow way: every form of
 * every value sought at every place of the whole text.
 */
#ifndef AG_TESTS_REDACT_ORACLE_H
#define AG_TESTS_REDACT_ORACLE_H

#include "prop/redact/oracle_forms.h"

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
