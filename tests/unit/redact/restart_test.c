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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_stream_knows_nothing_of_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
