/* A value whose place is in a JSON body. */
#include "common/permits.h"
#include "common/rows.h"
#include "core/proxied.h"

static const char API[] = "https://api.example";

#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){{.uses = -1, __VA_ARGS__}})

static enum ag_err
send_body(const char *body, const char *type)
{
    return send_one(
        &(struct sent){.service = "api.example", .body = body, .type = type});
}

/* With the placeholder between the two. */
static enum ag_err
send_with(const char *before, const char *behind)
{
    char body[2048];

    (void)snprintf(body, sizeof(body), "%s%s%s", before, sender.keys[0],
                   behind);
    return send_body(body, NULL);
}

static void
start(void)
{
    start_sender(WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K",
                      .json = "/auth/key"),
                 1);
}

static void
test_a_body_that_follows_is_waited_for(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    start_sender(WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K",
                      .json = "/auth/key", .bytes = 1000),
                 1);
    check_ok(send_into(&(struct sent){.service = "api.example",
                                      .follows = true,
                                      .quick = true},
                       &permit));
    assert_true(permit.in_body);
    assert_int_equal(permit.edit_count, 0);
    assert_null(permit.filter);
    assert_null(permit.meter);
    /* Without one, or where another rule forbids it, there is nothing to wait
     * for. */
    check_err(send_one(&(struct sent){.service = "api.example"}), AG_EMISSING);
    check_err(
        send_one(&(struct sent){.service = "other.example", .follows = true}),
        AG_ESERVICE);
    check_err(send_one(&(struct sent){.service = "api.example",
                                      .follows = true,
                                      .name = "X-Key",
                                      .value = sender.keys[0]}),
              AG_EPLACE);
    end_sender();
}

static void
test_the_field_and_no_other(void **state)
{
    (void)state;
    start();
    check_ok(send_with("{\"auth\": {\"key\": \"", "\"}, \"x\": [1]}"));
    check_ok(send_with("{\"\\u0061uth\":{\"key\":\"", "\"}}"));
    check_err(send_with("{\"auth\": {\"other\": \"", "\"}}"), AG_EPLACE);
    check_err(send_with("{\"key\": \"", "\"}"), AG_EPLACE);
    check_err(send_with("{\"auth\": {\"key\": \"x ", "\"}}"), AG_EPLACE);
    check_err(send_with("{\"auth\": {\"key\": \"", "\"}"), AG_EPLACE);
    check_err(send_body("{\"auth\": {\"key\": \"else\"}}", NULL), AG_EMISSING);
    check_err(send_body("{\"auth\": {\"key\": 12}}", NULL), AG_EMISSING);
    check_err(send_body("[]", NULL), AG_EMISSING);
    end_sender();
}

/* Two readings of one body, or a body of another kind. */
static void
test_a_body_has_one_reading(void **state)
{
    char body[2048];

    (void)state;
    start();
    check_err(send_with("{\"auth\": {\"key\": \"a\", \"key\": \"", "\"}}"),
              AG_EPLACE);
    check_err(send_with("{\"auth\": {\"key\": \"", "\", \"key\": 1}}"),
              AG_EPLACE);
    (void)snprintf(body, sizeof(body),
                   "{\"auth\": {\"key\": \"%.500s\"}, \"log\": "
                   "\"%.500s\"}",
                   sender.keys[0], sender.keys[0]);
    check_err(send_body(body, NULL), AG_EPLACE);
    (void)snprintf(body, sizeof(body), "{\"auth\": {\"key\": \"%s\"}}",
                   sender.keys[0]);
    check_err(send_body(body, "text/plain"), AG_EPLACE);
    check_err(send_one(&(struct sent){.service = "api.example",
                                      .name = "Content-Encoding",
                                      .value = "gzip",
                                      .body = body}),
              AG_EPLACE);
    check_err(send_one(&(struct sent){.service = "api.example",
                                      .name = "Content-Type",
                                      .value = "text/plain",
                                      .body = body}),
              AG_EPLACE);
    check_ok(send_body(body, "Application/JSON"));
    end_sender();
}

/* One of digits alone stands there as a string, or it does not belong there. */
static void
test_a_number_is_no_placeholder(void **state)
{
    char body[200];

    (void)state;
    put("digits/key", "4071926358407192635840719263584071926358", NULL);
    sender.keys[0][0] = '0';
    while (sender.keys[0][0] == '0') { /* no number begins so */
        end_sender();
        start_sender(WISH(.ref = "ag://digits/key", .upstream = API,
                          .key_env = "K", .json = "/auth/key"),
                     1);
    }
    (void)snprintf(body, sizeof(body), "{\"auth\": {\"key\": %.60s}}",
                   sender.keys[0]);
    check_err(send_body(body, NULL), AG_EPLACE);
    check_ok(send_with("{\"auth\": {\"key\": \"", "\"}}"));
    end_sender();
}

