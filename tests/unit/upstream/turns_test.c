/* Whose connection a call gets, whose turn it is, and when it is too late; the
 * clock is ours. */
#include <unistd.h>

#include "base/clock.h"
#include "common/fdcount.h"
#include "common/talk.h"
#include "unit/upstream/fixture.h"

static int
connection_of(uint16_t port, uint32_t owner, unsigned flags)
{
    struct talk *t = talk_new(port, "/connection");
    int number;

    t->request.owner = owner;
    t->request.flags |= flags;
    talk_run(u, t, AG_OK, NULL);
    if (port == service.h2) {
        const char *at = strstr(t->head, "x-connection: ");

        assert_non_null(at);
        number = (int)strtol(at + strlen("x-connection: "), NULL, 10);
    } else {
        number = (int)strtol(t->body, NULL, 10);
    }
    talk_done(t);
    return number;
}

static void
check_owners(uint16_t port)
{
    int one = connection_of(port, 1, 0);
    int two = connection_of(port, 2, 0);
    int none = connection_of(port, 0, 0);

    assert_int_not_equal(one, two);
    assert_int_not_equal(one, none);
    assert_int_not_equal(two, none);
    assert_int_equal(connection_of(port, 1, 0), one);
    assert_int_equal(connection_of(port, 2, 0), two);
    assert_int_equal(connection_of(port, 0, 0), none);
    assert_int_equal(connection_of(port, 1, 0), one);
    assert_int_not_equal(connection_of(port, UINT32_MAX, 0), one);
}

static void
test_a_connection_has_one_owner(void **state)
{
    (void)state;
    check_owners(service.plain);
    check_owners(service.good);
}

static void
test_also_with_http2(void **state)
{
    (void)state;
    if (service.h2 == 0) {
        skip();
    }
    check_owners(service.h2);
}

/* The owner is libcurl's zone of an address, which only link-local ones have. */
static void
test_ipv6_has_owners_too(void **state)
{
    char seen[2][16];

    (void)state;
    if (service.six == 0) {
        skip();
    }
    for (uint32_t owner = 0; owner < 4; owner++) {
        struct talk *t = talk_new(service.six, "/connection");

        t->request.host = span_str("[::1]");
        t->request.owner = owner % 2;
        talk_run(u, t, AG_OK, NULL);
        if (owner < 2) {
            (void)snprintf(seen[owner], sizeof(seen[owner]), "%.8s", t->body);
        } else {
            assert_string_equal(t->body, seen[owner % 2]);
        }
        talk_done(t);
    }
    assert_string_not_equal(seen[0], seen[1]);
}

/* Two names of one host, one certificate: no coalescing. */
static void
test_hosts_do_not_share(void **state)
{
    uint16_t port = service.h2 != 0 ? service.h2 : service.good;
    struct talk *t = talk_new(port, "/connection");
    char mine[32];

    (void)state;
    (void)snprintf(mine, sizeof(mine), "%d\n", connection_of(port, 7, 0));
    t->request.owner = 7;
    t->request.host = span_str("other.localhost");
    talk_run(u, t, AG_OK, NULL);
    if (port == service.h2) {
        const char *at = strstr(t->head, "x-connection: ");

        assert_non_null(at);
        assert_true(
            strncmp(at + strlen("x-connection: "), mine, strlen(mine)) != 0);
    }
    talk_done(t);
}

/* A kept connection does not carry a call that may not go there. */
static void
test_kept_connection_is_judged_anew(void **state)
{
    struct talk *t = talk_new(service.plain, "/connection");

    (void)state;
    (void)connection_of(service.plain, 9, 0);
    t->request.owner = 9;
    t->request.flags &= ~(unsigned)UPSTREAM_INNER;
    talk_run(u, t, AG_EADDRESS, "localhost: ");
    assert_non_null(strstr(t->why, "is a loopback address"));
    talk_done(t);
}

