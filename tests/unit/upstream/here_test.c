/* Calls that start on a reactor's thread run there; the limits are over all. */
#include "base/reactor.h"
#include "common/fdcount.h"
#include "common/talk.h"
#include "unit/upstream/fixture.h"

struct here {
    struct reactor *reactor;
    struct upstream *of;
    struct talk *talk;
    enum ag_err err;
    bool was_told_within; /* an event came before upstream_start() returned */
    pthread_t thread;     /* the last event's */
    unsigned flags;
};

static struct here *in_event;

static void
start_there(void *ctx)
{
    struct here *h = ctx;

    h->talk->request.flags |= h->flags;
    h->err = upstream_start(h->of, &h->talk->request, &TALK_EVENTS, h->talk,
                            &h->talk->call);
    /* What is apart runs on another thread, at once. */
    h->was_told_within = (h->flags & UPSTREAM_APART) == 0 &&
                         (h->talk->status != 0 || h->talk->ended);
}

static void
cancel_there(void *ctx)
{
    struct here *h = ctx;

    upstream_cancel(AG_TAKE(h->talk->call));
}

static void
start(struct here *h, uint16_t port, const char *target)
{
    h->talk = talk_new(port, target);
    reactor_call(h->reactor, start_there, h);
    check_ok(h->err);
    assert_false(h->was_told_within);
}

static void
note_thread(struct talk *t, struct span part)
{
    (void)t;
    (void)part;
    in_event->thread = pthread_self();
    assert_ptr_equal(reactor_here(), in_event->reactor);
}

static void
test_events_come_on_its_thread(void **state)
{
    struct here h = {.of = u};

    (void)state;
    check_ok(reactor_new(&h.reactor));
    in_event = &h;
    h.talk = talk_new(service.good, "/connection");
    h.talk->on_part = note_thread;
    reactor_call(h.reactor, start_there, &h);
    check_ok(h.err);
    assert_false(h.was_told_within);
    talk_wait_end(h.talk);
    check_ok(h.talk->err);
    assert_true(h.talk->body_len > 0);
    assert_false(pthread_equal(h.thread, pthread_self()));
    talk_done(h.talk); /* from another thread */
    reactor_free(h.reactor);
}

/* Each thread has its connections; what is asked for apart has the upstream's
 * own, wherever it starts. */
static void
test_connections_stay_with_their_thread(void **state)
{
    struct here one = {.of = u};
    struct here two = {.of = u};
    struct here apart = {.of = u, .flags = UPSTREAM_APART};
    char first[32];
    struct talk *own = talk_new(service.plain, "/connection");

    (void)state;
    check_ok(reactor_new(&one.reactor));
    check_ok(reactor_new(&two.reactor));
    apart.reactor = one.reactor;
    for (int i = 0; i < 2; i++) {
        start(&one, service.plain, "/connection");
        talk_wait_end(one.talk);
        if (i == 0) {
            (void)snprintf(first, sizeof(first), "%.30s", one.talk->body);
        }
        assert_string_equal(one.talk->body, first);
        reactor_call(one.reactor, cancel_there, &one);
        talk_done(one.talk);
    }
    start(&two, service.plain, "/connection");
    talk_wait_end(two.talk);
    assert_string_not_equal(two.talk->body, first);
    talk_done(two.talk);
    talk_run(u, own, AG_OK, NULL);
    start(&apart, service.plain, "/connection");
    talk_wait_end(apart.talk);
    assert_string_equal(apart.talk->body, own->body);
    reactor_free(one.reactor);
    talk_done(apart.talk); /* after the thread that started it */
    talk_done(own);
    reactor_free(two.reactor);
}