/* A permit that waited for its body is used for what is decided then. */
static void
test_the_same_permit_for_both_decisions(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};
    char body[1100];

    (void)state;
    start();
    (void)snprintf(body, sizeof(body), "{\"auth\": {\"key\": \"%s\"}}",
                   sender.keys[0]);
    check_ok(send_into(
        &(struct sent){.service = "api.example", .follows = true}, &permit));
    assert_true(permit.in_body);
    check_ok(send_into(&(struct sent){.service = "api.example", .body = body},
                       &permit));
    assert_false(permit.in_body);
    assert_int_equal(permit.edit_count, 1);
    assert_non_null(permit.filter);
    end_sender();
}

/* The same for a parameter: once is its place, twice is not. */
static void
test_nor_does_a_query_repeat_it(void **state)
{
    char query[2048];

    (void)state;
    start_sender(WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K",
                      .query = "key"),
                 1);
    (void)snprintf(query, sizeof(query), "key=%s", sender.keys[0]);
    check_ok(
        send_one(&(struct sent){.service = "api.example", .query = query}));
    (void)snprintf(query, sizeof(query), "key=%.500s&log=%.500s",
                   sender.keys[0], sender.keys[0]);
    check_err(
        send_one(&(struct sent){.service = "api.example", .query = query}),
        AG_EPLACE);
    end_sender();
}

/* With letters as escapes, which a search does not see. */
static void
escape(const char *key, const char *prefix, char *out, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; key[i] != '\0'; i++) {
        int n = i % 4 == 0 ? snprintf(out + at, room - at, "%s%02x", prefix,
                                      (unsigned)(unsigned char)key[i])
                           : snprintf(out + at, room - at, "%c", key[i]);

        assert_true(n > 0 && (size_t)n < room - at);
        at += (size_t)n;
    }
}

static enum ag_err
send_escaped(const char *key, bool in_body)
{
    char escaped[1500];
    char text[1600];

    escape(key, in_body ? "\\u00" : "%", escaped, sizeof(escaped));
    if (!in_body) {
        (void)snprintf(text, sizeof(text), "key=%s", escaped);
        return send_one(
            &(struct sent){.service = "api.example", .query = text});
    }
    (void)snprintf(text, sizeof(text), "{\"auth\": {\"key\": \"%s\"}}",
                   escaped);
    return send_body(text, NULL);
}

static void
check_escaped(const struct task_proxy_request *wish, bool in_body)
{
    char key[1024];

    start_sender(wish, 1);
    check_ok(send_escaped(sender.keys[0], in_body));
    (void)snprintf(key, sizeof(key), "%s", sender.keys[0]);
    end_sender();
    start_sender(wish, 1);
    check_err(send_escaped(key, in_body), AG_EENDED);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
}

static void
test_a_tripwire_has_no_other_spelling(void **state)
{
    (void)state;
    check_escaped(WISH(.ref = "ag://github/bot", .upstream = API,
                       .key_env = "K", .query = "key"),
                  false);
    check_escaped(WISH(.ref = "ag://github/bot", .upstream = API,
                       .key_env = "K", .json = "/auth/key"),
                  true);
}

/* An agent sends its model what it has read, old transcripts among it. */
static void
test_history_in_a_body_passes(void **state)
{
    const struct task_proxy_request *wish =
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K",
             .json = "/auth/key");
    char key[1024];
    char body[3000];
    struct call call = {0};
    struct last_row last;
    uint64_t id = 0;

    (void)state;
    start_sender(wish, 1);
    (void)snprintf(key, sizeof(key), "%s", sender.keys[0]);
    check_ok(proxied_id(sender.id, 0, &id));
    end_sender();
    start_sender(wish, 1);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(body, sizeof(body),
                       "{\"auth\":{\"key\":\"%.900s\"},\"log\":\"export "
                       "K=%.900s, then\"}",
                       sender.keys[0], key);
        check_ok(send_body(body, NULL));
        last = rows_last(true);
        rows_check(&last, AUDIT_TRIPWIRE, sender.id, "\"found\":\"body\"");
        assert_null(ended_reason);
        /* That record is waited for, whatever else is known. */
        check_err(send_one(&(struct sent){
                      .service = "api.example", .body = body, .quick = true}),
                  AG_EBLOCKS);
    }
    /* In a text that is not read as JSON it is searched for as it passes. */
    call = call_of(flow.task_peer);
    check_ok(permit_stray(flow.core, &call, id));
    assert_null(ended_reason);
    /* Where a value belongs it was to be used, whatever else stands there. */
    (void)snprintf(body, sizeof(body),
                   "{\"auth\":{\"key\":\"%.900s\"},\"log\":\"%.900s\"}", key,
                   key);
    check_err(send_body(body, NULL), AG_EENDED);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_that_follows_is_waited_for),
        cmocka_unit_test(test_the_field_and_no_other),
        cmocka_unit_test(test_a_body_has_one_reading),
        cmocka_unit_test(test_a_number_is_no_placeholder),
        cmocka_unit_test(test_the_same_permit_for_both_decisions),
        cmocka_unit_test(test_nor_does_a_query_repeat_it),
        cmocka_unit_test(test_a_tripwire_has_no_other_spelling),
        cmocka_unit_test(test_history_in_a_body_passes),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
