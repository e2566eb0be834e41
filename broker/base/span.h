/*
 * span.h - a borrowed run of bytes. It owns nothing and need not end in NUL.
 * Floor: base. Depends on: nothing.
 */
#ifndef AG_BASE_SPAN_H
#define AG_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct span {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

static inline struct span
span_of(const void *ptr, size_t len)
{
    return (struct span){.ptr = (const uint8_t *)ptr, .len = len};
}

/* The bytes of a NUL-ended string, without the NUL. */
static inline struct span
span_str(const char *text)
{
    return span_of(text, text == NULL ? 0 : strlen(text));
}

/* Equality of public data; secrets use secret_equal(). */
static inline bool
span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
span_is(struct span a, const char *text)
{
    return span_equal(a, span_str(text));
}

static inline bool
span_starts(struct span a, struct span prefix)
{
    return a.len >= prefix.len &&
           span_equal(span_of(a.ptr, prefix.len), prefix);
}

/* Bytes [from, from + len), clipped to the span. */
static inline struct span
span_sub(struct span a, size_t from, size_t len)
{
    if (from >= a.len) {
        return span_of(NULL, 0);
    }
    return span_of(a.ptr + from, len < a.len - from ? len : a.len - from);
}

/* Index of the first `byte`, or a.len. */
static inline size_t
span_find(struct span a, uint8_t byte)
{
    const uint8_t *at =
        a.len == 0 ? NULL : (const uint8_t *)memchr(a.ptr, byte, a.len);

    return at == NULL ? a.len : (size_t)(at - a.ptr);
}

#endif
