/* What decides over a request of the proxy, and what it leaves behind. */
#include "base/encode.h"
#include "common/permits.h"
#include "core/reach.h"
#include "core/state.h"
#include "core/turned.h"
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

struct counting {
    int refused;
    int64_t folded;
    int64_t task_id;
};

static enum ag_err
count_row(const struct audit_row *row, void *arg)
{
    AG_AUTO(wjson) json_t *body = NULL;
    struct counting *c = arg;

    if (row->kind == AUDIT_POLICY_DENIED) {
        check_ok(wjson_parse(row->json, WJSON_MAX_BYTES, &body));
        c->refused++;
        c->folded += json_integer_value(json_object_get(body, "folded"));
        c->task_id = row->task_id;
    }
    return AG_OK;
}

static struct counting
count_refusals(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct counting c = {0};

    check_ok(store_read(flow.core->store, &r));
    check_ok(audit_each(r, 0, UINT32_MAX, count_row, &c));
    return c;
}

/* Connections that the forward proxy refuses count as requests do. */
static void
test_refused_connections_are_one_row(void **state)
{
    struct call call = {0};
    struct guard_host host = {0};
    struct counting before = {0};

    (void)state;
    check_ok(guard_read_host(span_str("no.example"), &host));
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"), 1);
    call = call_of(flow.task_peer);
    check_ok(folds_write_wait(flow.core, INT64_MAX));
    before = count_refusals();
    for (int i = 0; i < FOLDS_ROWS_PER_MINUTE + 5; i++) {
        AG_AUTO(reach) struct reach reach = {0};

        check_err(reach_decide(flow.core, &call, &host, 443, &reach),
                  i < FOLDS_ROWS_PER_MINUTE ? AG_ENOTALLOWED : AG_ERATE);
    }
    assert_int_equal(count_refusals().refused - before.refused,
                     FOLDS_ROWS_PER_MINUTE);
    check_ok(folds_write_wait(flow.core, INT64_MAX));
    assert_int_equal(count_refusals().folded - before.folded, 5);
    end_sender();
}

struct sums {
    enum audit_kind kind;
    int rows;
    int64_t folded;
    int more; /* that say the next are counted */
};

static enum ag_err
sum_row(const struct audit_row *row, void *arg)
{
    AG_AUTO(wjson) json_t *body = NULL;
    struct sums *s = arg;

    if (row->kind != s->kind) {
        return AG_OK;
    }
    check_ok(wjson_parse(row->json, WJSON_MAX_BYTES, &body));
    s->folded += json_integer_value(json_object_get(body, "folded"));
    s->rows += json_object_get(body, "folded") == NULL ? 1 : 0;
    s->more += json_object_get(body, "more") != NULL ? 1 : 0;
    return AG_OK;
}

static struct sums
sum_of(enum audit_kind kind)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct sums s = {.kind = kind};

    check_ok(store_read(flow.core->store, &r));
    check_ok(audit_each(r, 0, UINT32_MAX, sum_row, &s));
    return s;
}

static void
start_allowed(const char *host)
{
    const struct task_request request = {
        .name = "open", .allow = &host, .allow_count = 1};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    int64_t id = 0;

    check_ok(act(do_start, &call, &request, &answer));
    sender.id = strtoll(text_at(answer, "id"), NULL, 10);
    line.peer = flow.operator_peer;
    line.connection_id++;
    ended_reason = NULL;
    check_ok(handout_attach(flow.core, &line, text_at(answer, "life"),
                            &LISTENER, &id));
}

static void
open_tunnels(int count)
{
    struct call call = call_of(flow.task_peer);
    struct guard_host host = {0};

    check_ok(guard_read_host(span_str("open.example"), &host));
    for (int i = 0; i < count; i++) {
        AG_AUTO(reach) struct reach reach = {0};

        check_ok(reach_decide(flow.core, &call, &host, 443, &reach));
    }
}

static void
call_plainly(int count)
{
    struct call call = call_of(flow.task_peer);
    const struct permit_ask ask = {
        .call = &call,
        .service = span_str("open.example"),
        .via = REQUEST_PLAIN,
        .request = {.method = span_str("GET"), .path = span_str("/x")}};

    for (int i = 0; i < count; i++) {
        AG_AUTO(permit) struct permit permit = {0};

        check_ok(permit_decide(flow.core, &ask, false, &permit));
    }
}

