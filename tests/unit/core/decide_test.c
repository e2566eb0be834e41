/* What a permission says of host and password, and of several rules the one that
 * is told. */
#include "base/buf.h"
#include "base/encode.h"
#include "common/permits.h"
#include "common/rows.h"

#define ONE "https://one.example"
#define TWO "https://two.example"

#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){                                      \
        {.uses = -1, .ref = "ag://github/bot", .key_env = "K", __VA_ARGS__}})

/* ---- the host ---- */

static void
test_a_host_and_its_port(void **state)
{
    static const struct {
        const char *upstream;
        const char *service;
        const char *host;
        int port;
    } HOSTS[] = {
        {ONE, "one.example", "one.example", 0},
        {ONE ":8443", "one.example:8443", "one.example", 8443},
        {"https://host80", "host80", "host80", 0},
        {"https://[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]", 0},
        {"https://[2001:db8::1]:65535", "[2001:db8::1]:65535", "[2001:db8::1]",
         65535},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(HOSTS); i++) {
        AG_AUTO(permit) struct permit permit = {0};

        start_sender(WISH(.upstream = HOSTS[i].upstream), 1);
        check_ok(send_into(&(struct sent){.service = HOSTS[i].service,
                                          .name = "Authorization",
                                          .value = bearer(sender.keys[0])},
                           &permit));
        assert_string_equal(permit.host, HOSTS[i].host);
        assert_int_equal(permit.port, HOSTS[i].port);
        end_sender();
    }
}

/* By the place of the value that is used, whichever of them comes first. */
static void
test_how_a_host_is_reached(void **state)
{
    const struct task_proxy_request wishes[] = {
        {.uses = -1,
         .ref = "ag://github/bot",
         .upstream = "http://127.0.0.1:8080",
         .key_env = "A",
         .header = "X-First",
         .inner = true},
        {.uses = -1,
         .ref = "ag://github/bot",
         .upstream = "https://127.0.0.1:8080",
         .key_env = "B",
         .header = "X-Second"}};

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    for (size_t i = 0; i < AG_COUNT(wishes); i++) {
        AG_AUTO(permit) struct permit permit = {0};

        check_ok(send_into(&(struct sent){.service = "127.0.0.1:8080",
                                          .name = wishes[i].header,
                                          .value = sender.keys[i]},
                           &permit));
        assert_int_equal(permit.plain, i == 0);
        assert_int_equal(permit.inner, i == 0);
    }
    /* Without one the first of them is what is wanted. */
    check_err(send_one(&(struct sent){.service = "127.0.0.1:8080"}),
              AG_EMISSING);
    assert_non_null(strstr(err_text(AG_EMISSING), "X-First"));
    end_sender();
}

/* Without its value only to the place that says so. */
static void
test_where_no_value_is_needed(void **state)
{
    const struct task_proxy_request wishes[] = {{.uses = -1,
                                                 .ref = "ag://github/bot",
                                                 .upstream = ONE,
                                                 .key_env = "A",
                                                 .optional = true},
                                                {.uses = -1,
                                                 .ref = "ag://github/bot",
                                                 .upstream = TWO,
                                                 .key_env = "B"}};

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    check_ok(send_one(&(struct sent){.service = "one.example"}));
    check_err(send_one(&(struct sent){.service = "two.example"}), AG_EMISSING);
    end_sender();
}

/* ---- a password ---- */

static void
basic(const char *user, const char *password, struct buf *out)
{
    char plain[1200];

    (void)snprintf(plain, sizeof(plain), "%s:%s", user, password);
    buf_init(out, 2 * sizeof(plain), BUF_PLAIN);
    check_ok(buf_add_str(out, "Basic "));
    check_ok(encode_base64(span_str(plain), out));
    assert_non_null(buf_cstr(out));
}

/* It is sent with the user that stood before it. */
static void
test_a_password_keeps_its_user(void **state)
{
    static const char *const USERS[] = {"bot", "another one"};

    (void)state;
    start_sender(WISH(.upstream = ONE, .basic = "*"), 1);
    for (size_t i = 0; i < AG_COUNT(USERS); i++) {
        AG_AUTO(permit) struct permit permit = {0};
        AG_AUTO(buf) struct buf sent = {0};
        AG_AUTO(buf) struct buf want = {0};

        basic(USERS[i], sender.keys[0], &sent);
        basic(USERS[i], VALUE, &want);
        check_ok(send_into(&(struct sent){.service = "one.example",
                                          .name = "Authorization",
                                          .value = buf_cstr(&sent)},
                           &permit));
        assert_int_equal(permit.edit_count, 1);
        check_span(secret_view(permit.edits[0].text), buf_cstr(&want));
    }
    end_sender();
}

/* ---- which rule is told ---- */

