/* When a minted credential ends, whatever its provider says. */
#include "common/check.h"
#include "core/mint_impl.h"
#include "store/tasks.h"

static const int64_t S_MS = 1000;
static const int64_t MIN_MS = 60 * INT64_C(1000);
static const int64_t HOUR_MS = 3600 * INT64_C(1000);
static const int64_t NOW_MS = 1000 * INT64_C(1000);

static const struct minter KEEPS = {.settled_ms = 25000};
static const struct minter RENEWS = {.renews = true};

/* One that was asked for until an hour from now. */
static struct minting
asked(int64_t told_ms)
{
    return (struct minting){
        .rule = {.minter = &KEEPS, .ttl_ms = HOUR_MS},
        .asked_ms = NOW_MS + HOUR_MS,
        .answer = {.outcome = ROTATOR_DONE, .expires_ms = told_ms},
    };
}

static void
check_told(int64_t told_ms, int64_t want_ms, bool too_soon, const char *code)
{
    struct minting m = asked(told_ms);

    mint_believe(&m, NOW_MS);
    assert_int_equal(m.answer.expires_ms, want_ms);
    assert_int_equal(m.too_soon, too_soon);
    assert_string_equal(m.answer.code, code);
}

static void
test_no_end_is_later_than_asked_or_over_already(void **state)
{
    const int64_t until_ms = NOW_MS + HOUR_MS;

    (void)state;
    check_told(until_ms, until_ms, false, "");
    check_told(0, until_ms, false, "");
    check_told(NOW_MS + MIN_MS, NOW_MS + MIN_MS, false, "");
    check_told(NOW_MS + 10 * S_MS, NOW_MS + 10 * S_MS, false, "");
    check_told(until_ms + 1, until_ms, false, "ends_later_than_asked");
    check_told(INT64_MAX, until_ms, false, "ends_later_than_asked");
    check_told(NOW_MS + 10 * S_MS - 1, until_ms, true, "ends_too_soon");
    check_told(1, until_ms, true, "ends_too_soon");
    check_told(-1, until_ms, true, "ends_too_soon");
}

static void
test_what_was_not_done_has_no_end(void **state)
{
    struct minting m = asked(1);

    (void)state;
    m.answer.outcome = ROTATOR_LATER;
    mint_believe(&m, NOW_MS);
    assert_int_equal(m.answer.expires_ms, 1);
    assert_false(m.too_soon);
}

/* As long as the least of rules: its time to be made is part of it. */
static void
test_a_short_one_that_was_asked_for_is_believed(void **state)
{
    struct minting m = asked(NOW_MS + 5 * S_MS);

    (void)state;
    m.asked_ms = NOW_MS + 5 * S_MS;
    mint_believe(&m, NOW_MS);
    assert_false(m.too_soon);
    assert_string_equal(m.answer.code, "");
}

static int64_t
due_in(int64_t life_ms)
{
    const struct task_row task = {.deadline_ms = NOW_MS + 10 * HOUR_MS};
    struct minting m = {.rule = {.minter = &RENEWS, .ttl_ms = HOUR_MS},
                        .row = {.expires_ms = NOW_MS + life_ms}};

    return mint_due(&m, &task, NOW_MS) - NOW_MS;
}

/* By what it was given, which may be less than the rule says: else it would be
 * due at once, again and again. */
static void
test_it_is_renewed_a_share_of_its_life_before_the_end(void **state)
{
    (void)state;
    assert_int_equal(due_in(HOUR_MS), HOUR_MS - 5 * MIN_MS);
    assert_int_equal(due_in(MIN_MS), 45 * S_MS);
    assert_int_equal(due_in(10 * S_MS), 7500);
}

static int64_t
settled_in(int64_t version, int64_t since_ms, const char *code)
{
    struct minting m = {
        .rule = {.minter = &KEEPS},
        .row = {.version = version, .created_ms = NOW_MS - since_ms}};
    int64_t at_ms = 0;

    (void)snprintf(m.answer.code, sizeof(m.answer.code), "%s", code);
    at_ms = mint_settled(&m, NOW_MS);
    return at_ms != 0 ? at_ms - NOW_MS : 0;
}

static void
test_what_may_yet_come_is_waited_for_as_long(void **state)
{
    (void)state;
    assert_int_equal(settled_in(0, 5 * S_MS, MINTER_NONE_THERE), 20 * S_MS);
    assert_int_equal(settled_in(0, 25 * S_MS, MINTER_NONE_THERE), 0);
    assert_int_equal(settled_in(1, 5 * S_MS, MINTER_NONE_THERE), 0);
    assert_int_equal(settled_in(0, 5 * S_MS, ""), 0);
    /* The clock was set back a day. */
    assert_int_equal(settled_in(0, -24 * HOUR_MS, MINTER_NONE_THERE),
                     25 * S_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_end_is_later_than_asked_or_over_already),
        cmocka_unit_test(test_what_was_not_done_has_no_end),
        cmocka_unit_test(test_a_short_one_that_was_asked_for_is_believed),
        cmocka_unit_test(test_it_is_renewed_a_share_of_its_life_before_the_end),
        cmocka_unit_test(test_what_may_yet_come_is_waited_for_as_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