static void
test_one_call_at_a_time_on_a_connection(void **state)
{
    uint16_t port = service.h2 != 0 ? service.h2 : service.good;
    struct talk *t = talk_new(port, "/events?n=1");
    struct talk *tick = talk_new(service.plain, "/tick");
    char line[48];

    (void)state;
    t->request.owner = 11;
    talk_start(u, t);
    talk_wait_bytes(t, 1);
    (void)snprintf(line, sizeof(line), "x-connection: %d\n",
                   connection_of(port, 11, 0));
    assert_null(strstr(t->head, line));
    talk_run(u, tick, AG_OK, NULL);
    talk_wait_end(t);
    check_ok(t->err);
    talk_done(tick);
    talk_done(t);
}

/* ---- turns ---- */

static struct talk *
start_silent(struct upstream *of, const char *host)
{
    struct talk *t = talk_new(service.plain, "/stall");

    t->request.host = span_str(host);
    talk_start(of, t);
    return t;
}

static void
test_more_wait_for_their_turn(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream *few = NULL;
    struct upstream_call *call = NULL;
    struct talk *first;
    struct talk *second;
    struct talk *third;

    (void)state;
    limits.calls = 2;
    limits.calls_per_host = 1;
    limits.waiting = 1;
    check_ok(upstream_new(&limits, service.ca, &few));
    first = start_silent(few, "localhost");
    talk_wait_head(first);
    second = start_silent(few, "localhost"); /* the host has its one */
    third = start_silent(few, "127.0.0.1");  /* another host: goes ahead */
    talk_wait_head(third);
    assert_int_equal(second->status, 0);
    check_err(upstream_start(few, &first->request, &TALK_EVENTS, first, &call),
              AG_EBUSY);
    assert_null(call);
    talk_done(first);
    talk_wait_head(second); /* its turn */
    assert_int_equal(second->status, 200);
    talk_done(third);
    talk_done(second);
    upstream_free(few);
}

static void
test_limits_can_be_raised(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream *few = NULL;
    struct talk *first;
    struct talk *second;

    (void)state;
    limits.calls = 1;
    check_ok(upstream_new(&limits, service.ca, &few));
    first = start_silent(few, "localhost");
    second = start_silent(few, "localhost");
    talk_wait_head(first);
    limits.calls = 2;
    upstream_set_limits(few, &limits);
    talk_wait_head(second);
    assert_int_equal(second->status, 200);
    talk_done(first);
    talk_done(second);
    upstream_free(few);
}

/* ---- too late ---- */

enum {
    LONG_MS = 3600 * 1000,
};

/* Stands still, so that only what a test moves passes. */
static int64_t
stop_clock(void)
{
    int64_t now_ms = clock_steady_ms();

    clock_fix_ms(now_ms);
    return now_ms;
}

static struct talk *
start_timed(const char *target, uint16_t port, struct upstream_times times)
{
    struct talk *t = talk_new(port, target);

    t->times = times;
    t->request.times = &t->times;
    talk_start(u, t);
    return t;
}

static void
end_timed(struct talk *t, int64_t now_ms, const char *says)
{
    /* Again and again: it may not be under way yet. */
    do {
        clock_fix_ms(now_ms);
        upstream_resume(t->call);
        now_ms += LONG_MS;
    } while (!talk_ends_within(t, 5));
    clock_fix_ms(-1);
    check_err(t->err, AG_EUPTIME);
    assert_non_null(strstr(t->why, says));
    talk_done(t);
}

static void
test_no_first_byte(void **state)
{
    int64_t now_ms = stop_clock();
    struct talk *t = start_timed(
        "/silent", service.good,
        (struct upstream_times){.first_byte_ms = LONG_MS, .idle_ms = 1});
    struct talk *other =
        start_timed("/connection", service.good, (struct upstream_times){0});

    (void)state;
    talk_wait_end(other); /* by now the first is under way too */
    talk_done(other);
    end_timed(t, now_ms + LONG_MS + 1, "no ");
}

static void
test_answer_stops(void **state)
{
    int64_t now_ms = stop_clock();
    struct talk *t = start_timed(
        "/stall", service.good,
        (struct upstream_times){.first_byte_ms = LONG_MS, .idle_ms = LONG_MS});

    (void)state;
    talk_wait_bytes(t, 4);
    end_timed(t, now_ms + LONG_MS + 1, "localhost: its answer stopped");
}

