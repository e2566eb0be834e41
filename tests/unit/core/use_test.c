/* What stands in the placeholder's stead, at each kind of place, and the record
 * of a value's use. */
#include "common/permits.h"
#include "core/state.h"
#include "store/exposure.h"
#include "store/grants.h"
#include "store/leases.h"

static const char API[] = "https://api.example";

enum {
    MANY_COUNT = PERMIT_EDITS_MAX_COUNT + 1,
};

#define KEY "sk-0123456789abcdefghijklmnop"

#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){                                      \
        {.uses = -1, .upstream = API, .key_env = "K", __VA_ARGS__}})

static void
put_as(const char *name, const char *text, const char *profile)
{
    AG_AUTO(secret) struct secret *value = secret_of(text);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = name, .value = value, .profile = profile, .if_version = -1};

    check_ok(act(do_put, &call, &request, NULL));
}

static void
check_edit(const struct sent *sent, enum permit_edit_kind kind,
           const char *want)
{
    AG_AUTO(permit) struct permit permit = {0};

    check_ok(send_into(sent, &permit));
    assert_int_equal(permit.edit_count, 1);
    assert_int_equal(permit.edits[0].kind, kind);
    check_span(secret_view(permit.edits[0].text), want);
}

/* ---- the text ---- */

static void
test_a_header(void **state)
{
    char value[1200];

    (void)state;
    put_as("plain/key", "a value-with/all+kinds=of%20text", NULL);
    start_sender(WISH(.ref = "ag://plain/key"), 1);
    check_edit(&(struct sent){.service = "api.example",
                              .name = "Authorization",
                              .value = bearer(sender.keys[0])},
               PERMIT_FIELD, "Bearer a value-with/all+kinds=of%20text");
    end_sender();
    start_sender(WISH(.ref = "ag://plain/key", .header = "X-Key",
                      .format = "before {} after"),
                 1);
    (void)snprintf(value, sizeof(value), "before %s after", sender.keys[0]);
    check_edit(&(struct sent){.service = "api.example",
                              .name = "X-Key",
                              .value = value},
               PERMIT_FIELD, "before a value-with/all+kinds=of%20text after");
    end_sender();
}

/* As a client spells it there: all but letters and digits escaped. */
static const char *
spelled(const char *key, const char *escape)
{
    static char text[1000];
    size_t at = 0;

    for (const char *c = key; *c != '\0'; c++) {
        bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= 'A' && *c <= 'Z');

        at += (size_t)(plain ? snprintf(text + at, sizeof(text) - at, "%c", *c)
                             : snprintf(text + at, sizeof(text) - at, "%s%02x",
                                        escape, (unsigned)(unsigned char)*c));
    }
    return text;
}

static void
test_a_parameter(void **state)
{
    char query[1200];

    (void)state;
    put_as("query/key", KEY "-._~ /?&=#%+\"\xc3\xa9", NULL);
    start_sender(WISH(.ref = "ag://query/key", .query = "key"), 1);
    (void)snprintf(query, sizeof(query), "a=1&key=%s&b=2",
                   spelled(sender.keys[0], "%"));
    check_edit(&(struct sent){.service = "api.example", .query = query},
               PERMIT_QUERY, KEY "-._~%20%2F%3F%26%3D%23%25%2B%22%C3%A9");
    end_sender();
}

static void
test_a_field_of_a_body(void **state)
{
    char body[1200];

    (void)state;
    put_as("json/key", KEY " \"quoted\" \\ value", NULL);
    start_sender(WISH(.ref = "ag://json/key", .json = "/key"), 1);
    (void)snprintf(body, sizeof(body), "{\"key\": \"%s\"}",
                   spelled(sender.keys[0], "\\u00"));
    check_edit(&(struct sent){.service = "api.example", .body = body},
               PERMIT_BODY, KEY " \\\"quoted\\\" \\\\ value");
    end_sender();
}

