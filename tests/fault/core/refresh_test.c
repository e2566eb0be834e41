// LINKS: core
// WRAP: upstream_start upstream_cancel secret_new store_submit wipe_malloc
/*
 * Every step after the service's answer fails in turn. Whatever happens, it is
 * called once for a refresh token, and what it answered ends up in the vault.
 */
#include "base/wipealloc.h"
#include "common/fault.h"
#include "common/logins.h"

FAULT_WRAPPER(enum ag_err, secret_new, (size_t len, struct secret **ret),
              (len, ret), AG_EMEMLOCK)
FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(enum ag_err, store_submit,
              (struct store * s, struct store_job *job), (s, job), AG_ENOSPACE)

/* False: nothing failed any more. */
static bool
one_fault(unsigned nth, bool later_ones_too)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    bool fired = false;

    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    fault_arm(nth);
    fault.all_later = later_ones_too;
    answer(200, "", NEW);
    (void)told(&w);
    fired = fault_done();
    if (w.err == AG_OK) {
        check_current(2, "sk-ant-ort01-new");
        return fired;
    }
    /* Nothing of it is to be seen, and nothing is lost. */
    assert_true(fired);
    check_current(1, "old");
    pass(LONG_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    check_ok(told(&w));
    check_current(2, "sk-ant-ort01-new");
    assert_int_equal(wire.started, 1);
    return true;
}

static void
test_an_answer_is_never_lost(void **state)
{
    unsigned nth = 1;

    (void)state;
    while (one_fault(nth, false)) {
        nth++;
    }
    assert_true(nth > 20);
    for (nth = 1; one_fault(nth, true); nth++) {
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_is_never_lost),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_with_wire, flow_close);
}
