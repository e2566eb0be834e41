// WRAP: upstream_start upstream_cancel
/* Logins that are refreshed by schedule: the call is that of core/refresh.h, and
 * the service is played. */
#include <poll.h>
#include <pthread.h>

#include "common/logins.h"
#include "core/rotation.h"
#include "core/state.h"
#include "store/rotations.h"

enum {
    DAY_S = 24 * 3600,
};

static enum ag_err
do_rule(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_rotation_rule_set(core, tx, call, request, ret);
}

static enum ag_err
set_rule(const char *name, int64_t grace_s, int64_t length)
{
    const struct rotation_rule_request rule = {.name = name,
                                               .every_s = DAY_S,
                                               .grace_s = grace_s,
                                               .rotator = "oauth2",
                                               .length = length};
    struct call call = call_of(flow.operator_peer);

    return act(do_rule, &call, &rule, NULL);
}

static void
begin(void)
{
    new_login(60);
    check_ok(set_rule(login_name, 0, 0));
}

/* ---- a run, on a thread of its own, since it waits for the service ---- */

static struct {
    pthread_t thread;
    enum ag_err err;
    json_t *answer;
    bool due;
} running;

static void *
run_main(void *arg)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {login_name};
    const struct rotate_request request = {
        .names = names, .name_count = running.due ? 0 : 1, .due = running.due};

    (void)arg;
    call.now_ms = clock_wall_ms();
    running.err = core_rotate(flow.core, &call, &request, &running.answer);
    return NULL;
}

static void
start_run(bool due)
{
    running.due = due;
    running.answer = NULL;
    assert_int_equal(pthread_create(&running.thread, NULL, run_main, NULL), 0);
}

