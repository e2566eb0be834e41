// LINKS: core
// WRAP: upstream_start upstream_cancel
/* A login refreshed: who waits for what, and what it comes to. */
#include "base/buf.h"
#include "common/logins.h"
#include "rotate/oauth2.h"

/* ---- the good way ---- */

static void
test_all_who_ask_wait_for_one_call(void **state)
{
    struct waiter w[3];
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    for (size_t i = 0; i < AG_COUNT(w); i++) {
        check_ok(ask(&w[i], i == 1 ? REFRESH_REFUSED : REFRESH_DUE, 1, &say));
        assert_int_equal(say, REFRESH_WAIT);
    }
    assert_int_equal(wire.started, 1);
    assert_string_equal(wire.host, "platform.claude.com");
    assert_string_equal(wire.target, "/v1/oauth/token");
    assert_int_equal(wire.flags, UPSTREAM_APART);
    refresh_forget(flow.core, &w[2].wait);
    answer(200, "", NEW);
    assert_non_null(
        strstr(wire.body, "\"refresh_token\":\"sk-ant-ort01-login"));
    check_ok(told(&w[0]));
    check_ok(told(&w[1]));
    assert_int_equal(sem_trywait(&w[2].told), -1);
    check_current(2, "sk-ant-oat01-new");
    check_current(2, "sk-ant-ort01-new");
    assert_int_equal(wire.cancelled, 1);
    /* Fresh; a refusal of the one before it is old news, one of it comes too
     * soon; later it is believed. */
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    check_say(REFRESH_REFUSED, 1, REFRESH_GO);
    check_say(REFRESH_REFUSED, 2, REFRESH_NONE);
    assert_int_equal(wire.started, 1);
    pass(REFRESH_PAUSE_MS);
    check_ok(ask(&w[0], REFRESH_REFUSED, 2, &say));
    assert_int_equal(say, REFRESH_WAIT);
    assert_int_equal(wire.started, 2);
    answer(200, "", NEW);
    check_ok(told(&w[0]));
}

