/* Frames of a WebSocket: what the reader takes and what it refuses, in one
 * part and byte by byte; and heads as they are written. */
#include <string.h>

#include "common/check.h"
#include "proxy/frame.h"

enum {
    SEEN_BYTES = 4096,
};

struct seen {
    char text[SEEN_BYTES]; /* "(1 5!hello)": kind, length, last, payload */
    size_t len;
};

static enum ag_err
on_begin(void *ctx, const struct frame *frame)
{
    struct seen *seen = ctx;

    seen->len += (size_t)snprintf(
        seen->text + seen->len, sizeof(seen->text) - seen->len, "(%d %llu%s",
        (int)frame->kind, (unsigned long long)frame->len,
        frame->last ? "!" : "-");
    return AG_OK;
}

static enum ag_err
on_part(void *ctx, const struct frame *frame, struct span part)
{
    struct seen *seen = ctx;

    (void)frame;
    assert_true(seen->len + part.len < sizeof(seen->text));
    memcpy(seen->text + seen->len, part.ptr, part.len);
    seen->len += part.len;
    return AG_OK;
}

static enum ag_err
on_end(void *ctx, const struct frame *frame)
{
    (void)frame;
    return on_part(ctx, frame, span_str(")"));
}

static enum ag_err
read_all(enum frame_side side, struct span bytes, size_t step,
         struct seen *seen)
{
    const struct frame_events events = {
        .ctx = seen, .begin = on_begin, .part = on_part, .end = on_end};
    struct frame_reader r;
    enum ag_err err = AG_OK;

    memset(seen, 0, sizeof(*seen));
    frame_reader_init(&r, side, &events);
    for (size_t at = 0; err == AG_OK && at < bytes.len; at += step) {
        err = frame_reader_feed(&r, span_sub(bytes, at, step));
    }
    return err;
}

struct sample {
    enum frame_side side;
    enum ag_err err;
    struct span bytes;
    const char *seen;
};

#define BYTES(text)                                                            \
    {                                                                          \
        (const uint8_t *)(text), sizeof(text) - 1                              \
    }
#define MASK "\x01\x02\x03\x04"

static void
check(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t step = 1; step < 20; step += 6) {
            struct seen seen;

            assert_int_equal(
                read_all(samples[i].side, samples[i].bytes, step, &seen),
                samples[i].err);
            assert_string_equal(seen.text, samples[i].seen);
        }
    }
}

static void
test_what_is_taken(void **state)
{
    static const struct sample SAMPLES[] = {
        {FRAME_OF_SERVICE, AG_OK, BYTES("\x81\x05hello"), "(1 5!hello)"},
        {FRAME_OF_SERVICE, AG_OK, BYTES("\x82\x00"), "(2 0!)"},
        {FRAME_OF_SERVICE, AG_OK,
         BYTES("\x01\x02he\x89\x01p\x00\x01l\x80\x02lo"),
         "(1 2-he)(9 1!p)(0 1-l)(0 2!lo)"},
        {FRAME_OF_SERVICE, AG_OK, BYTES("\x8a\x00\x88\x00\xff\xff"),
         "(10 0!)(8 0!)"},
        {FRAME_OF_SERVICE, AG_OK, BYTES("\x88\x05\x03\xe8xyz"),
         "(8 5!\x03\xe8xyz)"},
        {FRAME_OF_SERVICE, AG_OK, BYTES("\x88\x02\x0f\xa0"), "(8 2!\x0f\xa0)"},
        {FRAME_OF_CLIENT, AG_OK, BYTES("\x81\x85" MASK "igohn"), "(1 5!hello)"},
        {FRAME_OF_CLIENT, AG_OK, BYTES("\x89\x80" MASK "\x82\x81" MASK "`"),
         "(9 0!)(2 1!a)"},
    };

    (void)state;
    check(SAMPLES, AG_COUNT(SAMPLES));
}

static void
test_what_is_refused(void **state)
{
    static const struct sample SAMPLES[] = {
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x81\x85" MASK "igohn"), ""},
        {FRAME_OF_CLIENT, AG_EINVAL, BYTES("\x81\x05hello"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\xc1\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\xa1\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x91\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x83\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x87\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x8b\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x09\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x89\x7e\x00\x7e"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x88\x01x"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x88\x02\x03\xed"),
         "(8 2!\x03\xed"},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x88\x02\x03\xe7"),
         "(8 2!\x03\xe7"},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x80\x00"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x01\x00\x01\x00"), "(1 0-)"},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x81\x00\x80\x00"), "(1 0!)"},
        {FRAME_OF_SERVICE, AG_EINVAL, BYTES("\x81\x7e\x00\x7d"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL,
         BYTES("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), ""},
        {FRAME_OF_SERVICE, AG_EINVAL,
         BYTES("\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00"), ""},
    };

    (void)state;
    check(SAMPLES, AG_COUNT(SAMPLES));
}

/* Every length is spelled so that the reader takes it, and as short as can be. */
static void
test_heads(void **state)
{
    static const struct {
        uint64_t len;
        size_t head;
    } LENS[] = {{0, 2},   {1, 2},     {125, 2},    {126, 4},
                {127, 4}, {65535, 4}, {65536, 10}, {INT64_MAX, 10}};

    static const uint8_t mask[FRAME_MASK_BYTES] = {1, 2, 3, 4};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LENS); i++) {
        struct frame frame = {.kind = FRAME_BINARY, .len = LENS[i].len};
        uint8_t head[FRAME_HEAD_MAX_BYTES];
        struct seen seen;
        char wanted[40];

        (void)snprintf(wanted, sizeof(wanted), "(2 %llu-%s",
                       (unsigned long long)LENS[i].len,
                       LENS[i].len == 0 ? ")" : "");
        assert_int_equal(frame_head(&frame, NULL, head), LENS[i].head);
        assert_int_equal(
            read_all(FRAME_OF_SERVICE, span_of(head, LENS[i].head), 1, &seen),
            AG_OK);
        assert_string_equal(seen.text, wanted);
        assert_int_equal(frame_head(&frame, mask, head), LENS[i].head + 4);
        assert_int_equal(read_all(FRAME_OF_CLIENT,
                                  span_of(head, LENS[i].head + 4), 1, &seen),
                         AG_OK);
        assert_string_equal(seen.text, wanted);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
