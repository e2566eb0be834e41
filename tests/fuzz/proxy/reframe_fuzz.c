/* Frames of a WebSocket, of either side, with a value planted where the input
 * says: any cutting lets the same out, it is frames again, and what the filter
 * was given in a message is nowhere in what comes out. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "proxy/reframe.h"
#include "proxy/sieve.h"
#include "redact/matcher.h"
#include "redact/redactor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ARENA_BYTES = 4 * 1024 * 1024,
    PLANT = 0xfe, /* this byte of a payload stands for the value */
    TEXT_MAX_BYTES = 4 * 1024 * 1024,
};

static const char VALUE[] = "sk-Fuzzed-0123456789abcdefghij";

static struct {
    struct matcher *filter;
    struct sieves *sieves;
} all;

struct trial {
    struct reframe r;
    struct redactor *sieve;
    struct buf out;  /* frames */
    struct buf seen; /* of these: kind, and payload of whole messages */
};

static void
set_up(void)
{
    const struct matcher_value one = {
        .id = 1, .name = span_str("s"), .value = span_str(VALUE)};

    if (all.filter == NULL) {
        AG_ASSERT(secret_arena_open(ARENA_BYTES) == AG_OK);
        AG_ASSERT(matcher_build(&one, 1, &all.filter) == AG_OK);
        AG_ASSERT(sieves_new(&all.sieves) == AG_OK);
    }
}

static enum ag_err
into_buf(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

/* Each PLANT byte of the payload becomes the value. */
static enum ag_err
feed_planted(struct redactor *sieve, struct span part)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < part.len; i++) {
        err = redactor_feed(sieve, part.ptr[i] == PLANT ? span_str(VALUE)
                                                        : span_sub(part, i, 1));
    }
    return err;
}

static enum ag_err
search_begin(void *ctx)
{
    struct trial *t = ctx;
    const struct sink text = {.ctx = &t->r.text, .feed = into_buf};

    return sieve_begin(t->sieve, all.filter, &text, NULL);
}

static enum ag_err
search_feed(void *ctx, struct span part, struct buf *out)
{
    const struct trial *t = ctx;

    (void)out;
    return feed_planted(t->sieve, part);
}

static enum ag_err
search_finish(void *ctx, struct buf *out)
{
    const struct trial *t = ctx;

    (void)out;
    return redactor_finish(t->sieve);
}

static enum ag_err
search_whole(void *ctx, struct span payload, struct buf *out)
{
    const struct sink text = {.ctx = out, .feed = into_buf};
    struct redactor *sieve = NULL;

    (void)ctx;
    AG_ASSERT(sieves_take(all.sieves, &sieve) == AG_OK);
    AG_ASSERT(sieve_begin(sieve, all.filter, &text, NULL) == AG_OK);
    AG_ASSERT(feed_planted(sieve, payload) == AG_OK);
    AG_ASSERT(redactor_finish(sieve) == AG_OK);
    sieves_give(all.sieves, sieve);
    return AG_OK;
}

static enum ag_err
see_begin(void *ctx, const struct frame *frame)
{
    struct trial *t = ctx;

    return frame->kind == FRAME_CONTINUES
               ? AG_OK
               : buf_add_byte(&t->seen, (uint8_t)frame->kind);
}

static enum ag_err
see_part(void *ctx, const struct frame *frame, struct span part)
{
    struct trial *t = ctx;

    (void)frame;
    return buf_add(&t->seen, part);
}

static enum ag_err
see_end(void *ctx, const struct frame *frame)
{
    struct trial *t = ctx;

    return frame->last ? buf_add_byte(&t->seen, '\n') : AG_OK;
}

static enum ag_err
run(struct trial *t, enum frame_side side, struct span bytes, size_t step)
{
    const struct reframe_search search = {.ctx = t,
                                          .begin = search_begin,
                                          .feed = search_feed,
                                          .finish = search_finish,
                                          .whole = search_whole};
    const struct sink out = {.ctx = &t->out, .feed = into_buf};
    const struct frame_events see = {
        .ctx = t, .begin = see_begin, .part = see_part, .end = see_end};
    struct frame_reader reader;
    enum ag_err err = AG_OK;

    memset(t, 0, sizeof(*t));
    buf_init(&t->out, TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&t->seen, TEXT_MAX_BYTES, BUF_PLAIN);
    AG_ASSERT(sieves_take(all.sieves, &t->sieve) == AG_OK);
    reframe_init(&t->r, side, &search, &out);
    for (size_t at = 0; err == AG_OK && at < bytes.len; at += step) {
        err = reframe_feed(&t->r, span_sub(bytes, at, step));
    }
    frame_reader_init(&reader, side, &see);
    AG_ASSERT(frame_reader_feed(&reader, buf_view(&t->out)) == AG_OK);
    reframe_done(&t->r);
    sieves_give(all.sieves, t->sieve);
    return err;
}

static void
done(struct trial *t)
{
    buf_done(&t->out);
    buf_done(&t->seen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trial whole;
    static struct trial parts;
    enum frame_side side = FRAME_OF_SERVICE;
    size_t step = 1;
    struct span bytes = {0};
    enum ag_err err = AG_OK;

    set_up();
    if (size < 2) {
        return 0;
    }
    side = (data[0] & 1) != 0 ? FRAME_OF_CLIENT : FRAME_OF_SERVICE;
    step = 1 + data[1] % 64;
    bytes = span_of(data + 2, size - 2);
    err = run(&whole, side, bytes, size);
    AG_ASSERT(run(&parts, side, bytes, step) == err);
    AG_ASSERT(err == AG_OK || err == AG_EINVAL);
    AG_ASSERT(span_equal(buf_view(&whole.seen), buf_view(&parts.seen)));
    AG_ASSERT(whole.seen.len == 0 || memmem(whole.seen.ptr, whole.seen.len,
                                            VALUE, strlen(VALUE)) == NULL);
    done(&whole);
    done(&parts);
    return 0;
}