/* It would begin another header, wherever it stands. */
static void
test_a_value_with_a_control_byte_goes_nowhere(void **state)
{
    static const char *const VALUES[] = {(KEY "\r\nX-Two: two"), (KEY "\ttwo"),
                                         (KEY "\x7f"), ("\x01" KEY)};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(VALUES); i++) {
        put_as("line/key", VALUES[i], NULL);
        start_sender(WISH(.ref = "ag://line/key"), 1);
        check_err(send_one(&(struct sent){.service = "api.example",
                                          .name = "Authorization",
                                          .value = bearer(sender.keys[0])}),
                  AG_EUNSUPPORTED);
        assert_non_null(
            strstr(err_text(AG_EUNSUPPORTED), "line/key holds a control byte"));
        end_sender();
    }
}

static void
test_a_value_that_is_gone(void **state)
{
    struct call call = call_of(flow.operator_peer);
    struct sent sent = {.service = "api.example", .name = "Authorization"};

    (void)state;
    put_as("gone/key", "sk-gone-0123456789abcdef", NULL);
    start_sender(WISH(.ref = "ag://gone/key"), 1);
    sent.value = bearer(sender.keys[0]);
    check_ok(send_one(&sent));
    check_ok(act(do_remove, &call, "gone/key", NULL));
    check_err(send_one(&sent), AG_ENOTFOUND);
    assert_non_null(strstr(err_text(AG_ENOTFOUND),
                           "gone/key is not in the vault any more"));
    end_sender();
}

/* What the proxy has at hand is nobody's who reads by name. */
static void
test_what_is_at_hand_is_for_the_proxy(void **state)
{
    const struct task_grant_request grant = {
        .secret = "proxy/*", .verb = "read", .uses = -1};
    const struct task_request reader = {
        .name = "reader", .grants = &grant, .grant_count = 1};
    struct peer *root = make_peer(2000, 900, 900);
    struct peer *child = make_peer(2001, 2000, 2000);
    struct call call = {0};
    struct got got = {.request = {.name = "proxy/only"}};
    AG_AUTO(wjson) json_t *answer = NULL;

    (void)state;
    put("proxy/only", "sk-proxy-0123456789abcdef", "proxy");
    start_sender(WISH(.ref = "ag://proxy/only"), 1);
    check_ok(send_one(&(struct sent){.service = "api.example",
                                     .name = "Authorization",
                                     .value = bearer(sender.keys[0])}));
    call = call_of(root);
    check_ok(act(do_start, &call, &reader, &answer));
    check_ok(access_check(flow.core, child, span_str(text_at(answer, "token")),
                          &call));
    assert_int_not_equal(core_secret_get_quick(flow.core, &call, &got.request,
                                               &got.version, &got.value),
                         AG_OK);
    assert_null(got.value);
    access_done(flow.core, &call);
    handout_lost(flow.core, strtoll(text_at(answer, "id"), NULL, 10));
    peer_free(child);
    peer_free(root);
    end_sender();
}

/* ---- several in one request ---- */

static enum ag_err
send_many(char keys[][1024], size_t count, struct permit *permit)
{
    static char names[MANY_COUNT][8];
    struct request_field fields[MANY_COUNT];
    struct call call = call_of(flow.task_peer);
    struct permit_ask ask = {.call = &call,
                             .service = span_str("api.example"),
                             .request = {.method = span_str("GET"),
                                         .path = span_str("/x"),
                                         .fields = fields,
                                         .field_count = count}};

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "X-%zu", i);
        fields[i] =
            (struct request_field){span_str(names[i]), span_str(keys[i])};
    }
    return permit_decide(flow.core, &ask, false, permit);
}

static void
test_values_have_a_limit(void **state)
{
    static char keys[MANY_COUNT][1024];
    static char names[MANY_COUNT][8];
    static char vars[MANY_COUNT][8];
    struct task_proxy_request wishes[MANY_COUNT];
    AG_AUTO(permit) struct permit most = {0};
    static struct permit more; /* of a refusal: nothing is in it */

    (void)state;
    put_as("many/key", "sk-many-0123456789abcdef", NULL);
    for (size_t i = 0; i < MANY_COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "X-%zu", i);
        (void)snprintf(vars[i], sizeof(vars[i]), "K%zu", i);
        wishes[i] = (struct task_proxy_request){.uses = -1,
                                                .ref = "ag://many/key",
                                                .upstream = API,
                                                .header = names[i],
                                                .key_env = vars[i]};
    }
    start_sender(wishes, MANY_COUNT);
    for (size_t i = 0; i < MANY_COUNT; i++) {
        memcpy(keys[i], sender.keys[i], sizeof(keys[i]));
    }
    check_ok(send_many(keys, MANY_COUNT - 1, &most));
    assert_int_equal(most.edit_count, PERMIT_EDITS_MAX_COUNT);
    check_err(send_many(keys, MANY_COUNT, &more), AG_ELIMIT);
    assert_non_null(strstr(err_text(AG_ELIMIT), "too many values"));
    assert_int_equal(more.edit_count, 0);
    end_sender();
}

