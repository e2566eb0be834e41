/* One thread that waits for descriptors, times and what others ask of it. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/reactor.h"
#include "common/check.h"
#include "common/fdcount.h"

enum {
    POSTS_COUNT = 2000,
    POSTERS_COUNT = 4,
    FAR_MS = 3600 * 1000,
};

static int
make_reactor(void **state)
{
    struct reactor *r = NULL;

    check_ok(reactor_new(&r));
    *state = r;
    return 0;
}

static int
free_reactor(void **state)
{
    reactor_free(*state);
    return 0;
}

/* ---- work ---- */

struct count {
    struct reactor *reactor;
    struct reactor_work work;
    pthread_t ran_on;
    int count; /* the reactor's thread only, or after reactor_call() */
    int again; /* so often it posts itself */
};

static void
count_up(void *ctx)
{
    struct count *c = ctx;

    assert_ptr_equal(reactor_here(), c->reactor);
    c->ran_on = pthread_self();
    c->count++;
    if (c->again > 0) {
        c->again--;
        assert_true(reactor_post(c->reactor, &c->work));
        assert_false(reactor_post(c->reactor, &c->work));
    }
}

static void
nothing(void *ctx)
{
    (void)ctx;
}

/* When this returns, what was posted before has run. */
static void
settle(struct reactor *r)
{
    reactor_call(r, nothing, r);
}

static void
test_work_runs_there(void **state)
{
    struct count c = {.reactor = *state};

    c.work = (struct reactor_work){.fn = count_up, .ctx = &c};
    assert_null(reactor_here());
    assert_true(reactor_post(c.reactor, &c.work));
    settle(c.reactor);
    assert_int_equal(c.count, 1);
    assert_false(pthread_equal(c.ran_on, pthread_self()));
}

static void
test_work_may_post_itself(void **state)
{
    struct count c = {.reactor = *state, .again = 50};

    c.work = (struct reactor_work){.fn = count_up, .ctx = &c};
    assert_true(reactor_post(c.reactor, &c.work));
    for (int i = 0; i < 100; i++) { /* each is a round, at least */
        settle(c.reactor);
    }
    assert_int_equal(c.count, 51);
}

/* Holds the reactor until it may go on. */
struct gate {
    int ends[2];
};

static void
wait_at_gate(void *ctx)
{
    struct gate *gate = ctx;
    char byte = 0;

    assert_int_equal(read(gate->ends[0], &byte, 1), 1);
}

static void
test_posted_twice_runs_once(void **state)
{
    struct count c = {.reactor = *state};
    struct gate gate;
    struct reactor_work held = {.fn = wait_at_gate, .ctx = &gate};

    assert_int_equal(pipe2(gate.ends, O_CLOEXEC), 0);
    c.work = (struct reactor_work){.fn = count_up, .ctx = &c};
    assert_true(reactor_post(c.reactor, &held));
    assert_true(reactor_post(c.reactor, &c.work));
    assert_false(reactor_post(c.reactor, &c.work));
    assert_int_equal(write(gate.ends[1], "x", 1), 1);
    settle(c.reactor);
    assert_int_equal(c.count, 1);
    fd_close(gate.ends[0]);
    fd_close(gate.ends[1]);
}

static void *
post_many(void *arg)
{
    struct count *c = arg;

    for (int i = 0; i < POSTS_COUNT; i++) {
        (void)reactor_post(c->reactor, &c->work);
    }
    return NULL;
}

