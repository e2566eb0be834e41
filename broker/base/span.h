/*
 * span.h - a borrowed run of bytes. It owns nothing and need not end in NUL.
 * Floor: base. Depends on: nothing.
 */
#ifndef AG_BASE_SPAN_H
#define AG_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
struct span span_str(const char *text);

/* Equality of public data; secrets use secret_equal(). */
bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);
bool span_starts(struct span a, struct span prefix);

/* Bytes [from, from + len), clipped to the span. */
struct span span_sub(struct span a, size_t from, size_t len);

/* Index of the first `byte`, or a.len. */
size_t span_find(struct span a, uint8_t byte);

#endif
