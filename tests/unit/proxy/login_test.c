// WRAP: upstream_start upstream_cancel
/* A request that waits for its login. */
#include "base/wipealloc.h"
#include "common/logins.h"
#include "common/permits.h"
#include "proxy/proxy.h"

static struct {
    sem_t told;
    enum ag_err err;
} client;

static void
on_answer(void *arg, const struct proxy_answer *given)
{
    (void)arg;
    wipe_free(given->whole);
    (void)sem_post(&client.told);
}

static void
on_fail(void *arg, enum ag_err err, const char *why)
{
    (void)arg;
    (void)why;
    client.err = err;
    (void)sem_post(&client.told);
}

static void
on_wake(void *arg)
{
    (void)arg;
}

/* Its value belongs in the body, which ended before it was decided. */
static void
test_an_empty_body_is_decided_on_after_the_refresh(void **state)
{
    char ref[64];
    const struct task_proxy_request wish = {.ref = ref,
                                            .upstream = "https://api.example",
                                            .key_env = "K",
                                            .json = "/key",
                                            .uses = -1};
    const struct proxy_client told_by = {
        .answer = on_answer, .fail = on_fail, .wake = on_wake};
    struct proxy_request request = {.method = span_str("POST"),
                                    .target = span_str("/p/api.example/x"),
                                    .body_bytes = PROXY_BODY_CHUNKED};
    struct proxy *proxy = NULL;
    struct flight *flight = NULL;
    struct timespec until;

    (void)state;
    assert_int_equal(sem_init(&client.told, 0, 0), 0);
    new_login(-1);
    (void)snprintf(ref, sizeof(ref), "ag://%s#/claudeAiOauth/accessToken",
                   login_name);
    start_sender(&wish, 1);
    request.peer = flow.task_peer;
    check_ok(proxy_new(flow.core, flow.upstream, &proxy));
    check_ok(flight_begin(proxy, &request, true, &told_by, &flight));
    assert_int_equal(wire.started, 1);
    flight_taken(flight);
    answer(200, "", NEW);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&client.told, &until), 0);
    assert_int_equal(client.err, AG_EMISSING);
    assert_int_equal(wire.started, 1);
    flight_end(flight);
    proxy_free(proxy);
    end_sender();
}

/* Which login, and which version of it, a 401 will speak of. */
static void
test_a_permit_says_which_login_goes_out(void **state)
{
    char ref[64];
    const struct task_proxy_request wish = {.ref = ref,
                                            .upstream = "https://api.example",
                                            .key_env = "K",
                                            .uses = -1};
    struct sent sent = {.service = "api.example", .name = "Authorization"};

    (void)state;
    new_login(60);
    (void)snprintf(ref, sizeof(ref), "ag://%s#/claudeAiOauth/accessToken",
                   login_name);
    start_sender(&wish, 1);
    sent.value = bearer(sender.keys[0]);
    for (int version = 1; version <= 2; version++) {
        AG_AUTO(permit) struct permit permit = {0};

        check_ok(send_into(&sent, &permit));
        assert_int_equal(permit.login_id, login_id);
        assert_int_equal(permit.login_version, version);
        assert_int_equal(permit.sent.count, 1);
        assert_int_equal(permit.sent.of[0].secret_id, login_id);
        assert_int_equal(permit.sent.of[0].version, version);
        put_login(login_name, "sk-ant-oat01-again-0123456789",
                  now_ms + 60 * MINUTE_MS);
    }
    end_sender();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_body_is_decided_on_after_the_refresh),
        cmocka_unit_test(test_a_permit_says_which_login_goes_out),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_with_wire, flow_close);
}