/* Who reads slowly is not the service's fault; only the whole counts then. */
static void
test_held_answer_is_not_late(void **state)
{
    int64_t now_ms = stop_clock();
    struct talk *t = talk_new(service.good, "/bytes?n=1000000");
    struct talk *other;

    (void)state;
    t->times = (struct upstream_times){.idle_ms = 1, .whole_ms = LONG_MS};
    t->request.times = &t->times;
    atomic_store(&t->hold_body, true);
    talk_start(u, t);
    talk_wait_held(t, 1);
    clock_fix_ms(now_ms + LONG_MS - 1);
    other =
        start_timed("/connection", service.good, (struct upstream_times){0});
    talk_wait_end(other);
    talk_done(other);
    assert_false(t->ended);
    end_timed(t, now_ms + LONG_MS + 1, "localhost: the call took too long");
}

static void
test_connection_is_not_made(void **state)
{
    int64_t now_ms = stop_clock();
    struct talk *t = start_timed(
        "/", service.mute, (struct upstream_times){.connect_ms = LONG_MS});
    struct talk *other =
        start_timed("/connection", service.good, (struct upstream_times){0});

    (void)state;
    talk_wait_end(other);
    talk_done(other);
    end_timed(t, now_ms + LONG_MS + 1, "localhost: no connection in time");
}

static void
test_turn_does_not_come(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream *few = NULL;
    struct talk *first;
    struct talk *second;
    int64_t now_ms = stop_clock();

    (void)state;
    limits.calls = 1;
    limits.idle_s = 0;
    check_ok(upstream_new(&limits, service.ca, &few));
    first = start_silent(few, "localhost");
    talk_wait_head(first);
    second = start_silent(few, "localhost");
    clock_fix_ms(now_ms + limits.wait_s * 1000 + 1);
    upstream_resume(second->call);
    talk_wait_end(second);
    clock_fix_ms(-1);
    check_err(second->err, AG_EBUSY);
    assert_non_null(strstr(second->why, "localhost: too many calls"));
    assert_false(first->ended);
    talk_done(second);
    talk_done(first);
    upstream_free(few);
}

/* All connections of a thread go when nothing is called, others come then. */
static void
test_rest_closes_connections(void **state)
{
    int before = connection_of(service.plain, 21, 0);
    int64_t at_ms = stop_clock();
    int after = before;
    size_t open_count = 0;

    (void)state;
    (void)connection_of(service.plain, 22, 0);
    assert_int_equal(connection_of(service.plain, 21, 0), before);
    open_count = fd_count_open();
    at_ms += (int64_t)119 * 1000;
    clock_fix_ms(at_ms);
    assert_int_equal(connection_of(service.plain, 21, 0), before);
    /* Its thread may note the end of a call when the clock is set already. */
    for (int tries = 0; tries < 5 && after == before; tries++) {
        at_ms += (int64_t)121 * 1000;
        clock_fix_ms(at_ms);
        after = connection_of(service.plain, 21, 0);
    }
    assert_int_not_equal(after, before);
    clock_fix_ms(-1);
    /* The service's side of them goes in a moment of its own. */
    for (int tries = 0; fd_count_open() >= open_count; tries++) {
        assert_true(tries < 5000);
        (void)usleep(1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_has_one_owner),
        cmocka_unit_test(test_also_with_http2),
        cmocka_unit_test(test_ipv6_has_owners_too),
        cmocka_unit_test(test_hosts_do_not_share),
        cmocka_unit_test(test_kept_connection_is_judged_anew),
        cmocka_unit_test(test_one_call_at_a_time_on_a_connection),
        cmocka_unit_test(test_more_wait_for_their_turn),
        cmocka_unit_test(test_limits_can_be_raised),
        cmocka_unit_test(test_no_first_byte),
        cmocka_unit_test(test_answer_stops),
        cmocka_unit_test(test_held_answer_is_not_late),
        cmocka_unit_test(test_connection_is_not_made),
        cmocka_unit_test(test_turn_does_not_come),
        cmocka_unit_test(test_rest_closes_connections),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
