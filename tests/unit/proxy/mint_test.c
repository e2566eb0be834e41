// WRAP: upstream_start upstream_cancel
/* A request whose value is made at its first use: what is refused makes none. */
#include "common/minting.h"
#include "common/permits.h"
#include "proxy/proxy.h"
#include "upstream/upstream.h"

enum {
    LIFE_S = 20, /* of a credential; its task lives longer */
};

static struct {
    atomic_int sent;
    char authorization[128];
    const struct upstream_events *events;
    void *ctx;
} wire;

enum ag_err __wrap_upstream_start(struct upstream *u,
                                  const struct upstream_request *request,
                                  const struct upstream_events *events,
                                  void *ctx, struct upstream_call **ret);
void __wrap_upstream_cancel(struct upstream_call *call);

enum ag_err
__wrap_upstream_start(struct upstream *u,
                      const struct upstream_request *request,
                      const struct upstream_events *events, void *ctx,
                      struct upstream_call **ret)
{
    (void)u;
    wire.authorization[0] = '\0';
    for (size_t i = 0; i < request->field_count; i++) {
        if (span_is(request->fields[i].name, "Authorization")) {
            (void)snprintf(wire.authorization, sizeof(wire.authorization),
                           "%.*s", (int)request->fields[i].value.len,
                           (const char *)request->fields[i].value.ptr);
        }
    }
    wire.events = events;
    wire.ctx = ctx;
    *ret = (struct upstream_call *)&wire;
    atomic_fetch_add(&wire.sent, 1);
    return AG_OK;
}

void
__wrap_upstream_cancel(struct upstream_call *call)
{
    (void)call;
}

static struct {
    atomic_int err; /* of the last that failed; 0: none */
} client;

static void
on_answer(void *arg, const struct proxy_answer *given)
{
    (void)arg;
    (void)given;
}

static void
on_fail(void *arg, enum ag_err err, const char *why)
{
    (void)arg;
    (void)why;
    atomic_store(&client.err, (int)err);
}

static void
on_wake(void *arg)
{
    (void)arg;
}

static struct proxy *proxy;

/* What there is has ended: the next use needs another. */
static void
end_of_it(void)
{
    set_clock(now_ms + INT64_C(1000) * (LIFE_S + 1));
}

/* The placeholder has its value's shape, so one was made with it. */
static void
start_with(const char *json, const char *rate, int64_t uses)
{
    const struct task_proxy_request wish = {.ref = "ag://db/app#/password",
                                            .upstream = "https://api.example",
                                            .key_env = "K",
                                            .json = json,
                                            .rate = rate,
                                            .uses = uses};

    check_ok(try_rule("db/app", "db/boss", LIFE_S));
    start_sender(&wish, 1);
    check_ok(proxy_new(flow.core, (struct upstream *)&wire, &proxy));
    end_of_it();
    script(NULL, 0);
    atomic_store(&wire.sent, 0);
    atomic_store(&client.err, 0);
}

static void
stop(void)
{
    proxy_free(AG_TAKE(proxy));
    end_sender();
}

static enum ag_err
begin_one(const char *value, const char *target, bool may_block,
          struct flight **ret)
{
    const struct request_field fields[] = {
        {.name = span_str("Content-Type"),
         .value = span_str("application/json")},
        {.name = span_str("Authorization"),
         .value = span_str(value != NULL ? value : "")}};
    const struct proxy_client told_by = {
        .answer = on_answer, .fail = on_fail, .wake = on_wake};
    const struct proxy_request request = {.peer = flow.task_peer,
                                          .method = span_str("POST"),
                                          .target = span_str(target),
                                          .fields = fields,
                                          .field_count = value != NULL ? 2 : 1,
                                          .body_bytes = PROXY_BODY_CHUNKED};

    return flight_begin(proxy, &request, may_block, &told_by, ret);
}

/* Sends it; the flight is over when it went out, or failed. */
static void
give_body(struct flight *flight, const char *body)
{
    struct span rest = span_str(body);

    for (int i = 0; i < LOOKS_COUNT && rest.len > 0; i++) {
        size_t n = flight_take(flight, rest);

        rest = span_sub(rest, n, rest.len - n);
        (void)poll(NULL, 0, n > 0 ? 0 : 1);
    }
    flight_taken(flight);
    for (int i = 0; i < LOOKS_COUNT && atomic_load(&wire.sent) == 0 &&
                    atomic_load(&client.err) == 0;
         i++) {
        (void)poll(NULL, 0, 1);
    }
}

static size_t
made(void)
{
    return pgfake_count(&fake, "CREATE ROLE");
}