static enum ag_err
send_two(struct permit *permit)
{
    struct call call = call_of(flow.task_peer);
    const struct request_field fields[] = {
        {span_str("Authorization"), span_str(bearer(sender.keys[0]))},
        {span_str("X-Key"), span_str(sender.keys[0])}};
    const struct permit_ask ask = {.call = &call,
                                   .service = span_str("two.example"),
                                   .request = {.method = span_str("GET"),
                                               .path = span_str("/x"),
                                               .fields = fields,
                                               .field_count = 2}};

    return permit_decide(flow.core, &ask, false, permit);
}

/* One value at two places of a request is one use. */
static void
test_one_request_is_one_use(void **state)
{
    const struct task_proxy_request wish = {
        .uses = 2, .ref = "ag://two/default#/key", .key_env = "K"};

    (void)state;
    put_as("two/default", "{\"key\": \"sk-two-0123456789abcdef\"}", "two");
    start_sender(&wish, 1);
    for (int i = 0; i < 2; i++) {
        AG_AUTO(permit) struct permit permit = {0};

        check_ok(send_two(&permit));
        assert_int_equal(permit.edit_count, 2); /* it has no account */
    }
    check_err(send_two(&(struct permit){0}), AG_EGRANTUSED);
    assert_non_null(strstr(err_text(AG_EGRANTUSED), "has no uses left"));
    end_sender();
}

static void
test_what_goes_along(void **state)
{
    const struct task_proxy_request wish = {
        .uses = -1, .ref = "ag://two/default#/key", .key_env = "K"};
    AG_AUTO(permit) struct permit permit = {0};
    AG_AUTO(permit) struct permit refused = {0};

    (void)state;
    put_as("two/default",
           "{\"key\": \"sk-two-0123456789abcdef\", \"account\": \"acc-1\"}",
           "two");
    start_sender(&wish, 1);
    check_ok(send_two(&permit));
    assert_int_equal(permit.edit_count, 3);
    assert_int_equal(permit.edits[1].kind, PERMIT_ADD);
    assert_string_equal(permit.edits[1].name, "x-account");
    check_span(secret_view(permit.edits[1].text), "acc-1");
    end_sender();
    put_as("two/default",
           "{\"key\": \"sk-two-0123456789abcdef\", \"account\": \"a\\nX: y\"}",
           "two");
    start_sender(&wish, 1);
    check_err(send_two(&refused), AG_EUNSUPPORTED);
    assert_int_equal(refused.edit_count, 0);
    end_sender();
}

/* ---- the record ---- */

struct seen {
    int leases;
    int exposures;
    int rows;
    int64_t lease_expires_ms;
};

static enum ag_err
on_lease(const struct lease_row *row, void *arg)
{
    struct seen *seen = arg;

    seen->leases++;
    seen->lease_expires_ms = row->expires_ms;
    assert_int_equal(row->verb, VERB_PROXY);
    return AG_OK;
}

static enum ag_err
on_exposure(const struct exposure_row *row, void *arg)
{
    assert_int_equal(row->verb, VERB_PROXY);
    ((struct seen *)arg)->exposures++;
    return AG_OK;
}

static enum ag_err
on_row(const struct audit_row *row, void *arg)
{
    if (row->kind == AUDIT_SECRET_READ && row->task_id == sender.id) {
        ((struct seen *)arg)->rows++;
    }
    return AG_OK;
}

static struct seen
seen_of_sender(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct seen seen = {0};

    check_ok(store_read(flow.core->store, &r));
    check_ok(leases_of_task_each(r, sender.id, 100, on_lease, &seen));
    check_ok(exposure_of_task_each(r, sender.id, 100, on_exposure, &seen));
    check_ok(audit_each(r, 0, UINT32_MAX, on_row, &seen));
    return seen;
}

