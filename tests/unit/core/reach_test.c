/* May a task have a connection to this host, or call it in plain http: the
 * decision, its record, and what it says when it is no. */
#include "common/permits.h"
#include "common/rows.h"
#include "core/reach.h"
#include "tls/authority.h"

static const char *const ALLOW[] = {
    "open.example",      "port.example:8443",       "*.below.example",
    "smtp.example:2525", "inside.example:80,inner", "inside.example:443,inner",
};

static struct call call;

/* A task with these hosts and one value, which goes to api.example by https. */
static int
begin(void **state)
{
    const struct task_proxy_request wish = {.uses = -1,
                                            .ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .key_env = "K"};

    (void)state;
    sender.allow = ALLOW;
    sender.allow_count = AG_COUNT(ALLOW);
    start_sender(&wish, 1);
    call = call_of(flow.task_peer);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    end_sender();
    return 0;
}

static void
check_row(enum audit_kind kind, const char *part)
{
    struct last_row last = rows_last(false);

    rows_check(&last, kind, sender.id, part);
}

/* ---- connections ---- */

static enum ag_err
reach(const char *host, uint16_t port, struct reach *ret)
{
    struct guard_host read = {0};

    *ret = (struct reach){0};
    check_ok(guard_read_host(span_str(host), &read));
    return reach_decide(flow.core, &call, &read, port, ret);
}

static void
check_tunnel(const char *host, uint16_t port, bool inner, bool any_protocol)
{
    AG_AUTO(reach) struct reach found = {0};
    char part[128];

    check_ok(reach(host, port, &found));
    assert_int_equal(found.how, REACH_TUNNEL);
    assert_int_equal(found.task_id, sender.id);
    assert_int_equal(found.inner, inner);
    assert_int_equal(found.any_protocol, any_protocol);
    assert_null(found.leaf);
    (void)snprintf(part, sizeof(part), port == 443 ? "\"%s\"" : "\"%s:%u\"",
                   host, (unsigned)port);
    check_row(AUDIT_TUNNEL_OPENED, part);
}

static void
check_refused(const char *host, uint16_t port, enum ag_err want,
              const char *says)
{
    AG_AUTO(reach) struct reach found = {0};

    check_err(reach(host, port, &found), want);
    assert_int_equal(found.task_id, 0);
    if (strstr(err_text(want), says) == NULL) {
        fail_msg("%s:%u: %s", host, (unsigned)port, err_text(want));
    }
}

static void
test_tunnels(void **state)
{
    (void)state;
    check_tunnel("open.example", 443, false, false);
    check_tunnel("open.example", 80, false, false);
    check_tunnel("port.example", 8443, false, true);
    check_tunnel("a.below.example", 443, false, false);
    check_tunnel("smtp.example", 2525, false, true);
    check_tunnel("inside.example", 443, true, false);
    check_tunnel("inside.example", 80, true, true);
}

static void
test_what_is_not_allowed(void **state)
{
    (void)state;
    check_refused("other.example", 443, AG_ENOTALLOWED,
                  "this task may not reach other.example; to let it: run "
                  "--allow other.example");
    check_row(AUDIT_POLICY_DENIED, "\"service\":\"other.example\"");
    check_row(AUDIT_POLICY_DENIED, "\"code\":\"host_not_allowed\"");
    check_refused("open.example", 8443, AG_ENOTALLOWED,
                  "run --allow open.example:8443");
    check_refused("port.example", 443, AG_ENOTALLOWED, "port.example");
    check_refused("below.example", 443, AG_ENOTALLOWED, "below.example");
    check_refused("inside.example", 8080, AG_ENOTALLOWED, "inside.example");
}

/* Its requests are looked at one by one, and each is on the record. */
static void
test_a_host_with_a_value_is_intercepted(void **state)
{
    AG_AUTO(reach) struct reach found = {0};
    int before = rows_last(false).count;

    (void)state;
    check_ok(reach("api.example", 443, &found));
    assert_int_equal(found.how, REACH_INTERCEPT);
    assert_int_equal(found.task_id, sender.id);
    assert_non_null(found.leaf);
    assert_int_equal(rows_last(false).count, before);
    /* Another port is another host. */
    check_refused("api.example", 8443, AG_ENOTALLOWED, "api.example:8443");
}

/* Where `run` gave an address the host is not reached by its own. */
static void
test_a_host_that_has_an_address(void **state)
{
    const struct task_proxy_request wish = {.uses = -1,
                                            .ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .url_env = "URL",
                                            .key_env = "K"};

    (void)state;
    end_sender();
    sender.allow_count = 0;
    start_sender(&wish, 1);
    call = call_of(flow.task_peer);
    check_refused(
        "api.example", 443, AG_ENOTALLOWED,
        "requests to api.example go to the address that url-env gave");
}

static void
test_who_may_ask(void **state)
{
    struct call ended = call;

    (void)state;
    call = call_of(flow.stranger_peer);
    check_refused("open.example", 443, AG_EDENIED, "of class neighbour");
    call = call_of(flow.operator_peer);
    check_refused("open.example", 443, AG_EDENIED, "of class operator");
    call = ended;
    core_cut_task(flow.core, sender.id, "alarm");
    end_sender();
    check_refused("open.example", 443, AG_EREVOKED, "");
    begin(state);
}

