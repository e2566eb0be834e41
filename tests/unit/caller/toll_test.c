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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_toll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
