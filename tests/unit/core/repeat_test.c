/* What callers repeat: of the record a few rows, the rest counted; and told. */
#include "common/permits.h"
#include "core/folds.h"
#include "core/reach.h"
#include "core/state.h"
#include "core/turned.h"

static const char API[] = "https://api.example";

#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){{.uses = -1, __VA_ARGS__}})

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
    struct sums now = {.kind = AUDIT_HOST_CALLED};

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

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_connections_are_one_row),
        cmocka_unit_test(test_refusals_without_end_are_one_row),
        cmocka_unit_test(test_what_is_allowed_does_not_fill_the_record),
        cmocka_unit_test(test_the_end_tells_who_was_turned_away),
        cmocka_unit_test(test_a_neighbour_is_its_uid),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
