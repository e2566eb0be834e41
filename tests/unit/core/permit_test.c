/* What decides over a request of the proxy, and what it leaves behind. */
#include "common/permits.h"

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

static void
on_hit(void *arg, uint64_t id)
{
    (void)id;
    (*(int *)arg)++;
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
        cmocka_unit_test(test_a_locked_vault_has_no_key_for_anything),
        cmocka_unit_test(test_a_scan_outlives_a_lock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
