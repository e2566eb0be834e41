/*
 * backlog.h - what of an answer is here and not given yet: a queue of bytes
 * that keeps to its bounds however slowly it is emptied.
 * Floor: proxy. Depends on: base/buf.
 *
 * Given bytes are wiped when the queue moves up, which it does as soon as they
 * are half of it: at most twice what waits is in memory.
 */
#ifndef AG_PROXY_BACKLOG_H
#define AG_PROXY_BACKLOG_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Written by backlog_* only. Threads: one at a time. */
struct backlog {
    struct buf bytes;
    size_t at; /* how many of these were given */
};

/* `max_bytes` may wait at one time. */
AG_NONNULL void backlog_init(struct backlog *b, size_t max_bytes);
AG_NONNULL void backlog_done(struct backlog *b);

/* So many bytes will come: room for them at once. Errors: as backlog_add(). */
AG_CHECK AG_NONNULL enum ag_err backlog_expect(struct backlog *b, size_t bytes);

/* Errors: AG_ELIMIT, AG_ENOMEM; unchanged then. */
AG_CHECK AG_NONNULL enum ag_err backlog_add(struct backlog *b,
                                            struct span part);

/* How many bytes it moved to `into`. */
AG_NONNULL size_t backlog_give(struct backlog *b, uint8_t *into, size_t room);

AG_NONNULL size_t backlog_waiting_bytes(const struct backlog *b);

/* All that waits, if nothing was given yet, in memory for wipe_free(), which is
 * the caller's; NULL: it was, or nothing waits. */
AG_NONNULL uint8_t *backlog_take(struct backlog *b, size_t *ret_len);

#endif
