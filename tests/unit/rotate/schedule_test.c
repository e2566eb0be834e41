/* When a secret is due: cron expressions, windows, jitter, clocks that jump. */
#include "base/clock.h"
#include "base/parse.h"
#include "common/check.h"
#include "rotate/schedule.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)

static int64_t
at(const char *text)
{
    int64_t ms = 0;

    check_ok(parse_time_ms(span_str(text), &ms));
    return ms;
}

static struct cron
cron_of(const char *text)
{
    struct cron cron = {0};

    check_ok(cron_parse(span_str(text), &cron));
    return cron;
}

static void
check_next(const char *expression, const char *after, const char *want)
{
    const struct cron cron = cron_of(expression);
    char got[CLOCK_TEXT_BYTES];
    int64_t next = 0;

    check_ok(cron_next(&cron, at(after), &next));
    clock_text(next, got);
    assert_string_equal(got, want);
}

static void
test_cron_names_the_next_minute(void **state)
{
    (void)state;
    check_next("* * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:01:00.000Z");
    check_next("*/15 * * * *", "2026-03-01T10:46:10Z",
               "2026-03-01T11:00:00.000Z");
    check_next("5 4 * * *", "2026-12-31T04:05:00Z", "2027-01-01T04:05:00.000Z");
    check_next("0 0 29 2 *", "2026-03-01T00:00:00Z",
               "2028-02-29T00:00:00.000Z");
    check_next("0 0 29 2 *", "2096-03-01T00:00:00Z",
               "2104-02-29T00:00:00.000Z");
    check_next("0 3 * * mon-fri", "2026-11-27T03:00:00Z", /* a Friday */
               "2026-11-30T03:00:00.000Z");
    check_next("0 3 * * 7", "2026-11-27T03:00:00Z", "2026-11-29T03:00:00.000Z");
    check_next("30 1-3/2 * jan,JUL 0", "2026-01-05T00:00:00Z",
               "2026-01-11T01:30:00.000Z");
    check_next("@monthly", "2026-01-31T12:00:00Z", "2026-02-01T00:00:00.000Z");
    check_next("5/20 * * * *", "2026-01-31T12:26:00Z",
               "2026-01-31T12:45:00.000Z");
}

static void
test_either_of_two_restricted_days_will_do(void **state)
{
    (void)state;
    check_next("0 0 13 * fri", "2026-11-09T00:00:00Z",
               "2026-11-13T00:00:00.000Z");
    check_next("0 0 15 * fri", "2026-11-13T00:00:00Z",
               "2026-11-15T00:00:00.000Z");
    /* A star with a step is a star: both must be right. */
    check_next("0 0 */2 * mon", "2026-11-09T00:00:00Z",
               "2026-11-23T00:00:00.000Z");
}

static void
test_what_is_no_cron_expression(void **state)
{
    static const char *const BAD[] = {"",
                                      "*",
                                      "* * * *",
                                      "* * * * * *",
                                      "60 * * * *",
                                      "* 24 * * *",
                                      "* * 0 * *",
                                      "* * 32 * *",
                                      "* * * 13 *",
                                      "* * * * 8",
                                      "*/0 * * * *",
                                      "5-1 * * * *",
                                      "1,,2 * * * *",
                                      "a * * * *",
                                      "1- * * * *",
                                      "-1 * * * *",
                                      "* * * foo *",
                                      "0 0 30 2 *",
                                      "0 0 31 4,6 *",
                                      "@never",
                                      "1/ * * * *",
                                      "0 0 * * mond"};
    struct cron cron = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(cron_parse(span_str(BAD[i]), &cron), AG_EINVAL);
    }
    check_err(cron_parse(span_str(" 0  3 * * "), &cron), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "4 fields where five belong"));
    assert_non_null(strstr(err_text(AG_EINVAL), "30 3 * * 1-5"));
    check_err(cron_parse(span_str("0 3 * * 1 2"), &cron), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "6 fields"));
}

static struct schedule
windowed(const char *first, const char *second)
{
    struct schedule s = {.every_ms = DAY_MS};

    check_ok(window_parse(span_str(first), &s.windows[s.window_count++]));
    if (second != NULL) {
        check_ok(window_parse(span_str(second), &s.windows[s.window_count++]));
    }
    return s;
}

static void
check_admit(const struct schedule *s, const char *when, const char *want)
{
    char got[CLOCK_TEXT_BYTES];

    clock_text(schedule_admit(s, at(when)), got);
    assert_string_equal(got, want);
}

