#include "base/span.h"

#include <string.h>

struct span
span_str(const char *text)
{
    return span_of(text, text == NULL ? 0 : strlen(text));
}

bool
span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
span_is(struct span a, const char *text)
{
    return span_equal(a, span_str(text));
}

bool
span_starts(struct span a, struct span prefix)
{
    return a.len >= prefix.len &&
           span_equal(span_of(a.ptr, prefix.len), prefix);
}

struct span
span_sub(struct span a, size_t from, size_t len)
{
    if (from >= a.len) {
        return span_of(NULL, 0);
    }
    return span_of(a.ptr + from, len < a.len - from ? len : a.len - from);
}

size_t
span_find(struct span a, uint8_t byte)
{
    const uint8_t *at = a.len == 0 ? NULL : memchr(a.ptr, byte, a.len);

    return at == NULL ? a.len : (size_t)(at - a.ptr);
}
