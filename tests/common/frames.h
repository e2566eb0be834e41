/*
 * frames.h - frames of a WebSocket as a test makes and sees them.
 */
#ifndef AG_TESTS_FRAMES_H
#define AG_TESTS_FRAMES_H

#include "base/buf.h"
#include "common/check.h"
#include "proxy/frame.h"

enum {
    FRAMES_MAX_BYTES = 4 * 1024 * 1024,
};

/* What frames say, read as strictly as the broker reads: "(1 5!hello)" is kind,
 * length, last of its message or not, and the payload. */
struct frames_seen {
    struct buf text;
    size_t count;
    uint64_t longest;
};

static inline enum ag_err
frames_on_begin(void *ctx, const struct frame *frame)
{
    struct frames_seen *seen = ctx;

    seen->count++;
    seen->longest = frame->len > seen->longest ? frame->len : seen->longest;
    return buf_fmt(&seen->text, "(%d %llu%s", (int)frame->kind,
                   (unsigned long long)frame->len, frame->last ? "!" : "-");
}

static inline enum ag_err
frames_on_part(void *ctx, const struct frame *frame, struct span part)
{
    struct frames_seen *seen = ctx;

    (void)frame;
    return buf_add(&seen->text, part);
}

static inline enum ag_err
frames_on_end(void *ctx, const struct frame *frame)
{
    (void)frame;
    return buf_add_str(&((struct frames_seen *)ctx)->text, ")");
}

/* buf_done(&ret->text) by the caller. */
static inline void
frames_read(enum frame_side side, struct span bytes, struct frames_seen *ret)
{
    const struct frame_events events = {.ctx = ret,
                                        .begin = frames_on_begin,
                                        .part = frames_on_part,
                                        .end = frames_on_end};
    struct frame_reader r;

    *ret = (struct frames_seen){0};
    buf_init(&ret->text, FRAMES_MAX_BYTES, BUF_PLAIN);
    frame_reader_init(&r, side, &events);
    check_ok(frame_reader_feed(&r, bytes));
}

/* The bytes must say exactly that. */
static inline void
frames_check(enum frame_side side, struct span bytes, const char *want)
{
    struct frames_seen seen;

    frames_read(side, bytes, &seen);
    if (strcmp(buf_cstr(&seen.text), want) != 0) {
        fail_msg("%.300s, not %s", buf_cstr(&seen.text), want);
    }
    buf_done(&seen.text);
}

/* Appends one frame as `side` sends it. */
static inline void
frames_put(struct buf *out, enum frame_side side, struct frame frame,
           struct span payload)
{
    static const uint8_t mask[FRAME_MASK_BYTES] = {1, 2, 3, 4};
    uint8_t head[FRAME_HEAD_MAX_BYTES];
    bool masked = side == FRAME_OF_CLIENT;
    size_t at = 0;

    frame.len = payload.len;
    check_ok(buf_add(
        out, span_of(head, frame_head(&frame, masked ? mask : NULL, head))));
    at = out->len;
    check_ok(buf_add(out, payload));
    if (masked) {
        frame_mask(out->ptr + at, payload.len, mask, 0);
    }
}

static inline void
frames_put_text(struct buf *out, enum frame_side side, enum frame_kind kind,
                bool last, const char *text)
{
    frames_put(out, side, (struct frame){.kind = kind, .last = last},
               span_str(text));
}

#endif
