#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/wipealloc.h"

enum {
    FIRST_BYTES = 256
}; /* most replies fit without a second move */

void
buf_init(struct buf *b, size_t max_bytes, enum buf_flags flags)
{
    *b = (struct buf){.max = max_bytes, .flags = flags};
}

void
buf_done(struct buf *b)
{
    if (b->flags == BUF_WIPE) {
        wipe_free(b->ptr);
    } else {
        free(b->ptr);
    }
    buf_init(b, b->max, b->flags);
}

void *
buf_take(struct buf *b)
{
    void *ptr = b->ptr;

    AG_ASSERT(b->flags == BUF_WIPE);
    buf_init(b, b->max, b->flags);
    return ptr;
}

void
buf_clear(struct buf *b)
{
    buf_truncate(b, 0);
}

void
buf_truncate(struct buf *b, size_t len)
{
    AG_ASSERT(len <= b->len);
    if (b->flags == BUF_WIPE && len < b->len) {
        wipe(b->ptr + len, b->len - len);
    }
    b->len = len;
}

/* The old block is wiped if it must be. */
static enum ag_err
move_to(struct buf *b, size_t cap)
{
    uint8_t *ptr;

    if (b->flags == BUF_PLAIN) {
        ptr = realloc(b->ptr, cap);
    } else {
        ptr = wipe_malloc(cap);
        if (ptr != NULL && b->ptr != NULL) {
            memcpy(ptr, b->ptr, b->len);
            wipe_free(b->ptr);
        }
    }
    if (ptr == NULL) {
        return AG_ENOMEM;
    }
    b->ptr = ptr;
    b->cap = cap;
    return AG_OK;
}

/* Memory for `need` bytes and a NUL. */
static enum ag_err
reserve(struct buf *b, size_t need)
{
    size_t cap = b->cap < FIRST_BYTES ? FIRST_BYTES : b->cap;

    if (need < b->cap) {
        return AG_OK;
    }
    while (cap <= need) {
        if (__builtin_mul_overflow(cap, (size_t)2, &cap)) {
            return AG_ELIMIT;
        }
    }
    return move_to(b, cap);
}

enum ag_err
buf_expect(struct buf *b, size_t len)
{
    if (len > b->max) {
        return AG_ELIMIT;
    }
    return len < b->cap ? AG_OK : move_to(b, len + 1);
}

enum ag_err
buf_room(struct buf *b, size_t len, uint8_t **ret)
{
    size_t need;
    enum ag_err err;

    if (__builtin_add_overflow(b->len, len, &need) || need > b->max) {
        return AG_ELIMIT;
    }
    err = reserve(b, need);
    if (err != AG_OK) {
        return err;
    }
    *ret = b->ptr + b->len;
    return AG_OK;
}

void
buf_grew(struct buf *b, size_t len)
{
    AG_ASSERT(len <= b->max - b->len && b->len + len < b->cap);
    b->len += len;
}

enum ag_err
buf_add(struct buf *b, struct span bytes)
{
    uint8_t *to;
    enum ag_err err = buf_room(b, bytes.len, &to);

    if (err != AG_OK) {
        return err;
    }
    if (bytes.len > 0) {
        memcpy(to, bytes.ptr, bytes.len);
    }
    b->len += bytes.len;
    return AG_OK;
}

enum ag_err
buf_add_str(struct buf *b, const char *text)
{
    return buf_add(b, span_str(text));
}

enum ag_err
buf_add_byte(struct buf *b, uint8_t byte)
{
    return buf_add(b, span_of(&byte, 1));
}

static enum ag_err
add_le(struct buf *b, uint64_t value, size_t bytes)
{
    uint8_t le[sizeof(value)];

    for (size_t i = 0; i < bytes; i++) {
        le[i] = (uint8_t)(value >> (8 * i));
    }
    return buf_add(b, span_of(le, bytes));
}

enum ag_err
buf_add_u32le(struct buf *b, uint32_t value)
{
    return add_le(b, value, sizeof(value));
}

enum ag_err
buf_add_u64le(struct buf *b, uint64_t value)
{
    return add_le(b, value, sizeof(value));
}

enum ag_err
buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list args;
    uint8_t *to;
    int need;
    enum ag_err err;

    va_start(args, fmt);
    need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (need < 0) {
        return AG_EINVAL;
    }
    err = buf_room(b, (size_t)need, &to);
    if (err != AG_OK) {
        return err;
    }
    va_start(args, fmt);
    (void)vsnprintf((char *)to, (size_t)need + 1, fmt, args);
    va_end(args);
    b->len += (size_t)need;
    return AG_OK;
}

struct span
buf_view(const struct buf *b)
{
    return span_of(b->ptr, b->len);
}

const char *
buf_cstr(struct buf *b)
{
    if (reserve(b, b->len) != AG_OK) {
        return NULL;
    }
    b->ptr[b->len] = '\0';
    return (const char *)b->ptr;
}
