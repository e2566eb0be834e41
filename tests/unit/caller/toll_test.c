/* The toll of refusals: so many a minute of one caller. */
#include "caller/toll.h"
#include "common/check.h"

enum {
    NOW_MS = 1000000,
    MINUTE_MS = 60 * 1000,
    LIMIT = 3,
};

static void
test_toll(void **state)
{
    AG_AUTO(toll) struct toll *t = NULL;

    (void)state;
    check_ok(toll_new(&t));
    for (int i = 0; i < LIMIT; i++) {
        check_ok(toll_check(t, 7, LIMIT, NOW_MS));
        toll_add(t, 7, NOW_MS);
    }
    check_err(toll_check(t, 7, LIMIT, NOW_MS + MINUTE_MS - 1), AG_ERATE);
    check_ok(toll_check(t, 8, LIMIT, NOW_MS));
    check_ok(toll_check(t, 7, LIMIT, NOW_MS + MINUTE_MS));
    /* A crowd of others makes it forget the oldest, never fail. */
    for (pid_t pid = 100; pid < 400; pid++) {
        toll_add(t, pid, NOW_MS + MINUTE_MS);
    }
    check_err(toll_check(t, 399, 1, NOW_MS + MINUTE_MS), AG_ERATE);
}

/* Refusals beyond the limit have no row each, but their count is kept until it
 * is taken, whoever comes in between. */
static void
test_folding(void **state)
{
    AG_AUTO(toll) struct toll *t = NULL;
    struct toll_fold folds[TOLL_CALLERS_COUNT];

    (void)state;
    check_ok(toll_new(&t));
    for (int i = 0; i < LIMIT; i++) {
        assert_true(toll_note(t, 7, LIMIT, NOW_MS));
    }
    assert_false(toll_note(t, 7, LIMIT, NOW_MS + 1));
    assert_false(toll_note(t, 7, LIMIT, NOW_MS + MINUTE_MS - 1));
    assert_true(toll_note(t, -7, LIMIT, NOW_MS));
    for (int64_t id = 100; id < 400; id++) {
        assert_true(toll_note(t, id, LIMIT, NOW_MS));
    }
    assert_int_equal(toll_fold(t, NOW_MS + MINUTE_MS - 1, folds), 0);
    assert_int_equal(toll_fold(t, NOW_MS + MINUTE_MS, folds), 1);
    assert_int_equal(folds[0].caller, 7);
    assert_int_equal(folds[0].count, 2);
    assert_int_equal(toll_fold(t, INT64_MAX, folds), 0);
    assert_true(toll_note(t, 7, LIMIT, NOW_MS + MINUTE_MS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_toll),
        cmocka_unit_test(test_folding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