static enum ag_err
do_nothing(struct core *core, struct db_tx *tx, const struct call *call,
           const void *request, json_t **ret)
{
    (void)core;
    (void)tx;
    (void)call;
    (void)request;
    (void)ret;
    return AG_OK;
}

static void
set_strict(bool strict)
{
    struct core_settings settings = core_settings_of(flow.core);

    settings.audit_strict = strict;
    core_set_settings(flow.core, &settings);
}

/* What may pass does, again and again; of the same host a few have a row each,
 * and when the task ends the rest is one. */
static void
test_what_is_allowed_does_not_fill_the_record(void **state)
{
    enum {
        COUNT = 50
    };

    const struct sums tunnels = sum_of(AUDIT_TUNNEL_OPENED);
    const struct sums calls = sum_of(AUDIT_HOST_CALLED);
    struct sums now = {0};

    (void)state;
    start_allowed("open.example");
    open_tunnels(COUNT);
    call_plainly(COUNT);
    now = sum_of(AUDIT_TUNNEL_OPENED);
    assert_int_equal(now.rows - tunnels.rows, FOLDS_CALLS_PER_MINUTE);
    assert_int_equal(now.more - tunnels.more, 1);
    now = sum_of(AUDIT_HOST_CALLED);
    assert_int_equal(now.rows - calls.rows, FOLDS_CALLS_PER_MINUTE);
    assert_int_equal(now.more - calls.more, 1);
    set_strict(true);
    open_tunnels(3);
    set_strict(false);
    end_sender();
    check_ok(act(do_nothing, NULL, NULL, NULL)); /* behind those that wait */
    now = sum_of(AUDIT_TUNNEL_OPENED);
    assert_int_equal(now.rows - tunnels.rows, FOLDS_CALLS_PER_MINUTE + 3);
    assert_int_equal(now.folded - tunnels.folded,
                     COUNT - FOLDS_CALLS_PER_MINUTE);
    now = sum_of(AUDIT_HOST_CALLED);
    assert_int_equal(now.folded - calls.folded, COUNT - FOLDS_CALLS_PER_MINUTE);
}

static void
check_turned_away(const json_t *receipt, size_t at, const char *host, int count)
{
    const json_t *item =
        json_array_get(json_object_get(receipt, "refused"), at);

    assert_string_equal(text_at(item, "host"), host);
    assert_int_equal(json_integer_value(json_object_get(item, "count")), count);
}

/* Hosts that --allow would have permitted, by tunnels and plain requests. */
static void
test_the_end_tells_who_was_turned_away(void **state)
{
    AG_AUTO(wjson) json_t *receipt = NULL;
    AG_AUTO(wjson) json_t *none = NULL;
    struct call call = {0};
    struct guard_host host = {0};
    char name[32];

    (void)state;
    start_allowed("open.example");
    call = call_of(flow.task_peer);
    const struct permit_ask ask = {
        .call = &call,
        .service = span_str("shut.example"),
        .via = REQUEST_PLAIN,
        .request = {.method = span_str("GET"), .path = span_str("/x")}};

    for (int i = 0; i < TURNED_HOSTS_MAX_COUNT + 2; i++) {
        AG_AUTO(reach) struct reach reach = {0};
        AG_AUTO(permit) struct permit permit = {0};

        check_err(permit_decide(flow.core, &ask, false, &permit),
                  AG_ENOTALLOWED);
        (void)snprintf(name, sizeof(name), "h%d.example", i);
        check_ok(guard_read_host(span_str(name), &host));
        check_err(reach_decide(flow.core, &call, &host, 8443, &reach),
                  AG_ENOTALLOWED);
    }
    check_ok(handout_finish(flow.core, sender.id, 0, &receipt));
    assert_int_equal(json_array_size(json_object_get(receipt, "refused")),
                     TURNED_HOSTS_MAX_COUNT);
    check_turned_away(receipt, 0, "shut.example", TURNED_HOSTS_MAX_COUNT + 2);
    check_turned_away(receipt, 1, "h0.example:8443", 1);
    assert_int_equal(
        json_integer_value(json_object_get(receipt, "refused_more")), 3);
    start_allowed("open.example");
    open_tunnels(1);
    check_ok(handout_finish(flow.core, sender.id, 0, &none));
    assert_null(json_object_get(none, "refused"));
}

