/* Placeholders where no value belongs: which refusal, and which end the task. */
#include "base/buf.h"
#include "base/encode.h"
#include "common/permits.h"

static const char ONE[] = "https://one.example";
static const char TWO[] = "https://two.example";

static const struct task_proxy_request WISHES[] = {
    {.uses = -1, .ref = "ag://github/bot", .upstream = ONE, .key_env = "A"},
    {.uses = -1,
     .ref = "ag://second/key",
     .upstream = ONE,
     .key_env = "B",
     .header = "X-Second"},
    {.uses = -1, .ref = "ag://third/key", .upstream = TWO, .key_env = "C"},
};

static void
start(void)
{
    start_sender(WISHES, AG_COUNT(WISHES));
}

static enum ag_err
send_field(const char *name, const char *before, const char *key,
           const char *behind)
{
    char value[1200];

    (void)snprintf(value, sizeof(value), "%s%s%s", before, key, behind);
    return send_one(
        &(struct sent){.service = "one.example", .name = name, .value = value});
}

/* "Basic " and what is joined, in base64. */
static enum ag_err
send_basic(const char *user, const char *password)
{
    AG_AUTO(buf) struct buf text = {0};
    char plain[1200];

    (void)snprintf(plain, sizeof(plain), "%s:%s", user, password);
    buf_init(&text, 2400, BUF_PLAIN);
    check_ok(encode_base64(span_str(plain), &text));
    return send_field("Authorization", "Basic ", buf_cstr(&text), "");
}

static enum ag_err
send_target(const char *path, const char *query, const char *key)
{
    char text[1200];

    (void)snprintf(text, sizeof(text), "%s%s", path != NULL ? path : query,
                   key);
    return send_one(&(struct sent){.service = "one.example",
                                   .path = path != NULL ? text : NULL,
                                   .query = query != NULL ? text : NULL});
}

/* All ways to misplace a placeholder, each in a task of its own. */
static enum ag_err
misplace(int way, const char *key)
{
    switch (way) {
    case 0:
        return send_field("Cookie", "a=b; k=", key, "; c=d");
    case 1:
        return send_field("X-Other", "", key, "");
    case 2:
        return send_field("Authorization", "Token ", key, "");
    case 3:
        return send_basic("user", key);
    case 4:
        return send_basic(key, "x");
    case 5:
        return send_target("/a/", NULL, key);
    case 6:
        return send_target(NULL, "a=1&k=", key);
    default:
        return AG_EINTERNAL;
    }
}

static void
test_ones_own_is_refused(void **state)
{
    (void)state;
    for (int way = 0; way < 7; way++) {
        start();
        check_err(misplace(way, sender.keys[0]), AG_EPLACE);
        assert_null(ended_reason);
        end_sender();
    }
}

static void
test_one_of_a_task_that_has_ended_ends_this(void **state)
{
    char key[1024];

    (void)state;
    start();
    (void)snprintf(key, sizeof(key), "%s", sender.keys[0]);
    end_sender();
    for (int way = 0; way < 7; way++) {
        start();
        check_err(misplace(way, key), AG_EENDED);
        assert_string_equal(ended_reason, "alarm");
        end_sender();
    }
    start();
    check_err(send_field("Authorization", "Bearer ", key, ""), AG_EENDED);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
}

/* Also beside one that is right, and beside one of its own at a wrong place. */
static void
test_the_worst_is_told(void **state)
{
    char key[1024];
    char query[2048];

    (void)state;
    start();
    (void)snprintf(key, sizeof(key), "%s", sender.keys[0]);
    end_sender();
    start();
    (void)snprintf(query, sizeof(query), "a=%.900s&b=%.900s", sender.keys[0],
                   key);
    check_err(send_one(&(struct sent){.service = "one.example",
                                      .query = query,
                                      .name = "Authorization",
                                      .value = bearer(sender.keys[0])}),
              AG_EENDED);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
}

static void
test_of_another_value(void **state)
{
    (void)state;
    start();
    check_ok(send_field("Authorization", "Bearer ", sender.keys[0], ""));
    check_ok(send_field("X-Second", "", sender.keys[1], ""));
    check_err(send_field("Authorization", "Bearer ", sender.keys[1], ""),
              AG_EPLACE);
    check_err(send_field("X-Second", "", sender.keys[0], ""), AG_EPLACE);
    assert_null(ended_reason);
    /* Of one that does not go to that host. */
    check_err(send_field("Authorization", "Bearer ", sender.keys[2], ""),
              AG_EHOST);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
}

