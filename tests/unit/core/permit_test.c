/* What decides over a request of the proxy, and what it leaves behind. */
#include "base/encode.h"
#include "common/permits.h"
#include "core/state.h"
#include "crypt/token.h"
#include "redact/matcher.h"

static const char API[] = "https://api.example";

#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){{.uses = -1, __VA_ARGS__}})

static void
test_only_what_has_to_wait_is_asked_again(void **state)
{
    (void)state;
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"), 1);
    struct sent sent = {.service = "api.example",
                        .name = "Authorization",
                        .value = bearer(sender.keys[0]),
                        .quick = true};

    /* The first use is durable before it goes out, and so is a refusal. */
    check_err(send_one(&sent), AG_EBLOCKS);
    sent.quick = false;
    check_ok(send_one(&sent));
    sent.quick = true;
    check_ok(send_one(&sent));
    sent.service = "other.example";
    check_err(send_one(&sent), AG_EBLOCKS);
    end_sender();
}

static bool
filtered(const struct permit *permit, const char *text)
{
    for (size_t i = 0; i < matcher_count(permit->filter); i++) {
        if (span_is(matcher_value_at(permit->filter, i).value, text)) {
            return true;
        }
    }
    return false;
}

/* `what` of a secret is sent to a host that echoes it. */
static void
check_filters(const char *ref, const char *profile, const char *content,
              const char *what)
{
    AG_AUTO(secret) struct secret *value = secret_of(content);
    AG_AUTO(permit) struct permit permit = {0};
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = "odd/one", .value = value, .profile = profile, .if_version = 0};

    check_ok(act(do_put, &call, &request, NULL));
    start_sender(WISH(.ref = ref, .upstream = API, .key_env = "K"), 1);
    check_ok(send_into(&(struct sent){.service = "api.example",
                                      .name = "Authorization",
                                      .value = bearer(sender.keys[0])},
                       &permit));
    assert_true(filtered(&permit, what));
    end_sender();
    check_ok(act(do_remove, &call, "odd/one", NULL));
}

/* What is sent is taken out of answers, whether it looks like a secret or not:
 * a number, an address, one that its profile does not count among its secrets. */
static void
test_whatever_is_sent_is_filtered(void **state)
{
    (void)state;
    check_filters("ag://odd/one#/pin", NULL,
                  "{\"pin\": \"123456789012345678901234\"}",
                  "123456789012345678901234");
    check_filters("ag://odd/one#/where", NULL,
                  "{\"where\": \"/srv/hooks/T0123456789abcdef\"}",
                  "/srv/hooks/T0123456789abcdef");
    check_filters("ag://odd/one#/tokens/account_id", "codex",
                  "{\"tokens\": {\"account_id\": \"acc-0123456789abcdef01\"}}",
                  "acc-0123456789abcdef01");
}

/* Nor does a service forget what was sent before the value was changed. */
static void
test_what_was_sent_before_is_filtered(void **state)
{
    AG_AUTO(secret)
    struct secret *value =
        secret_of("{\"pin\": \"an-earlier-value-0123456789\"}");
    AG_AUTO(secret)
    struct secret *later = secret_of("{\"pin\": \"a-later-value-9876543210\"}");
    AG_AUTO(permit) struct permit permit = {0};
    struct call call = call_of(flow.operator_peer);
    struct put_request request = {
        .name = "odd/one", .value = value, .if_version = 0};

    (void)state;
    check_ok(act(do_put, &call, &request, NULL));
    start_sender(
        WISH(.ref = "ag://odd/one#/pin", .upstream = API, .key_env = "K"), 1);
    struct sent sent = {.service = "api.example",
                        .name = "Authorization",
                        .value = bearer(sender.keys[0])};

    check_ok(send_one(&sent));
    request.value = later;
    request.if_version = 1;
    check_ok(act(do_put, &call, &request, NULL));
    check_ok(send_into(&sent, &permit));
    assert_true(filtered(&permit, "a-later-value-9876543210"));
    assert_true(filtered(&permit, "an-earlier-value-0123456789"));
    end_sender();
    check_ok(act(do_remove, &call, "odd/one", NULL));
}