static void
test_what_is_refused_makes_none(void **state)
{
    struct flight *flight = NULL;

    (void)state;
    start_with(NULL, NULL, -1);
    check_err(begin_one(NULL, "/p/api.example/x", true, &flight), AG_EMISSING);
    check_err(begin_one("Bearer other", "/p/api.example/x", true, &flight),
              AG_EMISSING);
    check_err(begin_one(NULL, "/p/api.other/x", true, &flight), AG_ESERVICE);
    check_err(
        begin_one(bearer(sender.keys[0]), "/p/api.example/../x", true, &flight),
        AG_ETARGET);
    assert_int_equal(made(), 0);
    stop();
}

/* With what the server made, once for all of the task's requests. */
static void
test_what_may_go_out_waits_for_it(void **state)
{
    static const bool BLOCKS[] = {false, true, true};
    struct flight *flight = NULL;

    (void)state;
    start_with(NULL, NULL, -1);
    for (size_t i = 0; i < AG_COUNT(BLOCKS); i++) {
        atomic_store(&wire.sent, 0);
        check_ok(begin_one(bearer(sender.keys[0]), "/p/api.example/x",
                           BLOCKS[i], &flight));
        give_body(flight, "{}");
        assert_int_equal(atomic_load(&wire.sent), 1);
        assert_int_equal(strlen(wire.authorization), strlen("Bearer ") + 32);
        assert_null(strstr(wire.authorization, sender.keys[0]));
        flight_end(flight);
    }
    assert_int_equal(made(), 1);
    stop();
}

static void
test_a_grant_without_uses_makes_none(void **state)
{
    struct flight *flight = NULL;

    (void)state;
    start_with(NULL, NULL, 1);
    check_ok(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight));
    give_body(flight, "{}");
    flight_end(flight);
    assert_int_equal(made(), 1);
    end_of_it();
    check_err(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight),
        AG_EGRANTUSED);
    assert_int_equal(made(), 1);
    stop();
}

static void
test_beyond_its_rate_none_is_made(void **state)
{
    struct flight *flight = NULL;

    (void)state;
    start_with(NULL, "1/h", -1);
    check_ok(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight));
    give_body(flight, "{}");
    flight_end(flight);
    end_of_it();
    check_err(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight),
        AG_ERATE);
    assert_int_equal(made(), 1);
    stop();
}

/* The body decides. */
static void
test_a_body_without_the_placeholder_makes_none(void **state)
{
    struct flight *flight = NULL;
    char body[1100];

    (void)state;
    start_with("/key", NULL, -1);
    check_ok(begin_one(NULL, "/p/api.example/x", true, &flight));
    give_body(flight, "{\"key\":\"none\"}");
    assert_int_equal(atomic_load(&client.err), AG_EMISSING);
    assert_int_equal(made(), 0);
    flight_end(flight);
    atomic_store(&client.err, 0);
    (void)snprintf(body, sizeof(body), "{\"key\":\"%s\"}", sender.keys[0]);
    check_ok(begin_one(NULL, "/p/api.example/x", true, &flight));
    give_body(flight, body);
    assert_int_equal(atomic_load(&client.err), 0);
    assert_int_equal(atomic_load(&wire.sent), 1);
    assert_int_equal(made(), 1);
    flight_end(flight);
    stop();
}

/* It is told, and the next request tries again after a pause. */
static void
test_what_could_not_be_made_is_said(void **state)
{
    static const char *const DENIED[] = {"42501"};
    struct flight *flight = NULL;

    (void)state;
    start_with(NULL, NULL, -1);
    script(DENIED, AG_COUNT(DENIED));
    check_ok(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight));
    give_body(flight, "");
    assert_int_equal(atomic_load(&client.err), AG_EMINT);
    flight_end(flight);
    check_err(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight),
        AG_EMINT);
    assert_int_equal(atomic_load(&wire.sent), 0);
    stop();
}

/* Its client goes while it is made: nobody is called after that. */
static void
test_one_that_is_cut_meanwhile_is_forgotten(void **state)
{
    static const char *const HOLD[] = {"HOLD"};
    struct flight *flight = NULL;

    (void)state;
    start_with(NULL, NULL, -1);
    script(HOLD, AG_COUNT(HOLD));
    check_ok(
        begin_one(bearer(sender.keys[0]), "/p/api.example/x", true, &flight));
    for (int i = 0; i < LOOKS_COUNT && !atomic_load(&fake.is_held); i++) {
        (void)poll(NULL, 0, 1);
    }
    flight_end(flight);
    atomic_store(&fake.released, true);
    (void)poll(NULL, 0, 20);
    assert_int_equal(atomic_load(&wire.sent), 0);
    stop();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MINTING(test_what_is_refused_makes_none),
        MINTING(test_what_may_go_out_waits_for_it),
        MINTING(test_a_grant_without_uses_makes_none),
        MINTING(test_beyond_its_rate_none_is_made),
        MINTING(test_a_body_without_the_placeholder_makes_none),
        MINTING(test_what_could_not_be_made_is_said),
        MINTING(test_one_that_is_cut_meanwhile_is_forgotten),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
