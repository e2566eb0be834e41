#include "proxy/reframe.h"

#include <string.h>

#include <sodium.h>

/* ---- going out ---- */

enum ag_err
reframe_write(enum frame_side side, struct frame frame, struct span payload,
              const struct sink *out)
{
    AG_AUTO(buf) struct buf whole = {0};
    uint8_t mask[FRAME_MASK_BYTES];
    uint8_t head[FRAME_HEAD_MAX_BYTES];
    bool masked = side == FRAME_OF_CLIENT;
    size_t head_len = 0;
    enum ag_err err = AG_OK;

    frame.len = payload.len;
    buf_init(&whole, REFRAME_TEXT_MAX_BYTES + FRAME_HEAD_MAX_BYTES, BUF_WIPE);
    randombytes_buf(mask, sizeof(mask));
    head_len = frame_head(&frame, masked ? mask : NULL, head);
    err = buf_add(&whole, span_of(head, head_len));
    if (err == AG_OK && payload.len > 0) {
        err = buf_add(&whole, payload);
    }
    if (err != AG_OK) {
        return err;
    }
    if (masked) {
        frame_mask(whole.ptr + head_len, payload.len, mask, 0);
    }
    return sink_feed(out, buf_view(&whole));
}

enum ag_err
reframe_close(enum frame_side side, enum frame_code code,
              const struct sink *out)
{
    const uint8_t payload[] = {(uint8_t)((unsigned)code >> 8),
                               (uint8_t)((unsigned)code & 0xff)};

    return reframe_write(side,
                         (struct frame){.kind = FRAME_CLOSE, .last = true},
                         span_of(payload, sizeof(payload)), out);
}

/* The first `len` bytes of what waits. */
static enum ag_err
send_text(struct reframe *r, size_t len, bool last)
{
    struct span all = buf_view(&r->text);
    enum ag_err err =
        reframe_write(r->side, (struct frame){.kind = r->kind, .last = last},
                      span_sub(all, 0, len), &r->out);

    r->kind = FRAME_CONTINUES;
    if (all.len > len) {
        memmove(r->text.ptr, r->text.ptr + len, all.len - len);
    }
    buf_truncate(&r->text, all.len - len);
    if (last) {
        buf_done(&r->text); /* at rest it holds nothing */
    }
    return err;
}

static enum ag_err
send_blocks(struct reframe *r)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && r->text.len > REFRAME_BLOCK_BYTES) {
        err = send_text(r, REFRAME_BLOCK_BYTES, false);
    }
    return err;
}

/* ---- coming in ---- */

static enum ag_err
on_begin(void *ctx, const struct frame *frame)
{
    struct reframe *r = ctx;

    if (frame_is_control(frame->kind) || frame->kind == FRAME_CONTINUES) {
        return AG_OK;
    }
    r->kind = frame->kind;
    return r->search.begin(r->search.ctx);
}

static enum ag_err
on_part(void *ctx, const struct frame *frame, struct span part)
{
    struct reframe *r = ctx;
    enum ag_err err = AG_OK;

    if (frame_is_control(frame->kind)) {
        return buf_add(&r->control, part);
    }
    err = r->search.feed(r->search.ctx, part, &r->text);
    return err == AG_OK ? send_blocks(r) : err;
}

/* A Close keeps its code, however long its reason became. */
static enum ag_err
send_control(struct reframe *r, const struct frame *frame)
{
    AG_AUTO(buf) struct buf out = {0};
    size_t code = frame->kind == FRAME_CLOSE && r->control.len >= 2 ? 2 : 0;
    struct span all = buf_view(&r->control);
    enum ag_err err = AG_OK;

    buf_init(&out, REFRAME_TEXT_MAX_BYTES, BUF_WIPE);
    err = buf_add(&out, span_sub(all, 0, code));
    if (err == AG_OK && all.len > code) {
        err =
            r->search.whole(r->search.ctx, span_sub(all, code, all.len), &out);
    }
    if (err != AG_OK) {
        return err;
    }
    if (out.len > FRAME_CONTROL_MAX_BYTES) {
        buf_truncate(&out, code);
    }
    err = reframe_write(r->side,
                        (struct frame){.kind = frame->kind, .last = true},
                        buf_view(&out), &r->out);
    buf_clear(&r->control);
    return err;
}

static enum ag_err
on_end(void *ctx, const struct frame *frame)
{
    struct reframe *r = ctx;
    enum ag_err err = AG_OK;

    if (frame_is_control(frame->kind)) {
        return send_control(r, frame);
    }
    if (!frame->last) {
        return r->text.len > 0 ? send_text(r, r->text.len, false) : AG_OK;
    }
    err = r->search.finish(r->search.ctx, &r->text);
    if (err == AG_OK) {
        err = send_blocks(r);
    }
    return err == AG_OK ? send_text(r, r->text.len, true) : err;
}

void
reframe_init(struct reframe *r, enum frame_side side,
             const struct reframe_search *search, const struct sink *out)
{
    const struct frame_events events = {
        .ctx = r, .begin = on_begin, .part = on_part, .end = on_end};

    *r = (struct reframe){.side = side, .search = *search, .out = *out};
    frame_reader_init(&r->reader, side, &events);
    buf_init(&r->text, REFRAME_TEXT_MAX_BYTES, BUF_WIPE);
    buf_init(&r->control, FRAME_CONTROL_MAX_BYTES, BUF_WIPE);
}

void
reframe_done(struct reframe *r)
{
    buf_done(&r->text);
    buf_done(&r->control);
}

enum ag_err
reframe_feed(struct reframe *r, struct span part)
{
    return frame_reader_feed(&r->reader, part);
}