static void
check_seen(int leases, int exposures, int rows)
{
    struct seen seen = seen_of_sender();

    assert_int_equal(seen.leases, leases);
    assert_int_equal(seen.exposures, exposures);
    assert_int_equal(seen.rows, rows);
    assert_true(leases == 0 || seen.lease_expires_ms > 0);
}

/* The first use of a version has a lease, is in the ledger and on the record;
 * the next ones are uses. */
static void
test_the_first_use_of_a_version(void **state)
{
    struct sent sent = {.service = "api.example", .name = "Authorization"};

    (void)state;
    put_as("used/key", "sk-used-0123456789abcdef", NULL);
    start_sender(WISH(.ref = "ag://used/key"), 1);
    sent.value = bearer(sender.keys[0]);
    check_seen(0, 0, 0);
    check_ok(send_one(&sent));
    check_seen(1, 1, 1);
    check_ok(send_one(&sent));
    check_seen(1, 1, 1);
    put_as("used/key", "sk-used-another-0123456789", NULL);
    check_ok(send_one(&sent));
    check_seen(2, 2, 2);
    end_sender();
}

/* Each counted one is on the record, all under one lease. */
static void
test_counted_uses(void **state)
{
    const struct task_proxy_request wish = {
        .uses = 3, .ref = "ag://used/key", .upstream = API, .key_env = "K"};
    struct sent sent = {.service = "api.example", .name = "Authorization"};

    (void)state;
    start_sender(&wish, 1);
    sent.value = bearer(sender.keys[0]);
    for (int i = 1; i <= 3; i++) {
        sent.quick = true;
        check_err(send_one(&sent), AG_EBLOCKS);
        sent.quick = false;
        check_ok(send_one(&sent));
        check_seen(1, 1, i);
    }
    check_err(send_one(&sent), AG_EGRANTUSED);
    check_seen(1, 1, 3);
    end_sender();
}

static void
test_a_strict_record_has_each(void **state)
{
    struct sent sent = {.service = "api.example", .name = "Authorization"};

    (void)state;
    start_sender(WISH(.ref = "ag://used/key"), 1);
    sent.value = bearer(sender.keys[0]);
    atomic_store(&flow.core->audit_strict, true);
    for (int i = 1; i <= 2; i++) {
        sent.quick = true;
        check_err(send_one(&sent), AG_EBLOCKS);
        sent.quick = false;
        check_ok(send_one(&sent));
        check_seen(1, 1, i);
    }
    atomic_store(&flow.core->audit_strict, false);
    end_sender();
}

static enum ag_err
do_end(struct core *core, struct db_tx *tx, const struct call *by,
       const void *request, json_t **ret)
{
    (void)by;
    (void)ret;
    return core_end_task(core, tx, *(const int64_t *)request, END_DONE, 0);
}

/* Its row says so before its tree is gone. */
static void
test_a_task_that_has_ended_uses_nothing(void **state)
{
    struct sent sent = {.service = "api.example", .name = "Authorization"};
    struct call call = call_of(flow.operator_peer);

    (void)state;
    start_sender(WISH(.ref = "ag://used/key"), 1);
    sent.value = bearer(sender.keys[0]);
    check_ok(act(do_end, &call, &sender.id, NULL));
    check_err(send_one(&sent), AG_EREVOKED);
    check_seen(0, 0, 0);
    end_sender();
}

/* Also after a test that failed within. */
static int
end_any(void **state)
{
    (void)state;
    end_sender();
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, end_any)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_header),
        TEST(test_a_parameter),
        TEST(test_a_field_of_a_body),
        TEST(test_a_value_with_a_control_byte_goes_nowhere),
        TEST(test_a_value_that_is_gone),
        TEST(test_what_is_at_hand_is_for_the_proxy),
        TEST(test_values_have_a_limit),
        TEST(test_one_request_is_one_use),
        TEST(test_what_goes_along),
        TEST(test_the_first_use_of_a_version),
        TEST(test_counted_uses),
        TEST(test_a_strict_record_has_each),
        TEST(test_a_task_that_has_ended_uses_nothing),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    flow.profile_dir = AG_SOURCE_DIR "/tests/data/profiles";
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
