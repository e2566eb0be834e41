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

static enum ag_err
send_both(struct permit *permit)
{
    char first[1100];
    struct call call = call_of(flow.task_peer);
    struct request_field fields[2];
    const struct permit_ask ask = {.call = &call,
                                   .service = span_str("api.example"),
                                   .request = {.method = span_str("GET"),
                                               .path = span_str("/x"),
                                               .fields = fields,
                                               .field_count = 2}};

    (void)snprintf(first, sizeof(first), "%s", bearer(sender.keys[0]));
    fields[0] =
        (struct request_field){span_str("Authorization"), span_str(first)};
    fields[1] =
        (struct request_field){span_str("X-Second"), span_str(sender.keys[1])};
    return permit_decide(flow.core, &ask, false, permit);
}

/* What one of two forbids is not counted against the other, whichever of them
 * is looked at first. */
static void
test_a_refused_request_counts_nowhere(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        const struct task_proxy_request wishes[] = {
            {.uses = -1,
             .ref = "ag://github/bot",
             .upstream = API,
             .key_env = "A",
             .rate = strict == 0 ? "1/h" : "2/h"},
            {.uses = -1,
             .ref = "ag://second/key",
             .upstream = API,
             .key_env = "B",
             .header = "X-Second",
             .rate = strict == 1 ? "1/h" : "2/h"}};
        const char *loose = NULL;
        AG_AUTO(permit) struct permit permit = {0};
        AG_AUTO(permit) struct permit refused = {0};

        start_sender(wishes, AG_COUNT(wishes));
        loose = sender.keys[strict == 0 ? 1 : 0];
        const struct sent sent = {.service = "api.example",
                                  .name = strict == 0 ? "X-Second"
                                                      : "Authorization",
                                  .value = strict == 0 ? loose : bearer(loose)};

        check_ok(send_both(&permit));
        check_err(send_both(&refused), AG_ERATE);
        (void)bearer(loose);
        check_ok(send_one(&sent));
        check_err(send_one(&sent), AG_ERATE);
        end_sender();
    }
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

/* Nothing is kept for what is not counted. */
static void
test_without_a_bound_there_is_no_meter(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"), 1);
    check_ok(send_into(&(struct sent){.service = "api.example",
                                      .name = "Authorization",
                                      .value = bearer(sender.keys[0])},
                       &permit));
    assert_null(permit.meter);
    end_sender();
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

/* Of two the one that allows less, whichever is looked at first. */
static void
test_bytes_are_of_each_value(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        const struct task_proxy_request wishes[] = {
            {.uses = -1,
             .ref = "ag://github/bot",
             .upstream = API,
             .key_env = "A",
             .bytes = strict == 0 ? 100 : 1000},
            {.uses = -1,
             .ref = "ag://second/key",
             .upstream = API,
             .key_env = "B",
             .header = "X-Second",
             .bytes = strict == 1 ? 100 : 1000}};
        AG_AUTO(permit) struct permit permit = {0};

        start_sender(wishes, AG_COUNT(wishes));
        check_ok(send_both(&permit));
        check_ok(permit_meter_add(permit.meter, 100));
        check_err(permit_meter_add(permit.meter, 1), AG_EBYTESUSED);
        assert_non_null(strstr(err_text(AG_EBYTESUSED),
                               strict == 0 ? "github/bot" : "second/key"));
        end_sender();
    }
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

static int
open_vault(void **state)
{
    int failed = flow_open_vault(state);

    if (failed == 0) {
        put("second/key", "sk-second-0123456789abcdefghij0123", NULL);
    }
    return failed;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rate_holds_on_both_threads),
        cmocka_unit_test(test_a_refused_request_counts_nowhere),
        cmocka_unit_test(test_without_a_bound_there_is_no_meter),
        cmocka_unit_test(test_bytes_are_of_all_requests),
        cmocka_unit_test(test_bytes_are_of_each_value),
        cmocka_unit_test(test_bounds_that_are_none_are_refused),
        cmocka_unit_test(test_a_request_without_a_placeholder_is_refused),
        cmocka_unit_test(test_what_is_no_placeholder_is_none),
        cmocka_unit_test(test_keys_are_not_the_writers_to_make),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_vault, flow_close);
}