static void
test_a_locked_vault(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    const struct unlock_request request = {.passphrase = passphrase};
    struct call person = call_of(flow.operator_peer);

    (void)state;
    check_ok(vault_lock(flow.core, &person));
    check_refused("open.example", 443, AG_ELOCKED, "");
    check_ok(vault_unlock(flow.core, &person, &request, &answer));
    end_sender();
    begin(state);
}

/* It was permitted, and then was not what it said. */
static void
test_a_refusal_behind_a_permission(void **state)
{
    struct guard_host host = {0};

    (void)state;
    check_ok(guard_read_host(span_str("open.example"), &host));
    check_err(reach_refuse(flow.core, &call, &host, 8443,
                           err_why(AG_ESERVERNAME, "it names another")),
              AG_ESERVERNAME);
    assert_string_equal(err_text(AG_ESERVERNAME), "it names another");
    check_row(AUDIT_POLICY_DENIED, "\"service\":\"open.example:8443\"");
}

/* ---- requests to the client's proxy ---- */

static enum ag_err
ask(enum request_via via, const char *service, const char *key, bool quick,
    struct permit *permit)
{
    const struct request_field field = {span_str("Authorization"),
                                        span_str(key == NULL ? "" : key)};
    const struct permit_ask request = {
        .call = &call,
        .service = span_str(service),
        .via = via,
        .request = {.method = span_str("GET"),
                    .path = span_str("/x"),
                    .fields = &field,
                    .field_count = key == NULL ? 0 : 1}};

    return permit_decide(flow.core, &request, quick, permit);
}

static void
check_plain(const char *service, enum ag_err want, const char *says)
{
    AG_AUTO(permit) struct permit permit = {0};

    check_err(ask(REQUEST_PLAIN, service, NULL, false, &permit), want);
    if (strstr(err_text(want), says) == NULL) {
        fail_msg("%s: %s", service, err_text(want));
    }
}

/* A host without a value; each request is on the record before it goes out. */
static void
test_plain_requests_to_an_open_host(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};
    AG_AUTO(permit) struct permit inside = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        int before = rows_last(false).count;

        permit_done(&permit);
        check_err(ask(REQUEST_PLAIN, "open.example", NULL, true, &permit),
                  AG_EBLOCKS);
        assert_int_equal(rows_last(false).count, before);
        check_ok(ask(REQUEST_PLAIN, "open.example", NULL, false, &permit));
        assert_int_equal(rows_last(false).count, before + 1);
        check_row(AUDIT_HOST_CALLED, "\"host\":\"open.example\"");
    }
    assert_string_equal(permit.host, "open.example");
    assert_true(permit.plain);
    assert_false(permit.inner);
    assert_int_equal(permit.edit_count, 0);
    check_ok(ask(REQUEST_PLAIN, "inside.example", NULL, false, &inside));
    assert_true(inside.inner);
}

/* Nothing of the task's belongs into a request there. */
static void
test_a_placeholder_goes_to_no_open_host(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    check_err(ask(REQUEST_PLAIN, "open.example", bearer(sender.keys[0]), false,
                  &permit),
              AG_EHOST);
    assert_string_equal(ended_reason, "alarm");
}

static void
test_plain_requests_that_are_refused(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    check_plain("api.example", AG_ENOTALLOWED,
                "api.example is called by https://api.example");
    check_plain("other.example", AG_ENOTALLOWED, "run --allow other.example");
    check_plain("open.example:8080", AG_ENOTALLOWED, "open.example:8080");
    check_plain("169.254.169.254", AG_ENOTALLOWED, "169.254.169.254");
    check_plain("0x7f.1", AG_EADDRESS, "0x7f.1");
    check_plain("open example", AG_EINVAL, "the host");
    /* What is tunnelled is not what is intercepted. */
    check_err(ask(REQUEST_INTERCEPTED, "open.example", NULL, false, &permit),
              AG_ENOTALLOWED);
}

static void
test_a_request_where_tls_ended(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    check_ok(ask(REQUEST_INTERCEPTED, "api.example:443", bearer(sender.keys[0]),
                 false, &permit));
    assert_string_equal(permit.host, "api.example");
    assert_int_equal(permit.port, 0);
    assert_false(permit.plain);
    assert_int_equal(permit.edit_count, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tunnels),
        TEST(test_what_is_not_allowed),
        TEST(test_a_host_with_a_value_is_intercepted),
        TEST(test_a_host_that_has_an_address),
        TEST(test_who_may_ask),
        TEST(test_a_locked_vault),
        TEST(test_a_refusal_behind_a_permission),
        TEST(test_plain_requests_to_an_open_host),
        TEST(test_a_placeholder_goes_to_no_open_host),
        TEST(test_plain_requests_that_are_refused),
        TEST(test_a_request_where_tls_ended),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