static void
await_call(int count)
{
    for (int i = 0; i < 1000 && wire.started < count; i++) {
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(wire.started, count);
}

/* Its only item: "" for none. */
static void
end_run(const char *result, const char *code)
{
    const json_t *items = NULL;

    assert_int_equal(pthread_join(running.thread, NULL), 0);
    check_ok(running.err);
    items = json_object_get(running.answer, "items");
    assert_int_equal(json_array_size(items), result[0] != '\0' ? 1 : 0);
    if (result[0] != '\0') {
        assert_string_equal(text_at(json_array_get(items, 0), "code"), code);
        assert_string_equal(text_at(json_array_get(items, 0), "result"),
                            result);
    }
    json_decref(running.answer);
}

static void
check_journal(const char *state, int64_t new_version)
{
    AG_AUTO(wjson) json_t *log = NULL;
    const json_t *row = NULL;

    check_ok(core_rotation_list(flow.core, login_name, &log));
    row = json_array_get(json_object_get(log, "rotations"), 0);
    assert_string_equal(text_at(row, "state"), state);
    assert_int_equal(json_integer_value(json_object_get(row, "new_version")),
                     new_version);
}

/* ---- tests ---- */

static void
test_a_login_is_refreshed_by_schedule(void **state)
{
    (void)state;
    begin();
    start_run(true);
    end_run("", ""); /* not due */
    pass(DAY_S * INT64_C(1000));
    start_run(true);
    await_call(1);
    answer(200, "", NEW);
    end_run("done", "");
    check_current(2, "sk-ant-oat01-new");
    check_journal("done", 2);
    start_run(true);
    end_run("", "");
    pass(DAY_S * INT64_C(1000));
    start_run(true);
    await_call(2);
    answer(200, "", NEW);
    end_run("done", "");
    check_journal("done", 3);
}

static void
test_it_is_one_call_with_those_who_use_it(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    begin();
    start_run(false);
    await_call(1);
    check_ok(ask(&w, REFRESH_REFUSED, 1, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(200, "", NEW);
    check_ok(told(&w));
    end_run("done", "");
    assert_int_equal(wire.started, 1);
    check_journal("done", 2);
}

/* The answer to the first was lost after it took effect, so the same token is
 * sent again: the service says no for good, and that is for a person. */
static void
test_a_replayed_token_is_for_a_person(void **state)
{
    (void)state;
    begin();
    pass(DAY_S * INT64_C(1000));
    start_run(true);
    await_call(1);
    take_body();
    wire.events->on_end(wire.ctx, AG_EUPSTREAM);
    end_run("failed", "refresh_failed");
    check_journal("undone", 0);
    start_run(true);
    end_run("", ""); /* not at once */
    pass(ROTATION_RETRY_MS);
    start_run(true);
    await_call(2);
    answer(400, "", "{\"error\":\"invalid_grant\"}");
    end_run("needs_person", "invalid_grant");
    check_journal("abandoned", 0);
    /* Told once per interval, and the service is not asked again. */
    pass(ROTATION_RETRY_MS);
    start_run(true);
    end_run("", "");
    pass(DAY_S * INT64_C(1000));
    start_run(true);
    end_run("needs_person", "invalid_grant");
    assert_int_equal(wire.started, 2);
    /* Until there is a new login. */
    put_login(login_name, "sk-ant-oat01-again-0123456789",
              now_ms + 60 * MINUTE_MS);
    start_run(false);
    await_call(3);
    answer(200, "", NEW);
    end_run("done", "");
    check_journal("done", 3);
}

/* What comes after the end of the run is kept, and the next finds it there. */
static void
test_a_run_that_is_cut_off_finds_what_came_of_it(void **state)
{
    (void)state;
    begin();
    start_run(false);
    await_call(1);
    core_rotation_stop(flow.core);
    assert_int_equal(pthread_join(running.thread, NULL), 0);
    assert_int_equal(running.err, AG_EBUSY);
    check_journal("preparing", 0);
    answer(200, "", NEW);
    atomic_store(&flow.core->rotation_stops, false);
    start_run(false);
    end_run("done", "changed_meanwhile");
    check_current(2, "sk-ant-oat01-new");
    check_journal("done", 2);
    assert_int_equal(wire.started, 1);
}

static void
test_only_logins_and_nothing_to_say(void **state)
{
    (void)state;
    new_login(60);
    check_err(set_rule(login_name, 1, 0), AG_EINVAL);
    check_err(set_rule(login_name, 0, 40), AG_EINVAL);
    check_err(set_rule("github/bot", 0, 0), AG_EINVAL);
}

/* As a login by API key has none, in the same file. */
static void
test_a_login_without_a_refresh_token_is_refused(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(secret)
    struct secret *value = secret_of("{\"claudeAiOauth\":{\"accessToken\":\"sk-"
                                     "ant-oat01-only-0123456789\"}}");
    const struct put_request request = {.name = "login/key",
                                        .profile = "claude",
                                        .value = value,
                                        .if_version = -1};

    (void)state;
    check_ok(act(do_put, &call, &request, NULL));
    check_err(set_rule("login/key", 0, 0), AG_EINVAL);
    assert_non_null(strstr(err_text(AG_EINVAL), "has no refresh token"));
    put_login("login/key", "sk-ant-oat01-again-0123456789",
              now_ms + 60 * MINUTE_MS);
    check_ok(set_rule("login/key", 0, 0));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_login_is_refreshed_by_schedule,
                                        open_with_wire, flow_close),
        cmocka_unit_test_setup_teardown(
            test_it_is_one_call_with_those_who_use_it, open_with_wire,
            flow_close),
        cmocka_unit_test_setup_teardown(test_a_replayed_token_is_for_a_person,
                                        open_with_wire, flow_close),
        cmocka_unit_test_setup_teardown(
            test_a_run_that_is_cut_off_finds_what_came_of_it, open_with_wire,
            flow_close),
        cmocka_unit_test_setup_teardown(test_only_logins_and_nothing_to_say,
                                        open_with_wire, flow_close),
        cmocka_unit_test_setup_teardown(
            test_a_login_without_a_refresh_token_is_refused, open_with_wire,
            flow_close),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
