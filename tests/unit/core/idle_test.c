/* A vault that is left alone locks itself, and no sooner. */
#include "base/clock.h"
#include "common/broker.h"

enum {
    IDLE_MS = 60 * 1000, /* less than the machine has run for */
};

static bool
is_open_after_a_tick(void)
{
    int64_t next_ms = 0;

    core_tick(flow.core, &next_ms);
    return core_state(flow.core) == VAULT_OPEN;
}

static void
unlock_vault(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};

    check_ok(vault_unlock(flow.core, &call, &request, &answer));
}

static void
wait_idle(int64_t ms)
{
    clock_fix_ms(clock_steady_ms() + ms);
}

static void
test_quiet_is_counted_from_what_opened_it(void **state)
{
    const struct core_settings settings = {.session_ms = 600000,
                                           .idle_lock_ms = IDLE_MS};

    (void)state;
    core_set_settings(flow.core, &settings);
    /* New, and not used yet: the clock began long before. */
    assert_true(is_open_after_a_tick());
    wait_idle(IDLE_MS + 1);
    assert_false(is_open_after_a_tick());
    unlock_vault();
    assert_true(is_open_after_a_tick());
    wait_idle(IDLE_MS - 1);
    unlock_vault(); /* a proof is a use too */
    wait_idle(IDLE_MS - 1);
    assert_true(is_open_after_a_tick());
    wait_idle(1);
    assert_false(is_open_after_a_tick());
    unlock_vault();
    clock_fix_ms(-1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_is_counted_from_what_opened_it),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