static void
test_a_search_ends_the_task(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < PERMIT_STRAYS_MAX_COUNT; i++) {
        check_err(send_field("X-Other", "", sender.keys[0], ""), AG_EPLACE);
        assert_null(ended_reason);
    }
    check_err(send_field("X-Other", "", sender.keys[0], ""), AG_EPLACE);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
}

static void
test_other_rules(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};
    static struct permit other; /* of refusals: nothing is in it */
    struct call call = {0};
    struct permit_ask ask = {
        .call = &call,
        .service = span_str("one.example"),
        .request = {.method = span_str("GET"), .path = span_str("/x")}};

    (void)state;
    start();
    check_ok(send_into(&(struct sent){.service = "one.example",
                                      .name = "Authorization",
                                      .value = bearer(sender.keys[0])},
                       &permit));
    assert_false(permit.inner);
    assert_int_equal(permit.login_id, 0); /* a key is not refreshed */
    assert_false(permit.plain);
    check_err(send_one(&(struct sent){.service = "one.example",
                                      .path = "/a/../b",
                                      .name = "Authorization",
                                      .value = bearer(sender.keys[0])}),
              AG_ETARGET);
    call = call_of(flow.task_peer);
    ask.path_task_id = sender.id + 1;
    check_err(permit_decide(flow.core, &ask, false, &other), AG_EPROCESS);
    ask.path_task_id = sender.id;
    check_err(permit_decide(flow.core, &ask, false, &other), AG_EMISSING);
    /* In TLS to the client's proxy the same, by plain HTTP nowhere. */
    ask.via = REQUEST_INTERCEPTED;
    check_err(permit_decide(flow.core, &ask, false, &other), AG_EMISSING);
    ask.via = REQUEST_PLAIN;
    check_err(permit_decide(flow.core, &ask, false, &other), AG_ENOTALLOWED);
    end_sender();
    /* Nor without a task, nor of one that may send nothing. */
    call = call_of(flow.operator_peer);
    ask.path_task_id = 0;
    check_err(permit_decide(flow.core, &ask, false, &other), AG_EDENIED);
    start_sender(WISHES, 0);
    check_err(send_one(&(struct sent){.service = "one.example"}), AG_ESERVICE);
    end_sender();
}

/* A header more than send_into() has. */
static enum ag_err
send_two(enum request_via via, const char *first, const char *second)
{
    AG_AUTO(permit) struct permit permit = {0};
    struct call call = call_of(flow.task_peer);
    const struct request_field fields[] = {
        {span_str("Authorization"), span_str(first)},
        {span_str("X-Second"), span_str(second)}};
    const struct permit_ask ask = {.call = &call,
                                   .service = span_str("127.0.0.1:8080"),
                                   .via = via,
                                   .request = {.method = span_str("GET"),
                                               .path = span_str("/x"),
                                               .fields = fields,
                                               .field_count = 2}};

    return permit_decide(flow.core, &ask, false, &permit);
}

/* Where it belongs, and once more where it does not. */
static void
test_ones_own_at_two_places(void **state)
{
    const struct task_proxy_request wish = {.uses = -1,
                                            .ref = "ag://github/bot",
                                            .upstream =
                                                "https://127.0.0.1:8080",
                                            .key_env = "A",
                                            .inner = true};
    char first[1100];

    (void)state;
    start_sender(&wish, 1);
    (void)snprintf(first, sizeof(first), "%s", bearer(sender.keys[0]));
    check_ok(send_two(REQUEST_REVERSE, first, "x"));
    check_err(send_two(REQUEST_REVERSE, first, sender.keys[0]), AG_EPLACE);
    assert_null(ended_reason);
    end_sender();
}

/* In the same text as one that is right. */
static void
test_another_beside_ones_own(void **state)
{
    const struct task_proxy_request wishes[] = {{.uses = -1,
                                                 .ref = "ag://github/bot",
                                                 .upstream = ONE,
                                                 .key_env = "A",
                                                 .query = "key"},
                                                {.uses = -1,
                                                 .ref = "ag://github/bot",
                                                 .upstream = ONE,
                                                 .key_env = "B",
                                                 .basic = "*"}};
    char key[1024];
    char query[2100];

    (void)state;
    start();
    (void)snprintf(key, sizeof(key), "%s", sender.keys[0]);
    end_sender();
    for (int way = 0; way < 2; way++) {
        start_sender(wishes, AG_COUNT(wishes));
        (void)snprintf(query, sizeof(query), "key=%s&log=%s", sender.keys[0],
                       key);
        check_err(way == 0 ? send_target(NULL, query, "")
                           : send_basic(key, sender.keys[1]),
                  AG_EENDED);
        assert_string_equal(ended_reason, "alarm");
        end_sender();
    }
}

