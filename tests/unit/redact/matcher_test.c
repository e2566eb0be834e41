/* Sets and their limits, locked memory, markers. */
#include "common/check.h"
#include "redact/lockmem.h"
#include "redact/marker.h"
#include "redact/matcher.h"

static void
test_markers(void **state)
{
    static const char *const BAD[] = {"%",  "%d",      "%s %s",
                                      "a%", "\x1b[0m", "%s\n"};
    static const char LONG[] =
        "0123456789012345678901234567890123456789012345678901234567890123456";
    uint8_t out[MARKER_MAX_BYTES];
    struct marker m;
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(BAD); i++) {
        check_err(marker_parse(BAD[i], &m), AG_EINVAL);
    }
    check_err(marker_parse(LONG, &m), AG_EINVAL);
    check_ok(marker_parse(NULL, &m));
    check_span(span_of(out, marker_write(&m, span_str("a/b"), out)),
               "[redacted:a/b]");
    check_ok(marker_parse("***", &m));
    check_span(span_of(out, marker_write(&m, span_str("a/b"), out)), "***");
    check_ok(marker_parse("", &m));
    assert_int_equal(marker_write(&m, span_str("a"), out), 0);
}

static void
test_limits_of_a_set(void **state)
{
    static char big[MATCHER_VALUE_MAX_BYTES + 2];
    struct matcher_value v = {.name = span_str("n"),
                              .value = span_of(big, sizeof(big) - 1)};
    struct matcher *set = NULL;

    (void)state;
    memset(big, 'x', sizeof(big));
    check_err(matcher_build(&v, 1, &set), AG_ELIMIT);
    v.value.len = 20;
    v.name = span_of(big, MATCHER_NAME_MAX_BYTES + 1);
    check_err(matcher_build(&v, 1, &set), AG_ELIMIT);
    check_err(matcher_build(&v, MATCHER_VALUES_MAX_COUNT + 1, &set), AG_ELIMIT);
    check_ok(matcher_build(NULL, 0, &set));
    assert_int_equal(matcher_count(set), 0);
    matcher_unref(set);
    matcher_unref(NULL);
    assert_int_equal(lockmem_used_bytes(), 0);
}

static void
test_locked_memory(void **state)
{
    struct lockmem m = {.ptr = NULL};

    (void)state;
    lockmem_done(&m); /* an empty one */
    check_ok(lockmem_init(1, &m));
    assert_true(m.len >= 1);
    assert_int_equal(lockmem_used_bytes(), m.len);
    assert_int_equal(*(uint8_t *)m.ptr, 0);
    memset(m.ptr, 1, m.len);
    lockmem_done(&m);
    assert_null(m.ptr);
    assert_int_equal(lockmem_used_bytes(), 0);
    check_err(lockmem_init(SIZE_MAX, &m), AG_ENOMEM);
}

static void
test_a_set_gives_back_what_it_was_given(void **state)
{
    const struct matcher_value values[] = {
        {.id = 5,
         .name = span_str("a/b"),
         .value = span_str(" q7RtWz90LmXc\n"),
         .flags = MATCHER_NO_LINES},
        {.id = 9, .name = span_str("c"), .value = span_str("pw")},
    };
    struct matcher *set = NULL;
    struct matcher_value got;

    (void)state;
    check_ok(matcher_build(values, AG_COUNT(values), &set));
    assert_int_equal(matcher_count(set), 2);
    got = matcher_value_at(set, 0);
    assert_int_equal(got.id, 5);
    assert_int_equal(got.flags, MATCHER_NO_LINES);
    check_span(got.name, "a/b");
    check_span(got.value, " q7RtWz90LmXc\n");
    check_span(matcher_value_at(set, 1).value, "pw");
    assert_true(matcher_locked_bytes(set) > 0);
    matcher_unref(matcher_ref(set));
    check_span(matcher_value_at(set, 1).name, "c");
    matcher_unref(set);
    assert_int_equal(lockmem_used_bytes(), 0);
}

/* Equal forms of several values: the first one's name stands. */
static void
test_equal_values_share_their_forms(void **state)
{
    const struct matcher_value values[] = {
        {.id = 1, .name = span_str("a"), .value = span_str("q7RtWz90LmXc")},
        {.id = 2, .name = span_str("b"), .value = span_str("q7RtWz90LmXc")},
    };
    struct matcher *one = NULL;
    struct matcher *two = NULL;

    (void)state;
    check_ok(matcher_build(values, 1, &one));
    check_ok(matcher_build(values, 2, &two));
    assert_int_equal(matcher_entry_count(one), matcher_entry_count(two));
    matcher_unref(one);
    matcher_unref(two);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_limits_of_a_set),
        cmocka_unit_test(test_locked_memory),
        cmocka_unit_test(test_a_set_gives_back_what_it_was_given),
        cmocka_unit_test(test_equal_values_share_their_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
