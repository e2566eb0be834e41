// WRAP: lockmem_init_text lockmem_init_late
/* A filter that is used for one stream after another. */
#include "base/buf.h"
#include "common/check.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"

#define VALUE "q7RtWz90LmXcAb12"

static enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

enum {
    MAPS_COUNT = 8,
};

/* What the filter locked, in order; the first has its struct. */
static struct {
    struct lockmem maps[MAPS_COUNT];
    size_t count;
} locked;

static enum ag_err
note(enum ag_err err, const struct lockmem *map)
{
    if (err == AG_OK && locked.count < MAPS_COUNT) {
        locked.maps[locked.count++] = *map;
    }
    return err;
}

enum ag_err __real_lockmem_init_text(size_t len, struct lockmem *ret);
enum ag_err __wrap_lockmem_init_text(size_t len, struct lockmem *ret);
enum ag_err __real_lockmem_init_late(size_t len, struct lockmem *ret);
enum ag_err __wrap_lockmem_init_late(size_t len, struct lockmem *ret);

enum ag_err
__wrap_lockmem_init_text(size_t len, struct lockmem *ret)
{
    return note(__real_lockmem_init_text(len, ret), ret);
}

enum ag_err
__wrap_lockmem_init_late(size_t len, struct lockmem *ret)
{
    return note(__real_lockmem_init_late(len, ret), ret);
}

static bool
is_zero(const struct lockmem *map)
{
    const uint8_t *bytes = map->ptr;

    for (size_t i = 0; i < map->len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void
feed(struct redactor *r, const char *text)
{
    check_ok(redactor_feed(r, span_str(text)));
}

/* The first is broken off in the middle of a value, behind a hole; the second
 * in the middle of a line that had to grow. */
static void
test_another_stream_knows_nothing_of_the_first(void **state)
{
    const struct redactor_options first = {.marker = NULL};
    const struct redactor_options task = {.audience = REDACTOR_TASK};
    const struct redactor_options wrong = {.marker = "%d"};
    const struct matcher_value value = {
        .id = 1, .name = span_str("n"), .value = span_str(VALUE)};
    AG_AUTO(buf) struct buf out = {0};
    const struct sink sink = {.ctx = &out, .feed = take};
    struct matcher *set = NULL;
    struct redactor *r = NULL;
    size_t locked_bytes = 0;

    (void)state;
    buf_init(&out, 1024, BUF_PLAIN);
    check_ok(matcher_build(&value, 1, &set));
    check_ok(redactor_new(&first, &sink, &r));
    check_ok(redactor_use(r, set));
    locked_bytes = lockmem_used_bytes();
    feed(r, VALUE " and q7RtWz90");
    assert_int_equal(redactor_held_bytes(r), 8);
    check_err(redactor_restart(r, &wrong, &sink), AG_EINVAL);
    assert_int_equal(redactor_held_bytes(r), 8);
    buf_clear(&out);
    check_ok(redactor_restart(r, &task, &sink));
    assert_int_equal(redactor_held_bytes(r), 0);
    check_ok(redactor_use(r, set));
    for (int i = 0; i < 1000; i++) {
        feed(r, "LmXcAb12, a line without an end ");
    }
    assert_int_equal(out.len, 0); /* a task's: no line is whole yet */
    assert_true(lockmem_used_bytes() > locked_bytes);
    check_ok(redactor_restart(r, &task, &sink));
    assert_int_equal(lockmem_used_bytes(), locked_bytes);
    check_ok(redactor_use(r, set));
    feed(r, "Wz90LmXcAb12\n" VALUE "\n");
    check_ok(redactor_finish(r));
    check_span(buf_view(&out), "Wz90LmXcAb12\n[redacted:n]\n");
    redactor_free(r);
    matcher_unref(set);
    assert_int_equal(lockmem_used_bytes(), 0);
}

/* Not only what is still held: all that ever was in its buffers. */
static void
test_nothing_of_a_stream_is_left(void **state)
{
    static const enum redactor_audience WHO[] = {REDACTOR_OPERATOR,
                                                 REDACTOR_TASK};
    const struct matcher_value value = {
        .id = 1, .name = span_str("n"), .value = span_str(VALUE)};
    AG_AUTO(buf) struct buf out = {0};
    const struct sink sink = {.ctx = &out, .feed = take};
    struct matcher *set = NULL;

    (void)state;
    buf_init(&out, 1024, BUF_PLAIN);
    check_ok(matcher_build(&value, 1, &set));
    for (size_t i = 0; i < AG_COUNT(WHO); i++) {
        const struct redactor_options options = {.audience = WHO[i]};
        struct redactor *r = NULL;

        locked.count = 0;
        check_ok(redactor_new(&options, &sink, &r));
        check_ok(redactor_use(r, set));
        feed(r, "a longer line, and the beginning of q7RtWz90LmXcA");
        feed(r, "b11 and another q7RtWz90Lm");
        feed(r, "x\nend q7\x1b[mRt");
        /* its own; what is held or the line; what views read */
        assert_int_equal(locked.count, WHO[i] == REDACTOR_OPERATOR ? 3 : 2);
        assert_false(is_zero(&locked.maps[1]));
        assert_true(i > 0 || !is_zero(&locked.maps[2]));
        check_ok(redactor_restart(r, &options, &sink));
        assert_true(is_zero(&locked.maps[1]));
        assert_true(i > 0 || is_zero(&locked.maps[2]));
        check_ok(redactor_use(r, set));
        feed(r, "q7R");
        assert_false(is_zero(&locked.maps[1]));
        check_ok(redactor_finish(r));
        check_ok(redactor_restart(r, &options, &sink));
        assert_true(is_zero(&locked.maps[1]));
        redactor_free(r);
    }
    matcher_unref(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_stream_knows_nothing_of_the_first),
        cmocka_unit_test(test_nothing_of_a_stream_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