static void
test_by_plain_http_only_what_may(void **state)
{
    const struct task_proxy_request wishes[] = {
        {.uses = -1,
         .ref = "ag://github/bot",
         .upstream = "http://127.0.0.1:8080",
         .key_env = "A",
         .inner = true},
        {.uses = -1,
         .ref = "ag://second/key",
         .upstream = "https://127.0.0.1:8080",
         .key_env = "B",
         .header = "X-Second",
         .inner = true}};
    char first[1100];

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    (void)snprintf(first, sizeof(first), "%s", bearer(sender.keys[0]));
    check_ok(send_two(REQUEST_PLAIN, first, "x"));
    check_err(send_two(REQUEST_PLAIN, "x", sender.keys[1]), AG_EPLACE);
    check_ok(send_two(REQUEST_INTERCEPTED, "x", sender.keys[1]));
    check_err(send_two(REQUEST_INTERCEPTED, first, "x"), AG_EPLACE);
    check_err(send_two(REQUEST_REVERSE, first, sender.keys[1]), AG_EPLACE);
    end_sender();
}

/* Each of the two alone may go there, both at once may not. */
static void
test_one_request_is_reached_one_way(void **state)
{
    const struct task_proxy_request wishes[] = {
        {.uses = -1,
         .ref = "ag://github/bot",
         .upstream = "https://127.0.0.1:8080",
         .key_env = "A",
         .inner = true},
        {.uses = -1,
         .ref = "ag://second/key",
         .upstream = "https://127.0.0.1:8080",
         .key_env = "B",
         .header = "X-Second"}};
    char first[1100];

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    (void)snprintf(first, sizeof(first), "%s", bearer(sender.keys[0]));
    check_ok(send_two(REQUEST_INTERCEPTED, first, "x"));
    check_ok(send_two(REQUEST_INTERCEPTED, "x", sender.keys[1]));
    check_err(send_two(REQUEST_INTERCEPTED, first, sender.keys[1]), AG_EPLACE);
    end_sender();
}

static void
test_of_another_field(void **state)
{
    const struct task_proxy_request wishes[] = {{.uses = -1,
                                                 .ref = "ag://fields/key#/a",
                                                 .upstream = ONE,
                                                 .key_env = "A"},
                                                {.uses = -1,
                                                 .ref = "ag://fields/key#/b",
                                                 .upstream = ONE,
                                                 .key_env = "B",
                                                 .header = "X-Second"}};

    (void)state;
    start_sender(wishes, AG_COUNT(wishes));
    check_ok(send_field("Authorization", "Bearer ", sender.keys[0], ""));
    check_ok(send_field("X-Second", "", sender.keys[1], ""));
    check_err(send_field("X-Second", "", sender.keys[0], ""), AG_EPLACE);
    check_err(send_field("Authorization", "Bearer ", sender.keys[1], ""),
              AG_EPLACE);
    end_sender();
}

static int
open_vault(void **state)
{
    int failed = flow_open_vault(state);

    if (failed == 0) {
        put("second/key", "sk-second-0123456789abcdefghij0123", NULL);
        put("fields/key",
            "{\"a\": \"sk-first-field-0123456789abcd\", "
            "\"b\": \"sk-other-field-0123456789abcd\"}",
            NULL);
        put("third/key", "sk-third-0123456789abcdefghij01234", NULL);
    }
    return failed;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ones_own_is_refused),
        cmocka_unit_test(test_one_of_a_task_that_has_ended_ends_this),
        cmocka_unit_test(test_the_worst_is_told),
        cmocka_unit_test(test_of_another_value),
        cmocka_unit_test(test_a_search_ends_the_task),
        cmocka_unit_test(test_other_rules),
        cmocka_unit_test(test_ones_own_at_two_places),
        cmocka_unit_test(test_another_beside_ones_own),
        cmocka_unit_test(test_by_plain_http_only_what_may),
        cmocka_unit_test(test_one_request_is_reached_one_way),
        cmocka_unit_test(test_of_another_field),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_vault, flow_close);
}
