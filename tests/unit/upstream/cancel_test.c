/* A call given up at every point: no event comes after it, nothing is left,
 * and other calls go on. A talk is freed at once, so that a late event is seen
 * by the sanitizers. */
#include <sched.h>

#include "common/fdcount.h"
#include "common/talk.h"
#include "unit/upstream/fixture.h"

static void
expect_well(void)
{
    struct talk *t = talk_new(service.good, "/connection");

    talk_run(u, t, AG_OK, NULL);
    talk_done(t);
}

static void
test_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct talk *t = talk_new(service.good, "/bytes?n=1000000");

        talk_start(u, t);
        talk_done(t);
    }
    expect_well();
}

static void
test_while_connecting(void **state)
{
    struct talk *t = talk_new(service.mute, "/");

    (void)state;
    talk_start(u, t);
    expect_well();
    talk_done(t);
    expect_well();
}

static void
test_before_the_answer(void **state)
{
    struct talk *t = talk_new(service.good, "/silent");

    (void)state;
    talk_start(u, t);
    expect_well();
    talk_done(t);
    expect_well();
}

static void
cancel_stalled(uint16_t port)
{
    struct talk *t = talk_new(port, "/stall");

    talk_start(u, t);
    talk_wait_bytes(t, 4);
    talk_done(t);
    expect_well();
}

static void
cancel_held_down(uint16_t port)
{
    struct talk *t = talk_new(port, "/bytes?n=10000000");

    atomic_store(&t->hold_body, true);
    talk_start(u, t);
    talk_wait_held(t, 1);
    talk_done(t);
    expect_well();
}

static void
cancel_held_up(uint16_t port)
{
    struct talk *t = talk_new(port, "/echo");

    talk_post(t, NULL, 1000000, false);
    atomic_store(&t->hold_send, true);
    talk_start(u, t);
    talk_wait_held(t, 1);
    talk_done(t);
    expect_well();
}

static void
test_in_the_middle(void **state)
{
    const uint16_t ports[] = {service.plain, service.good, service.h2};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ports); i++) {
        if (ports[i] != 0) {
            cancel_stalled(ports[i]);
            cancel_held_down(ports[i]);
            cancel_held_up(ports[i]);
        }
    }
}

/* The service reads nothing: the upload is stuck in the sockets. */
static void
test_stuck_upload(void **state)
{
    struct talk *t = talk_new(service.plain, "/slow-read");
    struct talk *tick = talk_new(service.plain, "/tick");

    (void)state;
    talk_post(t, NULL, (int64_t)1 << 40, false);
    talk_start(u, t);
    expect_well();
    talk_done(t);
    talk_run(u, tick, AG_OK, NULL);
    talk_done(tick);
}

static void
test_an_open_upgrade(void **state)
{
    struct talk *t = talk_new(service.good, "/upgrade");

    (void)state;
    t->request.flags |= UPSTREAM_UPGRADE;
    atomic_store(&t->hold_send, true);
    talk_start(u, t);
    talk_wait_held(t, 1);
    talk_done(t);
    expect_well();
}

static void
test_after_the_end(void **state)
{
    struct talk *t = talk_new(service.good, "/connection");

    (void)state;
    talk_run(u, t, AG_OK, NULL);
    upstream_resume(t->call);
    talk_done(t);
    upstream_cancel(NULL);
}

static void
test_while_it_waits(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream *few = NULL;
    struct talk *first = talk_new(service.plain, "/stall");
    struct talk *second = talk_new(service.plain, "/connection");

    (void)state;
    limits.calls = 1;
    check_ok(upstream_new(&limits, service.ca, &few));
    talk_start(few, first);
    talk_wait_head(first);
    talk_start(few, second);
    assert_int_equal(second->status, 0);
    talk_done(second);
    talk_done(first);
    upstream_free(few);
}

/* ---- within its own events ---- */

static void
give_up(struct talk *t)
{
    upstream_cancel(AG_TAKE(t->call));
    (void)pthread_mutex_lock(&t->lock);
    assert_false(t->ended);
    t->ended = true;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

static void
give_up_on_head(void *ctx, const struct upstream_head *head)
{
    (void)head;
    give_up(ctx);
}

static enum upstream_flow
give_up_on_body(void *ctx, struct span part)
{
    (void)part;
    give_up(ctx);
    return UPSTREAM_GO;
}

static enum upstream_flow // NOLINTNEXTLINE(readability-non-const-parameter)
give_up_on_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    (void)into;
    (void)room;
    give_up(ctx);
    *ret_len = 0;
    return UPSTREAM_WAIT;
}

static void
give_up_on_trailers(void *ctx, const struct upstream_field *fields,
                    size_t count)
{
    (void)fields;
    (void)count;
    give_up(ctx);
}

