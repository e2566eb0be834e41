#include "proxy/frame.h"

#include <string.h>

#include "base/secret.h"

enum {
    BLOCK_BYTES = 2048, /* unmasked at a time */
    BIT_LAST = 0x80,
    BITS_RESERVED = 0x70,
    BITS_KIND = 0x0f,
    BIT_MASKED = 0x80,
    BITS_LEN = 0x7f,
    LEN_16 = 126, /* the length is in two bytes more, or in eight */
    LEN_64 = 127,
    CODE_BYTES = 2,
};

static enum ag_err
refused(const char *why)
{
    return err_why(AG_EINVAL, "a WebSocket frame is malformed: %s", why);
}

bool
frame_is_control(enum frame_kind kind)
{
    switch (kind) {
    case FRAME_CONTINUES:
    case FRAME_TEXT:
    case FRAME_BINARY:
        return false;
    case FRAME_CLOSE:
    case FRAME_PING:
    case FRAME_PONG:
        return true;
    }
    return false;
}

void
frame_reader_init(struct frame_reader *r, enum frame_side side,
                  const struct frame_events *events)
{
    *r = (struct frame_reader){.events = *events, .side = side};
}

/* ---- the head ---- */

static size_t
len_bytes(const struct frame_reader *r)
{
    switch (r->head[1] & BITS_LEN) {
    case LEN_16:
        return sizeof(uint16_t);
    case LEN_64:
        return sizeof(uint64_t);
    default:
        return 0;
    }
}

/* How long the head is, as far as it can be told. */
static size_t
head_bytes(const struct frame_reader *r)
{
    if (r->head_len < 2) {
        return 2;
    }
    return 2 + len_bytes(r) +
           ((r->head[1] & BIT_MASKED) != 0 ? FRAME_MASK_BYTES : 0);
}

static bool
is_kind(unsigned kind)
{
    return kind <= FRAME_BINARY || (kind >= FRAME_CLOSE && kind <= FRAME_PONG);
}

/* The first two bytes. */
static enum ag_err
check_start(const struct frame_reader *r)
{
    unsigned kind = r->head[0] & BITS_KIND;
    bool masked = (r->head[1] & BIT_MASKED) != 0;

    if ((r->head[0] & BITS_RESERVED) != 0) {
        return refused("a reserved bit");
    }
    if (!is_kind(kind)) {
        return refused("an opcode that means nothing");
    }
    if (masked != (r->side == FRAME_OF_CLIENT)) {
        return refused(masked ? "a service masks nothing"
                              : "a client masks all");
    }
    if (kind >= FRAME_CLOSE) {
        if ((r->head[0] & BIT_LAST) == 0) {
            return refused("a control frame in fragments");
        }
        return (r->head[1] & BITS_LEN) > FRAME_CONTROL_MAX_BYTES
                   ? refused("a long control frame")
                   : AG_OK;
    }
    if ((kind == FRAME_CONTINUES) != r->in_message) {
        return refused(r->in_message ? "a message within another"
                                     : "a fragment of no message");
    }
    return AG_OK;
}

static enum ag_err
read_len(const struct frame_reader *r, uint64_t *ret)
{
    size_t bytes = len_bytes(r);
    uint64_t len = r->head[1] & BITS_LEN;

    if (bytes > 0) {
        len = 0;
        for (size_t i = 0; i < bytes; i++) {
            len = len << 8 | r->head[2 + i];
        }
        if (len < LEN_16 || (bytes == sizeof(len) && len <= UINT16_MAX)) {
            return refused("a length longer than needed");
        }
        if (len > INT64_MAX) {
            return refused("a length beyond all");
        }
    }
    *ret = len;
    return AG_OK;
}

static enum ag_err
begin(struct frame_reader *r)
{
    enum ag_err err = read_len(r, &r->frame.len);

    if (err != AG_OK) {
        return err;
    }
    r->frame.kind = (enum frame_kind)(r->head[0] & BITS_KIND);
    r->frame.last = (r->head[0] & BIT_LAST) != 0;
    if (r->frame.kind == FRAME_CLOSE && r->frame.len == 1) {
        return refused("half a code to close by");
    }
    r->in_payload = true;
    r->at = 0;
    return r->events.begin(r->events.ctx, &r->frame);
}

