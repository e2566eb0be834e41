/* Filters that are kept: used again they know nothing, and they are few. */
#include "base/buf.h"
#include "common/check.h"
#include "proxy/sieve.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"

#define VALUE "q7RtWz90LmXcAb12"

static enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static struct matcher *
filter_of_value(void)
{
    const struct matcher_value value = {
        .id = 1, .name = span_str("n"), .value = span_str(VALUE)};
    struct matcher *filter = NULL;

    check_ok(matcher_build(&value, 1, &filter));
    return filter;
}

static void
test_one_is_used_again(void **state)
{
    AG_AUTO(matcher) struct matcher *filter = filter_of_value();
    AG_AUTO(sieves) struct sieves *all = NULL;
    AG_AUTO(buf) struct buf out = {0};
    const struct sink sink = {.ctx = &out, .feed = take};
    struct redactor *first = NULL;
    struct redactor *again = NULL;
    size_t hits = 0;

    (void)state;
    buf_init(&out, 1024, BUF_PLAIN);
    check_ok(sieves_new(&all));
    check_ok(sieves_take(all, &first));
    check_ok(sieve_begin(first, filter, &sink, &hits));
    check_ok(redactor_feed(first, span_str(VALUE "\nq7RtWz90")));
    assert_int_equal(hits, 1);
    check_span(buf_view(&out), "[redacted]\n");
    sieves_give(all, first);
    check_ok(sieves_take(all, &again));
    assert_ptr_equal(again, first);
    assert_int_equal(redactor_held_bytes(again), 0);
    check_ok(sieve_begin(again, filter, &sink, NULL));
    check_ok(redactor_feed(again, span_str("LmXcAb12 " VALUE)));
    check_ok(redactor_finish(again));
    check_span(buf_view(&out), "[redacted]\nLmXcAb12 [redacted]");
    assert_int_equal(hits, 1);
    sieves_give(all, again);
}

static void
test_few_are_kept(void **state)
{
    struct redactor *out[2 * SIEVES_KEPT_MAX_COUNT];
    struct sieves *all = NULL;
    size_t each_bytes = 0;

    (void)state;
    check_ok(sieves_new(&all));
    for (size_t i = 0; i < AG_COUNT(out); i++) {
        check_ok(sieves_take(all, &out[i]));
        each_bytes = lockmem_used_bytes() / (i + 1);
    }
    for (size_t i = 0; i < AG_COUNT(out); i++) {
        sieves_give(all, out[i]);
    }
    sieves_give(all, NULL);
    assert_int_equal(lockmem_used_bytes(), SIEVES_KEPT_MAX_COUNT * each_bytes);
    sieves_free(all);
    sieves_free(NULL);
    assert_int_equal(lockmem_used_bytes(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_used_again),
        cmocka_unit_test(test_few_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