/* Of two places one has another method, the other another path. */
static void
test_the_rule_that_was_got_farthest_with(void **state)
{
    AG_AUTO(secret) struct secret *value = secret_of(VALUE);
    struct call person = call_of(flow.operator_peer);
    const struct put_request request = {.name = "steps/default",
                                        .value = value,
                                        .profile = "steps",
                                        .if_version = -1};
    const struct task_proxy_request wish = {
        .uses = -1, .ref = "ag://steps/default", .key_env = "K"};

    (void)state;
    check_ok(act(do_put, &person, &request, NULL));
    start_sender(&wish, 1);
    check_err(send_one(&(struct sent){.service = "verb-first.example"}),
              AG_EPATH);
    check_err(send_one(&(struct sent){.service = "path-first.example"}),
              AG_EPATH);
    /* Where one is allowed, neither. */
    check_err(send_one(&(struct sent){.service = "verb-first.example",
                                      .path = "/a/x"}),
              AG_EMISSING);
    check_err(send_one(&(struct sent){.service = "path-first.example",
                                      .method = "POST"}),
              AG_EMISSING);
    end_sender();
}

/* The rule comes before what is the task's own anyway, and the record names no
 * placeholder then. */
static void
test_a_rule_comes_before_ones_own(void **state)
{
    struct last_row last;

    (void)state;
    start_sender(WISH(.upstream = ONE "/v1"), 1);
    check_err(send_one(&(struct sent){.service = "one.example",
                                      .path = "/v2",
                                      .name = "X-Other",
                                      .value = sender.keys[0]}),
              AG_EPATH);
    last = rows_last(true);
    rows_check(&last, AUDIT_POLICY_DENIED, sender.id, "\"owner\":0");
    check_err(send_one(&(struct sent){.service = "one.example",
                                      .path = "/v1/x",
                                      .name = "X-Other",
                                      .value = sender.keys[0]}),
              AG_EPLACE);
    last = rows_last(true);
    assert_null(strstr(last.json, "\"owner\":0"));
    end_sender();
}

/* A body is waited for only where a value may be in it. */
static void
test_only_a_place_in_the_body_waits_for_it(void **state)
{
    const struct task_proxy_request wishes[] = {
        {.uses = -1, .ref = "ag://github/bot", .upstream = ONE, .key_env = "A"},
        {.uses = -1,
         .ref = "ag://github/bot",
         .upstream = TWO,
         .key_env = "B",
         .json = "/key"}};
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    check_err(
        send_one(&(struct sent){.service = "one.example", .follows = true}),
        AG_EMISSING);
    check_ok(send_into(
        &(struct sent){.service = "two.example", .follows = true}, &permit));
    assert_true(permit.in_body);
    end_sender();
}

/* It was the task's when it began. */
static void
test_a_task_that_is_gone(void **state)
{
    struct call call = {0};
    const struct permit_ask ask = {
        .call = &call,
        .service = span_str("one.example"),
        .request = {.method = span_str("GET"), .path = span_str("/x")}};

    (void)state;
    start_sender(WISH(.upstream = ONE), 1);
    call = call_of(flow.task_peer);
    assert_true(permit_stands(flow.core, sender.id));
    end_sender();
    assert_false(permit_stands(flow.core, sender.id));
    for (int quick = 0; quick < 2; quick++) {
        AG_AUTO(permit) struct permit permit = {0};

        check_err(permit_decide(flow.core, &ask, quick == 1, &permit),
                  quick == 1 ? AG_EBLOCKS : AG_EREVOKED);
    }
}

/* Its tasks are ended one by one, and its keys go last (core/lock.c). */
static void
test_nothing_begins_while_the_vault_locks(void **state)
{
    const struct sent sent = {
        .service = "one.example", .name = "Authorization", .value = bearer("")};

    (void)state;
    start_sender(WISH(.upstream = ONE), 1);
    (void)bearer(sender.keys[0]);
    check_ok(send_one(&sent));
    atomic_store(&flow.core->state, VAULT_LOCKED);
    check_err(send_one(&sent), AG_ELOCKED);
    assert_false(permit_stands(flow.core, sender.id));
    atomic_store(&flow.core->state, VAULT_OPEN);
    check_ok(send_one(&sent));
    assert_true(permit_stands(flow.core, sender.id));
    end_sender();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_and_its_port),
        cmocka_unit_test(test_how_a_host_is_reached),
        cmocka_unit_test(test_where_no_value_is_needed),
        cmocka_unit_test(test_a_password_keeps_its_user),
        cmocka_unit_test(test_the_rule_that_was_got_farthest_with),
        cmocka_unit_test(test_a_rule_comes_before_ones_own),
        cmocka_unit_test(test_only_a_place_in_the_body_waits_for_it),
        cmocka_unit_test(test_a_task_that_is_gone),
        cmocka_unit_test(test_nothing_begins_while_the_vault_locks),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    flow.profile_dir = AG_SOURCE_DIR "/tests/data/profiles";
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