static void
test_a_window_is_waited_for(void **state)
{
    struct schedule day = windowed("02:00-05:00", NULL);
    struct schedule night = windowed("mon-fri 22:00-04:00", "sun 12:00-13:00");

    (void)state;
    check_admit(&day, "2026-11-29T01:59:59Z", "2026-11-29T02:00:00.000Z");
    check_admit(&day, "2026-11-29T02:00:00Z", "2026-11-29T02:00:00.000Z");
    check_admit(&day, "2026-11-29T04:59:59Z", "2026-11-29T04:59:59.000Z");
    check_admit(&day, "2026-11-29T05:00:00Z", "2026-11-30T02:00:00.000Z");
    /* Friday's night is Saturday's morning. */
    check_admit(&night, "2026-11-28T03:59:00Z", "2026-11-28T03:59:00.000Z");
    check_admit(&night, "2026-11-28T04:00:00Z", "2026-11-29T12:00:00.000Z");
    check_admit(&night, "2026-11-29T13:00:00Z", "2026-11-30T22:00:00.000Z");
}

static void
test_what_is_no_window(void **state)
{
    static const char *const BAD[] = {"",
                                      "noon",
                                      "2:00-5:00",
                                      "02:00",
                                      "02:00-05:60",
                                      "02:00-24:01",
                                      "24:00-02:00",
                                      "mon 02:00 - 05:00",
                                      "never 02:00-05:00",
                                      "02:00-05:00 mon"};
    struct window window = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(window_parse(span_str(BAD[i]), &window), AG_EINVAL);
    }
}

static void
test_the_next_time_is_counted_from_now(void **state)
{
    const struct schedule s = {.every_ms = DAY_MS, .jitter_ms = HOUR_MS};
    int64_t now = at("2026-11-29T00:00:00Z");
    struct due least = {0};
    struct due most = {0};

    (void)state;
    check_ok(schedule_next(&s, now, 0, &least));
    check_ok(schedule_next(&s, now, UINT32_MAX, &most));
    assert_int_equal(least.next_ms, now + DAY_MS);
    assert_int_equal(most.next_ms, now + DAY_MS + HOUR_MS);
    /* No time that it gives is beyond its reach. */
    assert_true(most.next_ms - now <= most.reach_ms);
    assert_true(most.reach_ms < 2 * DAY_MS);
}

static void
test_the_longest_interval_and_jitter_do_not_overflow(void **state)
{
    const struct schedule s = {.every_ms = SCHEDULE_EVERY_MAX_MS,
                               .jitter_ms = SCHEDULE_EVERY_MAX_MS};
    int64_t now = at("2026-11-29T00:00:00Z");
    struct due due = {0};

    (void)state;
    check_ok(schedule_next(&s, now, UINT32_MAX, &due));
    assert_int_equal(due.next_ms, now + 2 * SCHEDULE_EVERY_MAX_MS);
}

static void
test_jitter_stays_in_the_window(void **state)
{
    struct schedule s = windowed("02:00-02:30", NULL);
    int64_t now = at("2026-11-29T12:00:00Z");
    struct due due = {0};

    (void)state;
    s.jitter_ms = 6 * HOUR_MS;
    for (uint32_t pick = 0; pick < 0xf0000000U; pick += 0x0fffffffU) {
        check_ok(schedule_next(&s, now, pick, &due));
        assert_int_equal(schedule_admit(&s, due.next_ms), due.next_ms);
        assert_true(due.next_ms - now <= due.reach_ms);
    }
}

static void
test_cron_reaches_over_its_longest_pause(void **state)
{
    struct schedule s = {.cron = cron_of("0 3 * * mon-fri")};
    int64_t now = at("2026-11-27T04:00:00Z");
    struct due due = {0};

    (void)state;
    check_ok(schedule_next(&s, now, 0, &due));
    assert_int_equal(due.next_ms, at("2026-11-30T03:00:00Z"));
    assert_true(due.next_ms - now <= due.reach_ms);
    assert_true(due.reach_ms < 8 * (int64_t)DAY_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cron_names_the_next_minute),
        cmocka_unit_test(test_either_of_two_restricted_days_will_do),
        cmocka_unit_test(test_what_is_no_cron_expression),
        cmocka_unit_test(test_a_window_is_waited_for),
        cmocka_unit_test(test_what_is_no_window),
        cmocka_unit_test(test_the_next_time_is_counted_from_now),
        cmocka_unit_test(test_the_longest_interval_and_jitter_do_not_overflow),
        cmocka_unit_test(test_jitter_stays_in_the_window),
        cmocka_unit_test(test_cron_reaches_over_its_longest_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