/* A neighbour that forks is one neighbour, of the proxy and of tokens. */
static void
test_a_neighbour_is_its_uid(void **state)
{
    const struct sums refused = sum_of(AUDIT_POLICY_DENIED);
    const struct sums tokens = sum_of(AUDIT_TOKEN_REFUSED);
    static const char BAD[] =
        "agt_0000000000000000000000000000000000000000000000000";
    int answered = 0;

    (void)state;
    check_ok(folds_write_wait(flow.core, INT64_MAX));
    for (int pid = 5000; pid < 5000 + 2 * FOLDS_ROWS_PER_MINUTE; pid++) {
        struct peer *peer = make_peer(pid, 900 + pid, 1);

        answered += send_one(&(struct sent){.service = "no.example",
                                            .peer = peer}) == AG_EDENIED
                        ? 1
                        : 0;
        assert_int_not_equal(show_token(peer, BAD), AG_OK);
        peer_free(peer);
    }
    assert_true(answered <= FOLDS_ROWS_PER_MINUTE);
    check_ok(folds_write_wait(flow.core, INT64_MAX));
    assert_true(sum_of(AUDIT_POLICY_DENIED).rows - refused.rows <=
                FOLDS_ROWS_PER_MINUTE);
    assert_true(sum_of(AUDIT_TOKEN_REFUSED).rows - tokens.rows <=
                FOLDS_ROWS_PER_MINUTE);
    assert_true(sum_of(AUDIT_TOKEN_REFUSED).folded - tokens.folded >=
                FOLDS_ROWS_PER_MINUTE);
}

/* Neither a task nor a process outside fills the record with refusals. */
static void
test_refusals_without_end_are_one_row(void **state)
{
    const struct sent sent = {.service = "no.example"};
    const struct sent outside = {.service = "no.example",
                                 .peer = flow.stranger_peer};
    const int64_t now_ms = clock_steady_ms();
    struct counting before = {0};
    struct counting after = {0};

    (void)state;
    start_sender(
        WISH(.ref = "ag://github/bot", .upstream = API, .key_env = "K"), 1);
    before = count_refusals();
    for (int i = 0; i < FOLDS_ROWS_PER_MINUTE; i++) {
        check_err(send_one(&sent), AG_ESERVICE);
        check_err(send_one(&outside), AG_EDENIED);
    }
    for (int i = 0; i < 5; i++) {
        check_err(send_one(&sent), AG_ERATE);
        check_err(send_one(&outside), AG_ERATE);
    }
    after = count_refusals();
    assert_int_equal(after.refused - before.refused, 2 * FOLDS_ROWS_PER_MINUTE);
    check_ok(folds_write_wait(flow.core, now_ms));
    assert_int_equal(count_refusals().refused, after.refused);
    check_ok(folds_write_wait(flow.core, INT64_MAX));
    assert_int_equal(count_refusals().refused, after.refused + 2);
    assert_int_equal(count_refusals().folded - after.folded, 10);
    /* What may go out still does, and what trips the wire has its row. */
    check_ok(send_one(&(struct sent){.service = "api.example",
                                     .name = "Authorization",
                                     .value = bearer(sender.keys[0])}));
    check_err(send_one(&(struct sent){.service = "no.example",
                                      .name = "Authorization",
                                      .value = bearer(sender.keys[0])}),
              AG_EHOST);
    assert_string_equal(ended_reason, "alarm");
    end_sender();
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
        cmocka_unit_test(test_whatever_is_sent_is_filtered),
        cmocka_unit_test(test_what_was_sent_before_is_filtered),
        cmocka_unit_test(test_refused_connections_are_one_row),
        cmocka_unit_test(test_refusals_without_end_are_one_row),
        cmocka_unit_test(test_what_is_allowed_does_not_fill_the_record),
        cmocka_unit_test(test_the_end_tells_who_was_turned_away),
        cmocka_unit_test(test_a_token_of_the_brokers_goes_nowhere),
        cmocka_unit_test(test_a_neighbour_is_its_uid),
        cmocka_unit_test(test_a_locked_vault_has_no_key_for_anything),
        cmocka_unit_test(test_a_scan_outlives_a_lock),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
