/* Where a secret may go: what is sealed with it, what a task gets of it, and
 * what it takes to open more. */
#include "common/permits.h"
#include "core/preview.h"
#include "core/running.h"
#include "core/state.h"

#define ONE "https://one.example"
#define TWO "https://two.example"
#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){{.uses = -1, __VA_ARGS__}})

static enum ag_err
put_as(enum caller_class who, const char *name, const char *profile)
{
    AG_AUTO(secret) struct secret *value = secret_of(VALUE);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = name, .value = value, .profile = profile, .if_version = -1};

    call.who = who;
    return act(do_put, &call, &request, NULL);
}

static enum ag_err
send_bearer(const char *service)
{
    return send_one(&(struct sent){.service = service,
                                   .path = "/v1/x",
                                   .name = "Authorization",
                                   .value = bearer(sender.keys[0])});
}

static void
test_a_task_has_the_place_it_was_started_with(void **state)
{
    (void)state;
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = TWO, .key_env = "K"), 1);
    check_ok(send_bearer("two.example"));
    end_sender();
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = ONE, .key_env = "K"), 1);
    check_ok(send_bearer("one.example"));
    check_err(send_one(&(struct sent){.service = "two.example"}), AG_ESERVICE);
    end_sender();
}

/* Two wishes for one host are two places. */
static void
test_nor_has_it_another_place_of_the_same_host(void **state)
{
    (void)state;
    start_sender(WISH(.ref = "ag://github/bot", .upstream = ONE "/v1",
                      .key_env = "K", .header = "X-Key"),
                 1);
    check_ok(send_one(&(struct sent){.service = "one.example",
                                     .path = "/v1/x",
                                     .name = "X-Key",
                                     .value = sender.keys[0]}));
    check_err(send_bearer("one.example"), AG_EPLACE);
    check_err(send_one(&(struct sent){.service = "one.example",
                                      .path = "/v2",
                                      .name = "X-Key",
                                      .value = sender.keys[0]}),
              AG_EPATH);
    end_sender();
}

static void
test_without_one_it_has_the_profiles(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(put_as(CALLER_PROOF, "openai/default", "openai"));
    start_sender(
        WISH(.ref = "ag://openai/default", .upstream = ONE, .key_env = "K"), 1);
    check_err(send_one(&(struct sent){.service = "api.openai.com"}),
              AG_ESERVICE);
    end_sender();
    start_sender(WISH(.ref = "ag://openai/default", .key_env = "K"), 1);
    check_ok(send_bearer("api.openai.com"));
    check_err(send_one(&(struct sent){.service = "one.example"}), AG_ESERVICE);
    end_sender();
    /* Without a profile, what was ever named is meant only if it is one. */
    check_err(start_sender_as(
                  &call, WISH(.ref = "ag://github/bot", .key_env = "K"), 1),
              AG_EINVAL);
    put("single/one", VALUE, NULL);
    check_err(start_sender_as(
                  &call, WISH(.ref = "ag://single/one", .key_env = "K"), 1),
              AG_EINVAL);
    start_sender(
        WISH(.ref = "ag://single/one", .upstream = ONE, .key_env = "K"), 1);
    end_sender();
    start_sender(WISH(.ref = "ag://single/one", .key_env = "K"), 1);
    check_ok(send_bearer("one.example"));
    end_sender();
}

/* A profile given to a secret that is there opens its places: that is the
 * operator's word. */
static void
test_a_profile_opens_nothing_without_a_proof(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(put_as(CALLER_OPERATOR, "later/one", NULL));
    check_err(put_as(CALLER_OPERATOR, "later/one", "openai"), AG_EPROOF);
    check_err(start_sender_as(&call,
                              WISH(.ref = "ag://later/one", .key_env = "K"), 1),
              AG_EINVAL);
    start_sender(WISH(.ref = "ag://later/one", .upstream = ONE, .key_env = "K"),
                 1);
    end_sender();
    check_ok(put_as(CALLER_PROOF, "later/one", "openai"));
    /* The same again opens nothing, and loses nothing. */
    check_ok(put_as(CALLER_OPERATOR, "later/one", "openai"));
    check_err(put_as(CALLER_OPERATOR, "later/one", "anthropic"), AG_EPROOF);
    call.who = CALLER_OPERATOR;
    check_ok(start_sender_as(
        &call, WISH(.ref = "ag://later/one", .upstream = ONE, .key_env = "K"),
        1));
    end_sender();
    check_ok(start_sender_as(&call,
                             WISH(.ref = "ag://later/one", .key_env = "K"), 1));
    check_ok(send_bearer("api.openai.com"));
    end_sender();
    /* A value that comes with its profile needs none. */
    check_ok(put_as(CALLER_OPERATOR, "fresh/one", "openai"));
}

static enum ag_err
do_preview(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    return core_task_preview(core, tx, call, request, ret);
}

static int64_t
audit_last(void)
{
    AG_AUTO(wjson) json_t *rows = NULL;

    check_ok(record_audit(flow.core, -1, 1, &rows));
    return json_integer_value(json_object_get(rows, "last"));
}

/* The same decisions, of which nothing stays: no place, no row, no task. */
static void
test_a_preview_changes_nothing(void **state)
{
    const struct task_proxy_request *wish =
        WISH(.ref = "ag://seen/only", .upstream = ONE, .key_env = "K");
    const char *allow = "open.example";
    const struct task_request request = {.name = "sender",
                                         .proxies = wish,
                                         .proxy_count = 1,
                                         .allow = &allow,
                                         .allow_count = 1};
    const struct task_request missing = {
        .proxies =
            WISH(.ref = "ag://seen/none", .upstream = ONE, .key_env = "K"),
        .proxy_count = 1};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *proven = NULL;
    const json_t *place = NULL;
    int64_t last = 0;
    int64_t id = 0;

    (void)state;
    put("seen/only", VALUE, NULL);
    last = audit_last();
    call.who = CALLER_OPERATOR;
    check_ok(act(do_preview, &call, &request, &answer));
    assert_true(json_is_true(json_object_get(answer, "passphrase")));
    place = json_array_get(json_object_get(answer, "places"), 0);
    assert_string_equal(text_at(place, "secret"), "seen/only");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(place, "hosts"), 0)),
        "one.example");
    assert_string_equal(
        text_at(json_array_get(json_object_get(answer, "values"), 0), "grade"),
        "proxy");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(answer, "allow"), 0)),
        allow);
    call.who = CALLER_PROOF;
    check_ok(act(do_preview, &call, &request, &proven));
    assert_false(json_is_true(json_object_get(proven, "passphrase")));
    check_err(act(do_preview, &call, &missing, NULL), AG_ENOTFOUND);
    assert_int_equal(audit_last(), last);
    assert_int_equal(running_ids(flow.core->running, &id, 1), 0);
    call.who = CALLER_OPERATOR;
    check_err(start_sender_as(&call, wish, 1), AG_EPROOF);
    /* What is written next is kept as ever. */
    put("seen/later", VALUE, NULL);
    assert_int_equal(audit_last(), last + 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_has_the_place_it_was_started_with),
        cmocka_unit_test(test_nor_has_it_another_place_of_the_same_host),
        cmocka_unit_test(test_without_one_it_has_the_profiles),
        cmocka_unit_test(test_a_profile_opens_nothing_without_a_proof),
        cmocka_unit_test(test_a_preview_changes_nothing),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