static void
check_token_at(const char *name, const char *before, const char *behind)
{
    char text[TOKEN_TEXT_BYTES];
    char value[128];
    const struct sent sent = {
        .service = "api.example", .name = name, .value = value};

    token_new_text(TOKEN_TASK, text);
    (void)snprintf(value, sizeof(value), "%s%s%s", before, text, behind);
    check_err(send_one(&sent), AG_EPLACE);
}

/* A token of the broker's is taken off where clients show it (rebuild_test.c),
 * and nowhere else let through. */
static void
test_a_token_of_the_brokers_goes_nowhere(void **state)
{
    char text[TOKEN_TEXT_BYTES];
    char query[80];
    AG_AUTO(buf) struct buf basic = {0};

    (void)state;
    token_new_text(TOKEN_TASK, text);
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"), 1);
    check_token_at("Authorization", "token ", "");
    check_token_at("Authorization", "Bearer  ", "");
    check_token_at("X-Api-Key", "", "");
    check_token_at("Cookie", "a=b; t=", "; c=d");
    (void)snprintf(query, sizeof(query), "a=%s", text);
    check_err(
        send_one(&(struct sent){.service = "api.example", .query = query}),
        AG_EPLACE);
    (void)snprintf(query, sizeof(query), "/%s/x", text);
    check_err(send_one(&(struct sent){.service = "api.example", .path = query}),
              AG_EPLACE);
    (void)snprintf(query, sizeof(query), "x:%s", text);
    buf_init(&basic, 256, BUF_PLAIN);
    check_ok(buf_add(&basic, span_str("Basic ")));
    check_ok(encode_base64(span_str(query), &basic));
    check_err(send_one(&(struct sent){.service = "api.example",
                                      .name = "Authorization",
                                      .value = buf_cstr(&basic)}),
              AG_EPLACE);
    end_sender();
}

static enum ag_err
on_hit(void *arg, uint64_t id)
{
    (void)id;
    (*(int *)arg)++;
    return AG_OK;
}

static void
unlock(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};

    check_ok(vault_unlock(flow.core, &call, &request, &answer));
}

static void
test_a_locked_vault_has_no_key_for_anything(void **state)
{
    struct permit_scan *scan = NULL;
    int hits = 0;
    struct call call = call_of(flow.operator_peer);
    const struct sent sent = {.service = "api.example"};

    (void)state;
    check_ok(vault_lock(flow.core, &call));
    check_err(permit_scan_new(flow.core, on_hit, &hits, &scan), AG_ELOCKED);
    assert_null(scan);
    check_err(send_one(&sent), AG_ELOCKED);
    unlock();
}

/* What was read under one is not known under the next (recent.h). */
static void
test_each_keyring_has_its_number(void **state)
{
    struct call call = call_of(flow.operator_peer);
    uint64_t open = core_keyring_number(flow.core);
    uint64_t locked = 0;

    (void)state;
    assert_int_equal(core_keyring_number(flow.core), open);
    check_ok(vault_lock(flow.core, &call));
    locked = core_keyring_number(flow.core);
    unlock();
    assert_int_not_equal(locked, open);
    assert_int_not_equal(core_keyring_number(flow.core), open);
    assert_int_not_equal(core_keyring_number(flow.core), locked);
}

/* What was begun goes on over a lock: its key is its own. */
static void
test_a_scan_outlives_a_lock(void **state)
{
    AG_AUTO(permit_scan) struct permit_scan *scan = NULL;
    int hits = 0;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(permit_scan_new(flow.core, on_hit, &hits, &scan));
    check_ok(vault_lock(flow.core, &call));
    check_ok(permit_scan_feed(scan, span_str("a body of some words")));
    check_ok(permit_scan_finish(scan));
    unlock();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_has_to_wait_is_asked_again),
        cmocka_unit_test(test_whatever_is_sent_is_filtered),
        cmocka_unit_test(test_what_was_sent_before_is_filtered),
        cmocka_unit_test(test_a_token_of_the_brokers_goes_nowhere),
        cmocka_unit_test(test_a_locked_vault_has_no_key_for_anything),
        cmocka_unit_test(test_each_keyring_has_its_number),
        cmocka_unit_test(test_a_scan_outlives_a_lock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
