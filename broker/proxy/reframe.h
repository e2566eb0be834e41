/*
 * reframe.h - one direction of a WebSocket: frames come in, their payload goes
 * through a search, and frames made anew go out.
 * Floor: proxy. Depends on: proxy/frame, libsodium (masks).
 *
 * A message may be of any length: as much as REFRAME_BLOCK_BYTES of it is kept
 * until it ends, the rest goes out in fragments. What a fragment that came has
 * let out goes on when that fragment ends. The payload of a control frame is
 * searched whole; one that is too long after that is left out. Behind a Close
 * nothing goes on.
 */
#ifndef AG_PROXY_REFRAME_H
#define AG_PROXY_REFRAME_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "proxy/frame.h"
#include "redact/sink.h"

enum {
    REFRAME_BLOCK_BYTES = 64 * 1024,
    /* What waits, and what one part lets out at a time on top. */
    REFRAME_TEXT_MAX_BYTES = 8 * REFRAME_BLOCK_BYTES,
};

/* begin, feed, finish for a message; whole for a control frame, at any time
 * between. What may go on is appended to `out`. */
struct reframe_search {
    void *ctx;
    enum ag_err (*begin)(void *ctx);
    enum ag_err (*feed)(void *ctx, struct span part, struct buf *out);
    enum ag_err (*finish)(void *ctx, struct buf *out);
    enum ag_err (*whole)(void *ctx, struct span payload, struct buf *out);
};

/* Written by reframe_* only. Threads: one at a time. */
struct reframe {
    struct frame_reader reader;
    enum frame_side side;
    struct reframe_search search;
    struct sink out; /* fed one whole frame at a time */
    struct buf text;
    struct buf control;
    enum frame_kind kind; /* of the next frame of the message */
};

AG_NONNULL void reframe_init(struct reframe *r, enum frame_side side,
                             const struct reframe_search *search,
                             const struct sink *out);
AG_NONNULL void reframe_done(struct reframe *r);

/* Errors: AG_EINVAL as frame_reader_feed(); AG_ENOMEM; those of the search and
 * of the sink. Nothing may be fed after one. */
AG_CHECK AG_NONNULL enum ag_err reframe_feed(struct reframe *r,
                                             struct span part);

/* One frame as `side` sends it; its length is the payload's. Errors: AG_ENOMEM,
 * those of the sink. */
AG_CHECK AG_NONNULL enum ag_err reframe_write(enum frame_side side,
                                              struct frame frame,
                                              struct span payload,
                                              const struct sink *out);

/* A Close of the broker's own. Errors: as reframe_write(). */
AG_CHECK AG_NONNULL enum ag_err reframe_close(enum frame_side side,
                                              enum frame_code code,
                                              const struct sink *out);

#endif
