/* Borrowed runs of bytes. */
#include "common/check.h"

static void
test_equality_is_of_length_and_bytes(void **state)
{
    (void)state;
    assert_true(span_equal(span_str("abc"), span_of("abcd", 3)));
    assert_false(span_equal(span_str("abc"), span_str("abcd")));
    assert_false(span_equal(span_str("abc"), span_str("abd")));
    assert_true(span_equal(span_of(NULL, 0), span_str("")));
    assert_true(span_is(span_of("a\0b", 3), "a") == false);
    assert_int_equal(span_str(NULL).len, 0);
}

static void
test_starts(void **state)
{
    (void)state;
    assert_true(span_starts(span_str("ag://x"), span_str("ag://")));
    assert_true(span_starts(span_str("x"), span_of(NULL, 0)));
    assert_false(span_starts(span_str("ag:"), span_str("ag://")));
}

static void
test_sub_is_clipped(void **state)
{
    struct span s = span_str("0123456789");

    (void)state;
    check_span(span_sub(s, 2, 3), "234");
    check_span(span_sub(s, 8, 100), "89");
    check_span(span_sub(s, 8, SIZE_MAX), "89");
    check_span(span_sub(s, 10, 1), "");
    check_span(span_sub(s, SIZE_MAX, SIZE_MAX), "");
    check_span(span_sub(span_of(NULL, 0), 0, 5), "");
}

static void
test_find(void **state)
{
    (void)state;
    assert_int_equal(span_find(span_str("a/b"), '/'), 1);
    assert_int_equal(span_find(span_str("ab"), '/'), 2);
    assert_int_equal(span_find(span_of(NULL, 0), '/'), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality_is_of_length_and_bytes),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_sub_is_clipped),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
