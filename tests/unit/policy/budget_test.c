/* How often, and how much: with the clock given. */
#include "common/check.h"
#include "policy/budget.h"

enum {
    NOW_MS = 5000,
    SECOND_MS = 1000,
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * 60 * 1000,
};

static void
check_rate(const char *text, int64_t count, int64_t period_ms)
{
    struct budget b = {0};

    check_ok(budget_read_rate(span_str(text), &b));
    assert_int_equal(b.rate_count, count);
    assert_int_equal(b.rate_ms, period_ms);
}

static void
test_rates_are_read(void **state)
{
    static const char *const BAD[] = {"",    "10",   "10/",      "/s",
                                      "0/s", "-1/s", "1/d",      "1/ms",
                                      "1s",  "1 /s", "1000001/s"};
    struct budget b = {0};

    (void)state;
    check_rate("10/s", 10, SECOND_MS);
    check_rate("600/m", 600, MINUTE_MS);
    check_rate("1000000/h", 1000000, HOUR_MS);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(budget_read_rate(span_str(BAD[i]), &b), AG_EINVAL);
        assert_int_equal(b.rate_count, 0);
    }
}

/* What may not go out is not counted either. */
static void
test_so_many_each_period(void **state)
{
    const struct budget two = {.rate_count = 2, .rate_ms = SECOND_MS};
    struct budget_spent spent = {0};

    (void)state;
    for (int64_t period = 0; period < 3; period++) {
        int64_t now_ms = NOW_MS + period * SECOND_MS;

        check_ok(budget_check(&two, &spent, now_ms));
        budget_take(&two, &spent, now_ms);
        check_ok(budget_check(&two, &spent, now_ms + 1));
        budget_take(&two, &spent, now_ms + 1);
        check_err(budget_check(&two, &spent, now_ms + 2), AG_ERATE);
        check_err(budget_check(&two, &spent, now_ms + SECOND_MS - 1), AG_ERATE);
    }
}

static void
test_so_many_bytes_in_all(void **state)
{
    const struct budget ten = {.bytes = 10};
    struct budget_spent spent = {0};

    (void)state;
    check_ok(budget_add(&ten, &spent, 4));
    check_ok(budget_check(&ten, &spent, NOW_MS));
    check_ok(budget_add(&ten, &spent, 6));
    check_err(budget_check(&ten, &spent, NOW_MS), AG_EBYTESUSED);
    check_err(budget_add(&ten, &spent, 1), AG_EBYTESUSED);
    check_err(budget_add(&ten, &spent, INT64_MAX), AG_EBYTESUSED);
    check_err(budget_check(&ten, &spent, NOW_MS + HOUR_MS), AG_EBYTESUSED);
}

static void
test_without_limits_everything_goes(void **state)
{
    const struct budget none = {0};
    struct budget_spent spent = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        check_ok(budget_check(&none, &spent, NOW_MS));
        budget_take(&none, &spent, NOW_MS);
        check_ok(budget_add(&none, &spent, INT64_MAX / 4));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_read),
        cmocka_unit_test(test_so_many_each_period),
        cmocka_unit_test(test_so_many_bytes_in_all),
        cmocka_unit_test(test_without_limits_everything_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