/* None is lost: after the last post of each it runs once more. */
static void
test_posts_of_many_threads(void **state)
{
    struct count counts[POSTERS_COUNT];
    pthread_t threads[POSTERS_COUNT];

    for (int i = 0; i < POSTERS_COUNT; i++) {
        counts[i] = (struct count){.reactor = *state};
        counts[i].work =
            (struct reactor_work){.fn = count_up, .ctx = &counts[i]};
        assert_int_equal(
            pthread_create(&threads[i], NULL, post_many, &counts[i]), 0);
    }
    for (int i = 0; i < POSTERS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    settle(*state);
    for (int i = 0; i < POSTERS_COUNT; i++) {
        assert_true(counts[i].count >= 1 && counts[i].count <= POSTS_COUNT);
        assert_false(atomic_load(&counts[i].work.queued));
    }
}

static void
call_within(void *ctx)
{
    struct count *c = ctx;

    reactor_call(c->reactor, count_up, c); /* at once: it would wait for ever */
    assert_int_equal(c->count, 1);
}

static void
test_call_from_its_own_thread(void **state)
{
    struct count c = {.reactor = *state};

    reactor_call(*state, call_within, &c);
    assert_int_equal(c.count, 1);
}

/* ---- times ---- */

struct alarm {
    struct reactor *reactor;
    struct reactor_timer timer;
    int64_t at_ms;
    atomic_int rang_count;
};

static void
ring(void *ctx)
{
    struct alarm *a = ctx;

    a->rang_count++;
    assert_false(a->timer.is_set);
    if (a->rang_count == 1) {
        reactor_set(a->reactor, &a->timer, clock_steady_ms()); /* again */
    }
}

static void
set_alarm(void *ctx)
{
    struct alarm *a = ctx;

    reactor_set(a->reactor, &a->timer, a->at_ms);
}

/* A time is looked at once in a turn, and several posts may be in one. */
static void
settle_until(struct reactor *r, atomic_int *count, int wanted)
{
    while (atomic_load(count) < wanted) {
        settle(r);
    }
}

static void
test_times_in_their_turn(void **state)
{
    struct alarm soon = {.reactor = *state};
    struct alarm late = {.reactor = *state};
    struct alarm never = {.reactor = *state};
    int64_t now_ms = clock_steady_ms();

    soon.timer = (struct reactor_timer){.fn = ring, .ctx = &soon};
    late.timer = (struct reactor_timer){.fn = ring, .ctx = &late};
    never.timer = (struct reactor_timer){.fn = ring, .ctx = &never};
    clock_fix_ms(now_ms);
    soon.at_ms = now_ms + 1;
    late.at_ms = now_ms + FAR_MS;
    never.at_ms = now_ms + 1;
    reactor_call(*state, set_alarm, &never);
    never.at_ms = INT64_MAX;
    reactor_call(*state, set_alarm, &never);
    reactor_call(*state, set_alarm, &never); /* twice is nothing either */
    reactor_call(*state, set_alarm, &soon);
    reactor_call(*state, set_alarm, &late);
    settle(*state);
    assert_int_equal(soon.rang_count, 0);
    clock_fix_ms(now_ms + 1);
    settle_until(*state, &soon.rang_count, 2);
    assert_int_equal(soon.rang_count, 2); /* it set itself once */
    assert_int_equal(late.rang_count, 0);
    assert_int_equal(never.rang_count, 0);
    late.at_ms = now_ms; /* is over already */
    reactor_call(*state, set_alarm, &late);
    settle_until(*state, &late.rang_count, 2);
    clock_fix_ms(-1);
}

/* ---- the end ---- */

struct ending {
    struct reactor *reactor;
    struct reactor_work work;
    struct reactor_work *posts;
    int *at;
    int ran_at;
};

static void
note_end(void *ctx)
{
    struct ending *e = ctx;

    assert_ptr_equal(reactor_here(), e->reactor);
    e->ran_at = ++*e->at;
    if (e->posts != NULL) { /* it is too late for that */
        assert_false(reactor_post(e->reactor, e->posts));
        assert_false(atomic_load(&e->posts->queued));
    }
}

static void
add_ending(void *ctx)
{
    struct ending *e = ctx;

    reactor_at_end(e->reactor, &e->work);
}

static void
test_the_end_runs_what_was_posted_first(void **state)
{
    struct reactor *r = NULL;
    int at = 0;
    struct ending ends[3];
    size_t open_before = fd_count_open();

    (void)state;
    check_ok(reactor_new(&r));
    for (int i = 0; i < 3; i++) {
        ends[i] = (struct ending){.reactor = r, .at = &at};
        ends[i].work = (struct reactor_work){.fn = note_end, .ctx = &ends[i]};
    }
    ends[0].posts = &ends[2].work;
    reactor_call(r, add_ending, &ends[0]);
    reactor_call(r, add_ending, &ends[1]);
    assert_true(reactor_post(r, &ends[2].work));
    reactor_free(r);
    assert_int_equal(ends[2].ran_at, 1);
    assert_int_equal(ends[1].ran_at, 2); /* last first */
    assert_int_equal(ends[0].ran_at, 3);
    reactor_free(NULL);
    assert_int_equal(fd_count_open(), open_before);
}

int
main(void)
{
#define WITH_REACTOR(test)                                                     \
    cmocka_unit_test_setup_teardown(test, make_reactor, free_reactor)
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(test_work_runs_there),
        WITH_REACTOR(test_work_may_post_itself),
        WITH_REACTOR(test_posted_twice_runs_once),
        WITH_REACTOR(test_posts_of_many_threads),
        WITH_REACTOR(test_call_from_its_own_thread),
        WITH_REACTOR(test_times_in_their_turn),
        cmocka_unit_test(test_the_end_runs_what_was_posted_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