/* The call of one thread waits for that of another, and has its turn then. */
static void
test_limits_are_over_all_threads(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct here one = {0};
    struct here two = {0};

    (void)state;
    limits.calls = 1;
    limits.waiting = 1;
    check_ok(upstream_new(&limits, service.ca, &one.of));
    two.of = one.of;
    check_ok(reactor_new(&one.reactor));
    check_ok(reactor_new(&two.reactor));
    start(&one, service.plain, "/stall");
    talk_wait_head(one.talk);
    start(&two, service.plain, "/connection");
    assert_false(talk_ends_within(two.talk, 50));
    assert_int_equal(two.talk->status, 0);
    talk_done(one.talk);
    talk_wait_end(two.talk);
    check_ok(two.talk->err);
    talk_done(two.talk);
    reactor_free(one.reactor);
    reactor_free(two.reactor);
    upstream_free(one.of);
}

/* Of two threads only as many connections stay as the limit says. */
static void
test_connections_are_counted_over_all_threads(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct here here[2] = {{0}};
    size_t open_count = 0;

    (void)state;
    limits.connections = 2;
    check_ok(upstream_new(&limits, service.ca, &here[0].of));
    here[1].of = here[0].of;
    for (int i = 0; i < 2; i++) {
        check_ok(reactor_new(&here[i].reactor));
        start(&here[i], service.plain, "/connection");
        talk_wait_end(here[i].talk);
        talk_done(here[i].talk);
    }
    open_count = fd_count_open(); /* two of them */
    for (uint32_t i = 0; i < 6; i++) {
        struct here *h = &here[i % 2];

        h->talk = talk_new(service.plain, "/connection");
        h->talk->request.owner = 100 + i;
        reactor_call(h->reactor, start_there, h);
        talk_wait_end(h->talk);
        check_ok(h->talk->err);
        reactor_call(h->reactor, cancel_there, h);
        talk_done(h->talk);
    }
    assert_int_equal(fd_count_open(), open_count);
    reactor_free(here[0].reactor);
    reactor_free(here[1].reactor);
    upstream_free(here[0].of);
}

/* Where another thread has all there may be, this one keeps none. */
static void
test_no_connection_is_left_to_keep(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct here here[2] = {{0}};
    size_t open_count = 0;

    (void)state;
    limits.connections = 1;
    check_ok(upstream_new(&limits, service.ca, &here[0].of));
    here[1].of = here[0].of;
    check_ok(reactor_new(&here[0].reactor));
    check_ok(reactor_new(&here[1].reactor));
    for (int i = 0; i < 4; i++) {
        struct here *h = &here[i % 2];

        /* First what a thread has anyway: nobody listens there. */
        start(h, i < 2 ? 1 : service.plain, "/connection");
        talk_wait_end(h->talk);
        check_err(h->talk->err, i < 2 ? AG_EUNREACHABLE : AG_OK);
        reactor_call(h->reactor, cancel_there, h);
        talk_done(h->talk);
        open_count = i == 2 ? fd_count_open() : open_count;
    }
    assert_int_equal(fd_count_open(), open_count);
    reactor_free(here[0].reactor);
    reactor_free(here[1].reactor);
    upstream_free(here[0].of);
}

/* A reactor's end closes what its calls had. */
static void
test_the_end_of_a_thread(void **state)
{
    size_t open_count = fd_count_open();

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct here h = {.of = u};

        check_ok(reactor_new(&h.reactor));
        start(&h, service.good, "/stall");
        talk_wait_head(h.talk);
        talk_done(h.talk);
        start(&h, service.good, "/connection");
        talk_wait_end(h.talk);
        reactor_call(h.reactor, cancel_there, &h);
        talk_done(h.talk);
        reactor_free(h.reactor);
        assert_int_equal(fd_count_open(), open_count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_of_a_thread),
        cmocka_unit_test(test_events_come_on_its_thread),
        cmocka_unit_test(test_connections_stay_with_their_thread),
        cmocka_unit_test(test_limits_are_over_all_threads),
        cmocka_unit_test(test_connections_are_counted_over_all_threads),
        cmocka_unit_test(test_no_connection_is_left_to_keep),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
