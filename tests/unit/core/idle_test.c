/* The vault locks when nobody uses it for a while, and not before: which acts
 * are a use. */
#include "base/clock.h"
#include "common/permits.h"
#include "core/reach.h"
#include "core/state.h"
#include "core/vault.h"

enum {
    IDLE_MS = 100 * 1000,
};

static const char *const ALLOW[] = {"open.example"};

static void
set_idle(int64_t ms)
{
    struct core_settings settings = core_settings_of(flow.core);

    settings.idle_lock_ms = ms;
    core_set_settings(flow.core, &settings);
}

/* The last use was long ago. */
static void
grow_old(void)
{
    atomic_store(&flow.core->busy_ms, clock_steady_ms() - 2L * IDLE_MS);
}

static bool
is_open_after_a_tick(void)
{
    int64_t next_ms = 0;

    core_tick(flow.core, &next_ms);
    return core_state(flow.core) == VAULT_OPEN;
}

static void
unlock(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};

    check_ok(vault_unlock(flow.core, &call, &request, &answer));
}

/* A task with one value and one host more. */
static void
start(void)
{
    static const struct task_proxy_request WISH = {.uses = -1,
                                                   .ref = "ag://github/bot",
                                                   .upstream =
                                                       "https://api.example",
                                                   .key_env = "K"};

    sender.allow = ALLOW;
    sender.allow_count = AG_COUNT(ALLOW);
    start_sender(&WISH, 1);
}

/* However long the machine has been on. First of all: nothing was done yet. */
static void
test_a_vault_just_made_is_in_use(void **state)
{
    (void)state;
    set_idle(clock_steady_ms() / 2);
    assert_true(is_open_after_a_tick());
}

static void
test_one_that_nobody_uses_locks(void **state)
{
    (void)state;
    set_idle(IDLE_MS);
    grow_old();
    assert_false(is_open_after_a_tick());
    unlock();
    assert_true(is_open_after_a_tick());
    set_idle(0);
    grow_old();
    assert_true(is_open_after_a_tick());
    set_idle(IDLE_MS);
}

static void
test_a_proof_is_a_use(void **state)
{
    (void)state;
    grow_old();
    unlock();
    assert_true(is_open_after_a_tick());
}

static void
test_a_running_task_is_a_use(void **state)
{
    (void)state;
    start();
    grow_old();
    assert_true(is_open_after_a_tick());
    end_sender();
    assert_false(is_open_after_a_tick());
    unlock();
}

/* The first time with a record of its own, then without. */
static void
test_what_a_task_sends_is_a_use(void **state)
{
    const struct sent sent = {
        .service = "api.example", .name = "Authorization", .value = bearer("")};

    (void)state;
    for (int times = 1; times <= 2; times++) {
        start();
        (void)bearer(sender.keys[0]);
        for (int i = 0; i < times; i++) {
            grow_old();
            check_ok(send_one(&sent));
        }
        end_sender();
        assert_true(is_open_after_a_tick());
    }
}

static void
test_a_connection_is_a_use(void **state)
{
    AG_AUTO(reach) struct reach found = {0};
    struct guard_host host = {0};
    struct call call = {0};

    (void)state;
    start();
    grow_old();
    call = call_of(flow.task_peer);
    check_ok(guard_read_host(span_str(ALLOW[0]), &host));
    check_ok(reach_decide(flow.core, &call, &host, 443, &found));
    end_sender();
    assert_true(is_open_after_a_tick());
}

/* As who answers requests says it is (http/dispatch.c). */
static void
test_what_is_said_to_be_a_use(void **state)
{
    (void)state;
    grow_old();
    core_used(flow.core);
    assert_true(is_open_after_a_tick());
}

/* To be recognised alone is none: also who asks how things are is. */
static void
test_a_token_shown_is_no_use(void **state)
{
    struct call call = {0};

    (void)state;
    start_task();
    grow_old();
    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    access_done(flow.core, &call);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
    assert_false(is_open_after_a_tick());
    unlock();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_vault_just_made_is_in_use),
        cmocka_unit_test(test_one_that_nobody_uses_locks),
        cmocka_unit_test(test_a_proof_is_a_use),
        cmocka_unit_test(test_a_running_task_is_a_use),
        cmocka_unit_test(test_what_a_task_sends_is_a_use),
        cmocka_unit_test(test_a_connection_is_a_use),
        cmocka_unit_test(test_what_is_said_to_be_a_use),
        cmocka_unit_test(test_a_token_shown_is_no_use),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
