/*
 * frame.h - frames of a WebSocket: a strict reader, and heads to write.
 * Floor: proxy. Depends on: base.
 *
 * RFC 6455 section 5, without extensions. A frame is refused that has a
 * reserved bit or opcode, a mask where none may be or none where one must be, a
 * length that is spelled longer than needed, or 2^63 and more; a control frame
 * of more than 125 bytes or in fragments; a fragment that continues nothing, or
 * a message begun within another; a Close with one byte, or a code that may not
 * be sent. What follows a Close is not read.
 */
#ifndef AG_PROXY_FRAME_H
#define AG_PROXY_FRAME_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    FRAME_HEAD_MAX_BYTES = 14,
    FRAME_MASK_BYTES = 4,
    FRAME_CONTROL_MAX_BYTES = 125,
};

enum frame_kind {
    FRAME_CONTINUES = 0,
    FRAME_TEXT = 1,
    FRAME_BINARY = 2,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
};

/* Codes of a Close. */
enum frame_code {
    FRAME_CODE_PROTOCOL = 1002,
    FRAME_CODE_POLICY = 1008,
    FRAME_CODE_FAULT = 1011,
};

enum frame_side {
    FRAME_OF_CLIENT, /* masked */
    FRAME_OF_SERVICE,
};

struct frame {
    enum frame_kind kind;
    bool last; /* of its message */
    uint64_t len;
};

/* begin once, part for its payload in any parts, unmasked and borrowed for the
 * call, end once. An error ends the stream. */
struct frame_events {
    void *ctx;
    enum ag_err (*begin)(void *ctx, const struct frame *frame);
    enum ag_err (*part)(void *ctx, const struct frame *frame, struct span part);
    enum ag_err (*end)(void *ctx, const struct frame *frame);
};

/* Written by frame_reader_* only. */
struct frame_reader {
    struct frame_events events;
    enum frame_side side;
    uint8_t head[FRAME_HEAD_MAX_BYTES];
    size_t head_len;
    struct frame frame;
    uint64_t at; /* of the payload */
    bool in_payload;
    bool in_message; /* fragments of one are still to come */
    bool closed;     /* a Close came: nothing behind it is read */
    uint8_t code[2]; /* the beginning of a Close */
};

bool frame_is_control(enum frame_kind kind);

AG_NONNULL void frame_reader_init(struct frame_reader *r, enum frame_side side,
                                  const struct frame_events *events);

/* The next bytes, in any parts. Errors: AG_EINVAL as above, with a sentence;
 * those of the events. Nothing may be fed after one. */
AG_CHECK AG_NONNULL enum ag_err frame_reader_feed(struct frame_reader *r,
                                                  struct span part);

/* How many bytes of head it wrote to `out`; `mask` of FRAME_OF_CLIENT, else
 * NULL. */
size_t frame_head(const struct frame *frame, const uint8_t *mask,
                  uint8_t out[FRAME_HEAD_MAX_BYTES]);

/* Masks, or unmasks, bytes that begin at `at` of a payload. */
AG_NONNULL void frame_mask(uint8_t *bytes, size_t len, const uint8_t *mask,
                           uint64_t at);

#endif
