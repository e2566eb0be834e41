/* Requests that the proxy refuses before anything of them is kept: whoever
 * sends them, and whatever state the vault is in. */
#include "common/broker.h"
#include "proxy/body_json.h"
#include "proxy/flight_impl.h"
#include "proxy/proxy.h"
#include "upstream/upstream.h"

static struct upstream *out;

static void
on_answer(void *arg, const struct proxy_answer *answer)
{
    (void)arg;
    (void)answer;
    fail_msg("answered");
}

static void
on_fail(void *arg, enum ag_err err, const char *why)
{
    (void)arg;
    (void)err;
    fail_msg("failed later: %s", why);
}

static void
on_wake(void *arg)
{
    (void)arg;
}

static enum ag_err
begin(struct peer *peer, const char *target, int64_t body_bytes, bool may_block)
{
    static const struct proxy_client CLIENT = {
        .answer = on_answer, .fail = on_fail, .wake = on_wake};
    const struct proxy_request request = {.method = span_str("POST"),
                                          .target = span_str(target),
                                          .body_bytes = body_bytes,
                                          .peer = peer};
    AG_AUTO(proxy) struct proxy *proxy = NULL;
    struct flight *flight = NULL;
    enum ag_err err = AG_OK;

    check_ok(proxy_new(flow.core, out, &proxy));
    err = flight_begin(proxy, &request, may_block, &CLIENT, &flight);
    assert_null(flight);
    return err;
}

/* Any target, with a body and without, on either thread. */
static void
check_refused(struct peer *peer, enum ag_err want)
{
    static const char *const TARGETS[] = {"/p/api.example/x",
                                          "/t/1/api.example/x"};
    static const int64_t BODIES[] = {PROXY_BODY_NONE, PROXY_BODY_CHUNKED, 0, 5};

    for (size_t i = 0; i < AG_COUNT(TARGETS); i++) {
        for (size_t k = 0; k < AG_COUNT(BODIES); k++) {
            check_err(begin(peer, TARGETS[i], BODIES[k], false), want);
            check_err(begin(peer, TARGETS[i], BODIES[k], true), want);
        }
    }
}

static void
test_without_a_vault_nothing_goes_out(void **state)
{
    (void)state;
    check_refused(flow.stranger_peer, AG_ENOVAULT);
    check_refused(flow.operator_peer, AG_ENOVAULT);
}

static void
test_while_it_is_locked_nothing_goes_out(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    (void)state;
    check_ok(vault_init(flow.core, &call, passphrase, &answer));
    call = call_of(flow.operator_peer);
    check_ok(vault_lock(flow.core, &call));
    check_refused(flow.stranger_peer, AG_ELOCKED);
    check_refused(flow.operator_peer, AG_ELOCKED);
}

/* Of a body with a value in it either. */
static void
test_of_what_was_cut_nothing_is_sent(void **state)
{
    const struct permit_ask ask = {.service = span_str("x")};
    struct flight *f = calloc(1, sizeof(*f));
    uint8_t sent[16];
    size_t len = 0;

    (void)state;
    assert_non_null(f);
    (void)pthread_mutex_init(&f->lock, NULL);
    f->cut = true;
    check_ok(body_json_new(&ask, &f->json));
    assert_int_equal(flight_on_send(f, sent, sizeof(sent), &len),
                     UPSTREAM_WAIT);
    assert_int_equal(len, 0);
    body_json_free(f->json);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

static int
open_all(void **state)
{
    const struct upstream_limits limits = upstream_limits_default();

    check_ok(upstream_new(&limits, NULL, &out));
    return flow_open(state);
}

static int
close_all(void **state)
{
    upstream_free(out);
    return flow_close(state);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_vault_nothing_goes_out),
        cmocka_unit_test(test_of_what_was_cut_nothing_is_sent),
        cmocka_unit_test(test_while_it_is_locked_nothing_goes_out),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, open_all, close_all);
}