static void
test_before_its_end_and_not_long_before(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(60);
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    pass(54 * MINUTE_MS);
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    pass(MINUTE_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(200, "", NEW);
    check_ok(told(&w));
}

static void
test_what_has_nothing_to_refresh_is_left_alone(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(act(find_id, &call, "github/bot", NULL));
    wire.started = 0;
    check_say(REFRESH_DUE, 0, REFRESH_NONE);
    check_say(REFRESH_REFUSED, 1, REFRESH_NONE);
    assert_int_equal(wire.started, 0);
}

/* ---- refusals ---- */

static void
test_refused_for_good_is_told_at_once_and_for_long(void **state)
{
    struct waiter w[2];
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    for (size_t i = 0; i < AG_COUNT(w); i++) {
        check_ok(ask(&w[i], REFRESH_DUE, 0, &say));
    }
    answer(400, "", "{\"error\":\"invalid_grant\"}");
    for (size_t i = 0; i < AG_COUNT(w); i++) {
        assert_int_equal(told(&w[i]), AG_ELOGIN);
        assert_non_null(strstr(w[i].why, "invalid_grant"));
        assert_non_null(strstr(w[i].why, "auth-guard adopt"));
    }
    pass(60 * MINUTE_MS);
    check_err(ask(&w[0], REFRESH_DUE, 0, &say), AG_ELOGIN);
    check_err(ask(&w[0], REFRESH_REFUSED, 1, &say), AG_ELOGIN);
    assert_int_equal(wire.started, 1);
    put_login(login_name, "sk-ant-oat01-again-0123456789",
              now_ms + 60 * MINUTE_MS);
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    check_say(REFRESH_REFUSED, 1, REFRESH_GO);
    assert_int_equal(wire.started, 1);
}

static void
test_a_failing_service_is_left_in_peace(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    int64_t pause_ms = 0;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    answer(503, "100", "");
    assert_int_equal(told(&w), AG_EREFRESH);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    pass(INT64_C(99) * 1000);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    assert_int_equal(wire.started, 1);
    pass(1000);
    /* Without a word from the service the pause doubles, up to the cap. */
    for (int i = 2; i < 14; i++) {
        int64_t slept_ms = 0;

        while (ask(&w, REFRESH_DUE, 0, &say) == AG_EREFRESH) {
            pass(250);
            slept_ms += 250;
        }
        assert_int_equal(wire.started, i);
        assert_true(slept_ms <= REFRESH_BACKOFF_MAX_MS * 5 / 4 + 250);
        assert_true(i < 4 || slept_ms * 4 > pause_ms);
        pause_ms = slept_ms;
        take_body();
        wire.events->on_end(wire.ctx, AG_EUNREACHABLE);
        assert_int_equal(told(&w), AG_EREFRESH);
    }
    assert_true(pause_ms >= REFRESH_BACKOFF_MAX_MS * 3 / 4 - 250);
    pass(LONG_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    answer(200, "", NEW);
    check_ok(told(&w));
    check_current(2, "new");
}

static void
test_a_token_that_is_good_goes_on_in_a_pause(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_WAIT;

    (void)state;
    new_login(60);
    pass(58 * MINUTE_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(500, "600", "");
    check_ok(told(&w));
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    check_err(ask(&w, REFRESH_REFUSED, 1, &say), AG_EREFRESH);
    pass(2 * MINUTE_MS);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    assert_int_equal(wire.started, 1);
}

static void
test_garbage_is_a_failure(void **state)
{
    const char *const bodies[] = {"", "<html>", "{\"token\":5}"};
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    for (size_t i = 0; i < AG_COUNT(bodies); i++) {
        check_ok(ask(&w, REFRESH_DUE, 0, &say));
        answer(200, "", bodies[i]);
        assert_int_equal(told(&w), AG_EREFRESH);
        pass(LONG_MS);
    }
    check_current(1, "old");
}

/* Asked again with the old refresh token the service would say no for ever. */
static void
test_tokens_that_can_not_be_kept_are_the_end_of_a_login(void **state)
{
    static char huge[OAUTH2_ANSWER_MAX_BYTES + 2000];
    const char *const bodies[] = {"{\"access_token\":5}", huge};
    struct call call = call_of(flow.operator_peer);
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    AG_AUTO(buf) struct buf denial = {0};
    AG_AUTO(wjson) json_t *shown = NULL;

    (void)state;
    memset(huge, ' ', sizeof(huge) - 1);
    memcpy(huge, NEW, sizeof(NEW) - 1);
    for (size_t i = 0; i < AG_COUNT(bodies); i++) {
        new_login(-1);
        check_ok(ask(&w, REFRESH_DUE, 0, &say));
        answer(200, "", bodies[i]);
        assert_int_equal(told(&w), AG_ELOGIN);
        assert_non_null(strstr(w.why, "can't be kept"));
        pass(LONG_MS);
        check_err(ask(&w, REFRESH_DUE, 0, &say), AG_ELOGIN);
        assert_non_null(strstr(err_text(AG_ELOGIN), "can't be kept"));
        assert_int_equal(wire.started, 1);
        check_current(1, "old");
    }
    check_ok(core_secret_show(flow.core, &call, login_name, &shown));
    assert_string_equal(text_at(shown, "needs_login"), OAUTH2_UNUSABLE);
    /* Its tool hears a word that it knows. */
    buf_init(&denial, 4096, BUF_PLAIN);
    check_ok(refresh_denial(flow.core, login_id, &denial));
    assert_non_null(strstr(buf_cstr(&denial), "invalid_grant"));
    /* A huge page that is no success, or speaks of none, says nothing. */
    for (int status = 200; status <= 502; status += 302) {
        new_login(-1);
        check_ok(ask(&w, REFRESH_DUE, 0, &say));
        memcpy(huge, "<html>", status == 200 ? 6 : 0);
        memset(huge + 6, ' ', status == 200 ? sizeof(NEW) : 0);
        answer(status, "", huge);
        assert_int_equal(told(&w), AG_EREFRESH);
        memcpy(huge, NEW, sizeof(NEW) - 1);
    }
}

/* A task that has the service, or another, answer 401. */
static void
test_refreshes_that_are_forced_get_rare(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    int64_t version = 1;
    int64_t slept_ms = 0;
    int64_t before_ms = 0;

    (void)state;
    new_login(60);
    for (int i = 0; i < 9; i++) {
        before_ms = slept_ms;
        slept_ms = 0;
        check_ok(ask(&w, REFRESH_REFUSED, version, &say));
        while (say == REFRESH_NONE) {
            pass(1000);
            slept_ms += 1000;
            check_ok(ask(&w, REFRESH_REFUSED, version, &say));
        }
        assert_int_equal(say, REFRESH_WAIT);
        assert_true(i < 2 || slept_ms == 2 * before_ms ||
                    slept_ms == REFRESH_FORCED_MAX_MS);
        answer(200, "", NEW);
        check_ok(told(&w));
        version++;
    }
    assert_int_equal(slept_ms, REFRESH_FORCED_MAX_MS);
    /* What is due is not held up by that; and quiet is believed. */
    pass(REFRESH_PAUSE_MS);
    check_say(REFRESH_REFUSED, version, REFRESH_NONE);
    pass(REFRESH_FORCED_QUIET_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(200, "", NEW);
    check_ok(told(&w));
    pass(REFRESH_PAUSE_MS);
    check_ok(ask(&w, REFRESH_REFUSED, version + 1, &say));
    assert_int_equal(say, REFRESH_WAIT);
    answer(200, "", NEW);
    check_ok(told(&w));
}

static void
test_a_call_that_does_not_begin(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    wire.refuses = true;
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EBUSY);
    wire.refuses = false;
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_EREFRESH);
    pass(LONG_MS);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    answer(200, "", NEW);
    check_ok(told(&w));
}

/* ---- what comes between ---- */

static void
test_a_version_put_meanwhile_stays_current(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    put_login(login_name, "sk-ant-oat01-person-012345",
              now_ms + 60 * MINUTE_MS);
    answer(200, "", NEW);
    check_ok(told(&w));
    check_current(2, "person");
    check_say(REFRESH_DUE, 0, REFRESH_GO);
    /* A refusal of the one before says nothing of it either. */
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    put_login(login_name, "sk-ant-oat01-person-012345",
              now_ms + 60 * MINUTE_MS);
    answer(400, "", "{\"error\":\"invalid_grant\"}");
    check_ok(told(&w));
    check_say(REFRESH_DUE, 0, REFRESH_GO);
}

static void
test_a_login_removed_meanwhile_needs_no_answer(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    size_t before = 0;

    (void)state;
    new_login(-1);
    before = secret_arena_used_bytes();
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    check_ok(act(do_remove, &call, login_name, NULL));
    answer(200, "", NEW);
    assert_int_equal(told(&w), AG_ENOTFOUND);
    /* It is not kept. */
    assert_true(secret_arena_used_bytes() <= before);
    check_err(ask(&w, REFRESH_DUE, 0, &say), AG_ENOTFOUND);
}

static void
lock_and_unlock(void (*between)(void))
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    const struct unlock_request request = {.passphrase = passphrase};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *opened = NULL;

    check_ok(vault_lock(flow.core, &call));
    between();
    call = call_of(flow.operator_peer);
    check_ok(vault_unlock(flow.core, &call, &request, &opened));
}

static void
answer_now(void)
{
    answer(200, "", NEW);
}

static void
test_an_answer_to_a_locked_vault_is_kept(void **state)
{
    struct waiter w;
    enum refresh_say say = REFRESH_GO;
    int64_t next_ms = 0;

    (void)state;
    new_login(-1);
    check_ok(ask(&w, REFRESH_DUE, 0, &say));
    lock_and_unlock(answer_now);
    assert_int_equal(told(&w), AG_ELOCKED);
    pass(LONG_MS);
    core_tick(flow.core, &next_ms);
    check_current(2, "new");
    assert_int_equal(wire.started, 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_who_ask_wait_for_one_call),
        cmocka_unit_test(test_before_its_end_and_not_long_before),
        cmocka_unit_test(test_what_has_nothing_to_refresh_is_left_alone),
        cmocka_unit_test(test_refused_for_good_is_told_at_once_and_for_long),
        cmocka_unit_test(test_a_failing_service_is_left_in_peace),
        cmocka_unit_test(test_a_token_that_is_good_goes_on_in_a_pause),
        cmocka_unit_test(test_garbage_is_a_failure),
        cmocka_unit_test(
            test_tokens_that_can_not_be_kept_are_the_end_of_a_login),
        cmocka_unit_test(test_refreshes_that_are_forced_get_rare),
        cmocka_unit_test(test_a_call_that_does_not_begin),
        cmocka_unit_test(test_a_version_put_meanwhile_stays_current),
        cmocka_unit_test(test_a_login_removed_meanwhile_needs_no_answer),
        cmocka_unit_test(test_an_answer_to_a_locked_vault_is_kept),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_with_wire, flow_close);
}
