/* What a grant of the proxy is bounded by, and what a request needs. */
#include "common/permits.h"

static const char API[] = "https://api.example";

#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){{.uses = -1, __VA_ARGS__}})

static enum ag_err
send_bearer(bool quick)
{
    return send_one(&(struct sent){.service = "api.example",
                                   .name = "Authorization",
                                   .value = bearer(sender.keys[0]),
                                   .quick = quick});
}

/* A period of an hour: no clock is waited for. */
static void
test_a_rate_holds_on_both_threads(void **state)
{
    (void)state;
    start_sender(WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K",
                      .rate = "3/h"),
                 1);
    /* Asked again on the other thread, it counts once. */
    check_err(send_bearer(true), AG_EBLOCKS);
    check_ok(send_bearer(false));
    check_ok(send_bearer(true));
    check_ok(send_bearer(true));
    check_err(send_bearer(true), AG_EBLOCKS);
    check_err(send_bearer(false), AG_ERATE);
    check_err(send_bearer(false), AG_ERATE);
    end_sender();
}

/* What counts the bytes of one more request; the caller frees it. */
static struct permit_meter *
meter_of(const struct sent *sent)
{
    AG_AUTO(permit) struct permit permit = {0};

    check_ok(send_into(sent, &permit));
    assert_non_null(permit.meter);
    return AG_TAKE(permit.meter);
}

static void
test_bytes_are_of_all_requests(void **state)
{
    struct permit_meter *first = NULL;
    struct permit_meter *second = NULL;
    const struct sent sent = {.service = "api.example",
                              .name = "Authorization",
                              .value = bearer(sender.keys[0])};

    (void)state;
    start_sender(WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K",
                      .bytes = 100),
                 1);
    (void)bearer(sender.keys[0]);
    first = meter_of(&sent);
    check_ok(permit_meter_add(first, 60));
    second = meter_of(&sent);
    check_ok(permit_meter_add(second, 40));
    check_err(send_bearer(false), AG_EBYTESUSED);
    check_err(permit_meter_add(first, 1), AG_EBYTESUSED);
    end_sender();
    /* What is under way goes on counting, though its task is gone. */
    check_err(permit_meter_add(second, 1), AG_EBYTESUSED);
    check_ok(permit_meter_add(NULL, 1));
    permit_meter_free(first);
    permit_meter_free(second);
}

static void
test_bounds_that_are_none_are_refused(void **state)
{
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_err(start_sender_as(&call,
                              WISH(.ref = "ag://github/bot", .upstream = API,
                                   .key_env = "K", .rate = "often"),
                              1),
              AG_EINVAL);
}

static void
check_missing(const struct task_proxy_request *wish, enum ag_err want,
              const char *sentence)
{
    const struct sent sent = {.service = "api.example"};

    start_sender(wish, 1);
    check_err(send_one(&sent), want);
    if (want != AG_OK) {
        assert_non_null(strstr(err_text(want), sentence));
    }
    end_sender();
}

/* A request without its value is not sent: the sentence says what it needs. */
static void
test_a_request_without_a_placeholder_is_refused(void **state)
{
    (void)state;
    check_missing(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"),
        AG_EMISSING, "header Authorization");
    check_missing(WISH(.ref = "ag://github/bot", .upstream = API,
                       .key_env = "K", .query = "key"),
                  AG_EMISSING, "parameter key");
    check_missing(WISH(.ref = "ag://github/bot", .upstream = API,
                       .key_env = "K", .basic = "bot"),
                  AG_EMISSINGUSER, "basic authentication");
    check_missing(WISH(.ref = "ag://github/bot", .upstream = API,
                       .key_env = "K", .optional = true),
                  AG_OK, "");
}

/* Something else at its place is none, and one's own elsewhere is told first. */
static void
test_what_is_no_placeholder_is_none(void **state)
{
    (void)state;
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"), 1);
    check_err(send_one(&(struct sent){.service = "api.example",
                                      .name = "Authorization",
                                      .value = "Bearer anything-else"}),
              AG_EMISSING);
    check_err(send_one(&(struct sent){.service = "api.example",
                                      .name = "X-Key",
                                      .value = sender.keys[0]}),
              AG_EPLACE);
    check_ok(send_bearer(false));
    end_sender();
}

static enum ag_err
do_start_bare(struct core *core, struct db_tx *tx, const struct call *call,
              const void *request, json_t **ret)
{
    return core_task_start(core, tx, call, request, ret);
}

/* The writer has others waiting: an authority's keys are made before. */
static void
test_keys_are_not_the_writers_to_make(void **state)
{
    const struct task_proxy_request *wish =
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K");
    const struct task_request bare = {.name = "bare"};
    const struct task_request led = {
        .name = "led", .proxies = wish, .proxy_count = 1};
    AG_AUTO(authority_keys) struct authority_keys *none = NULL;
    AG_AUTO(authority_keys) struct authority_keys *keys = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(lead_keys(&bare, &none));
    assert_null(none);
    check_ok(lead_keys(&led, &keys));
    assert_non_null(keys);
    check_err(act(do_start_bare, &call, &led, NULL), AG_EINTERNAL);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rate_holds_on_both_threads),
        cmocka_unit_test(test_bytes_are_of_all_requests),
        cmocka_unit_test(test_bounds_that_are_none_are_refused),
        cmocka_unit_test(test_a_request_without_a_placeholder_is_refused),
        cmocka_unit_test(test_what_is_no_placeholder_is_none),
        cmocka_unit_test(test_keys_are_not_the_writers_to_make),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