/* Byte by byte: what is wrong is refused before the rest of it comes. */
static enum ag_err
take_head(struct frame_reader *r, struct span *rest)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && rest->len > 0 && r->head_len < head_bytes(r)) {
        r->head[r->head_len++] = rest->ptr[0];
        *rest = span_sub(*rest, 1, rest->len);
        if (r->head_len == 2) {
            err = check_start(r);
        }
    }
    return err == AG_OK && r->head_len >= 2 && r->head_len == head_bytes(r)
               ? begin(r)
               : err;
}

/* ---- the payload ---- */

/* RFC 6455 section 7.4 and what IANA has added. */
static bool
may_be_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void
keep_code(struct frame_reader *r, struct span part)
{
    for (size_t i = 0; i < part.len && r->at + i < CODE_BYTES; i++) {
        r->code[r->at + i] = part.ptr[i];
    }
}

static enum ag_err
tell(struct frame_reader *r, struct span part)
{
    keep_code(r, part);
    r->at += part.len;
    return r->events.part(r->events.ctx, &r->frame, part);
}

static enum ag_err
take_payload(struct frame_reader *r, struct span *rest)
{
    uint8_t block[BLOCK_BYTES];
    uint64_t left = r->frame.len - r->at;
    struct span part =
        span_sub(*rest, 0, left < rest->len ? (size_t)left : rest->len);
    enum ag_err err = AG_OK;

    if (r->side == FRAME_OF_SERVICE) {
        *rest = span_sub(*rest, part.len, rest->len);
        return part.len > 0 ? tell(r, part) : AG_OK;
    }
    part = span_sub(part, 0, sizeof(block));
    if (part.len == 0) {
        return AG_OK;
    }
    *rest = span_sub(*rest, part.len, rest->len);
    memcpy(block, part.ptr, part.len);
    frame_mask(block, part.len, r->head + r->head_len - FRAME_MASK_BYTES,
               r->at);
    err = tell(r, span_of(block, part.len));
    wipe(block, sizeof(block));
    return err;
}

static enum ag_err
end(struct frame_reader *r)
{
    bool is_code = r->frame.kind == FRAME_CLOSE && r->frame.len > 0;

    if (is_code && !may_be_sent((unsigned)r->code[0] << 8 | r->code[1])) {
        return refused("a code that may not be sent");
    }
    if (!frame_is_control(r->frame.kind)) {
        r->in_message = !r->frame.last;
    }
    r->closed = r->frame.kind == FRAME_CLOSE;
    r->in_payload = false;
    r->head_len = 0;
    return r->events.end(r->events.ctx, &r->frame);
}

enum ag_err
frame_reader_feed(struct frame_reader *r, struct span part)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0 && !r->closed) {
        err = r->in_payload ? take_payload(r, &part) : take_head(r, &part);
        if (err == AG_OK && r->in_payload && r->at == r->frame.len) {
            err = end(r);
        }
    }
    return err;
}

/* ---- writing ---- */

size_t
frame_head(const struct frame *frame, const uint8_t *mask,
           uint8_t out[FRAME_HEAD_MAX_BYTES])
{
    size_t bytes = frame->len <= FRAME_CONTROL_MAX_BYTES ? 0
                   : frame->len <= UINT16_MAX            ? sizeof(uint16_t)
                                                         : sizeof(uint64_t);
    size_t at = 2;

    out[0] = (uint8_t)((frame->last ? BIT_LAST : 0) | (int)frame->kind);
    out[1] = bytes == 0                  ? (uint8_t)frame->len
             : bytes == sizeof(uint16_t) ? (uint8_t)LEN_16
                                         : (uint8_t)LEN_64;
    for (size_t i = bytes; i > 0; i--) {
        out[at++] = (uint8_t)(frame->len >> (8 * (i - 1)));
    }
    if (mask != NULL) {
        out[1] |= BIT_MASKED;
        memcpy(out + at, mask, FRAME_MASK_BYTES);
        at += FRAME_MASK_BYTES;
    }
    return at;
}

void
frame_mask(uint8_t *bytes, size_t len, const uint8_t *mask, uint64_t at)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= mask[(at + i) % FRAME_MASK_BYTES];
    }
}