static void
give_up_on_end(void *ctx, enum ag_err err)
{
    (void)err;
    give_up(ctx);
}

static void
run_giving_up(const char *target, const struct upstream_events *events)
{
    struct talk *t = talk_new(service.good, target);

    if (events->on_send == give_up_on_send) {
        talk_post(t, "body", 0, false);
    }
    check_ok(upstream_start(u, &t->request, events, t, &t->call));
    talk_wait_end(t);
    assert_int_equal(t->ends, 0);
    expect_well(); /* the event has returned by now */
    talk_free(t);
}

static void
test_within_its_events(void **state)
{
    struct upstream_events events = TALK_EVENTS;

    (void)state;
    events.on_head = give_up_on_head;
    run_giving_up("/echo", &events);
    events = TALK_EVENTS;
    events.on_body = give_up_on_body;
    run_giving_up("/echo", &events);
    events = TALK_EVENTS;
    events.on_send = give_up_on_send;
    run_giving_up("/echo", &events);
    events = TALK_EVENTS;
    events.on_trailers = give_up_on_trailers;
    run_giving_up("/trailers", &events);
    events = TALK_EVENTS;
    events.on_end = give_up_on_end;
    run_giving_up("/echo", &events);
}

/* ---- while an event runs on the other thread ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered;
    bool cancelling;
    bool left;
} meeting = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .changed = PTHREAD_COND_INITIALIZER};

/* Stays for a while after the other side has begun to cancel. */
static void
stay(struct talk *t, struct span part)
{
    (void)t;
    (void)part;
    (void)pthread_mutex_lock(&meeting.lock);
    meeting.entered = true;
    (void)pthread_cond_broadcast(&meeting.changed);
    while (!meeting.cancelling) {
        (void)pthread_cond_wait(&meeting.changed, &meeting.lock);
    }
    (void)pthread_mutex_unlock(&meeting.lock);
    for (int i = 0; i < 10000; i++) {
        (void)sched_yield();
    }
    (void)pthread_mutex_lock(&meeting.lock);
    meeting.left = true;
    (void)pthread_mutex_unlock(&meeting.lock);
}

static void
test_waits_for_a_running_event(void **state)
{
    struct talk *t = talk_new(service.plain, "/bytes?n=100");

    (void)state;
    t->on_part = stay;
    talk_start(u, t);
    (void)pthread_mutex_lock(&meeting.lock);
    while (!meeting.entered) {
        (void)pthread_cond_wait(&meeting.changed, &meeting.lock);
    }
    meeting.cancelling = true;
    (void)pthread_cond_broadcast(&meeting.changed);
    (void)pthread_mutex_unlock(&meeting.lock);
    upstream_cancel(AG_TAKE(t->call));
    (void)pthread_mutex_lock(&meeting.lock);
    assert_true(meeting.left);
    (void)pthread_mutex_unlock(&meeting.lock);
    assert_int_equal(t->ends, 0);
    talk_free(t);
    expect_well();
}

/* Whenever it may be. */
static void
test_at_any_moment(void **state)
{
    static const char *const TARGETS[] = {"/bytes?n=300000", "/echo",
                                          "/chunked?n=50", "/trailers"};
    const uint16_t ports[] = {service.plain, service.good,
                              service.h2 != 0 ? service.h2 : service.good};

    (void)state;
    for (int i = 0; i < 150; i++) {
        struct talk *t = talk_new(ports[i % 3], TARGETS[i % 4]);

        if (i % 5 == 0) {
            talk_post(t, NULL, 100000, i % 2 == 0);
        }
        talk_start(u, t);
        for (int turns = i * 7 % 40; turns > 0; turns--) {
            upstream_resume(t->call);
            (void)sched_yield();
        }
        talk_done(t);
    }
    expect_well();
}

static void
test_nothing_is_left_open(void **state)
{
    struct upstream *other = NULL;
    struct upstream_limits limits = upstream_limits_default();
    size_t before = fd_count_open();

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct talk *t = talk_new(service.good, "/bytes?n=1000000");

        check_ok(upstream_new(&limits, service.ca, &other));
        talk_start(other, t);
        if (i % 2 == 0) {
            talk_wait_head(t);
        }
        talk_done(t);
        upstream_free(other);
    }
    assert_int_equal(fd_count_open(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_while_connecting),
        cmocka_unit_test(test_before_the_answer),
        cmocka_unit_test(test_in_the_middle),
        cmocka_unit_test(test_stuck_upload),
        cmocka_unit_test(test_an_open_upgrade),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_while_it_waits),
        cmocka_unit_test(test_within_its_events),
        cmocka_unit_test(test_waits_for_a_running_event),
        cmocka_unit_test(test_at_any_moment),
        cmocka_unit_test(test_nothing_is_left_open),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
