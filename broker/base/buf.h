/*
 * buf.h - a growing byte buffer with a cap, for data that is not a secret;
 * with BUF_WIPE its memory is wiped at every move and at the end, for text
 * that may carry one for a moment (a reply on its way out).
 * Floor: base. Depends on: base/err, base/span, base/wipealloc.
 */
#ifndef AG_BASE_BUF_H
#define AG_BASE_BUF_H

#include <stdarg.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum buf_flags {
    BUF_PLAIN = 0,
    BUF_WIPE = 1,
};

/* Fields are read freely and written only by buf_*. */
struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max; /* cap on len: growing past it is AG_ELIMIT */
    enum buf_flags flags;
};

AG_NONNULL void buf_init(struct buf *b, size_t max_bytes, enum buf_flags flags);
AG_NONNULL void buf_done(struct buf *b);
AG_DEFINE_CLEANUP_INPLACE(buf, buf_done)

/* The content leaves, with its memory: the caller's, for wipe_free(). Only with
 * BUF_WIPE; NULL when there never was any. The buffer is empty then. */
AG_NONNULL void *buf_take(struct buf *b);

/* Forgets the content (wiped with BUF_WIPE), keeps the memory. */
AG_NONNULL void buf_clear(struct buf *b);
AG_NONNULL void buf_truncate(struct buf *b, size_t len);

/* Appending. Errors: AG_ELIMIT, AG_ENOMEM; the buffer is then unchanged. */
AG_CHECK AG_NONNULL enum ag_err buf_add(struct buf *b, struct span bytes);
AG_CHECK AG_NONNULL enum ag_err buf_add_str(struct buf *b, const char *text);
AG_CHECK AG_NONNULL enum ag_err buf_add_byte(struct buf *b, uint8_t byte);
AG_CHECK AG_NONNULL enum ag_err buf_add_u32le(struct buf *b, uint32_t value);
AG_CHECK AG_NONNULL enum ag_err buf_add_u64le(struct buf *b, uint64_t value);
AG_CHECK AG_PRINTF(2, 3) enum ag_err
    buf_fmt(struct buf *b, const char *fmt, ...);

/* Memory for `len` bytes in all, at once and not more than these need: nothing
 * moves before they are there. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err buf_expect(struct buf *b, size_t len);

/* Room for `len` more bytes at *ret, to be filled and then buf_grew(). */
AG_CHECK AG_NONNULL enum ag_err buf_room(struct buf *b, size_t len,
                                         uint8_t **ret);
AG_NONNULL void buf_grew(struct buf *b, size_t len);

AG_NONNULL struct span buf_view(const struct buf *b);

/* A NUL is kept behind the content; borrowed until the next buf_ call.
 * NULL only if memory for an empty buffer could not be had. */
AG_NONNULL const char *buf_cstr(struct buf *b);

#endif
