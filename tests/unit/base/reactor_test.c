/* One thread that waits for descriptors, times and what others ask of it. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

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

/* ---- somebody else waits ---- */

struct waiter {
    struct reactor *reactor;
    struct reactor_timer timer;
    int epoll_fd;
    int wait_count;
    int wait_count_then; /* when the time came */
    bool rang;
};

static bool
wait_in_other(void *ctx, int timeout_ms)
{
    struct waiter *w = ctx;
    struct epoll_event event;

    w->wait_count++;
    return epoll_wait(w->epoll_fd, &event, 1, timeout_ms) == 1;
}

static void
ring_waiter(void *ctx)
{
    struct waiter *w = ctx;

    w->wait_count_then = w->wait_count;
    w->rang = true;
}

static void
begin_waiting(void *ctx)
{
    struct waiter *w = ctx;

    reactor_set_wait(w->reactor, wait_in_other, w);
}

static void
set_waiter(void *ctx)
{
    struct waiter *w = ctx;

    w->wait_count = 0;
    reactor_set(w->reactor, &w->timer, clock_steady_ms() + 20);
}

static void
end_waiting(void *ctx)
{
    reactor_set_wait(((struct waiter *)ctx)->reactor, NULL, NULL);
}

/* What is posted and due ends that wait, and nothing else does. */
static void
test_another_waits_for_it(void **state)
{
    struct waiter w = {.reactor = *state};
    struct count c = {.reactor = *state};
    struct epoll_event event = {.events = EPOLLIN};
    bool rang = false;

    w.timer = (struct reactor_timer){.fn = ring_waiter, .ctx = &w};
    c.work = (struct reactor_work){.fn = count_up, .ctx = &c};
    w.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(w.epoll_fd >= 0);
    assert_int_equal(
        epoll_ctl(w.epoll_fd, EPOLL_CTL_ADD, reactor_fd(w.reactor), &event), 0);
    reactor_call(w.reactor, begin_waiting, &w);
    for (int i = 0; i < 100; i++) {
        assert_true(reactor_post(c.reactor, &c.work));
        settle(c.reactor);
    }
    assert_int_equal(c.count, 100);
    reactor_call(w.reactor, set_waiter, &w);
    while (!rang) {
        struct pollfd none = {.fd = -1};

        (void)poll(&none, 1, 25);
        reactor_call(w.reactor, end_waiting, &w);
        rang = w.rang;
        reactor_call(w.reactor, begin_waiting, &w);
    }
    assert_in_range(w.wait_count_then, 1, 4);
    reactor_call(w.reactor, end_waiting, &w);
    fd_close(w.epoll_fd);
}

struct poster {
    struct count c;
    bool was_woken;
    atomic_bool waited;
};

/* Waits for nothing, then does what was waited for: it posts. */
static bool
post_instead(void *ctx, int timeout_ms)
{
    struct poster *p = ctx;
    struct pollfd woken = {.fd = reactor_fd(p->c.reactor), .events = POLLIN};

    (void)timeout_ms;
    assert_true(reactor_post(p->c.reactor, &p->c.work));
    p->was_woken = poll(&woken, 1, 0) != 0;
    reactor_set_wait(p->c.reactor, NULL, NULL);
    atomic_store(&p->waited, true);
    return false;
}

static void
begin_posting(void *ctx)
{
    reactor_set_wait(((struct poster *)ctx)->c.reactor, post_instead, ctx);
}

static void
test_its_own_thread_needs_no_waking(void **state)
{
    struct poster p = {.c = {.reactor = *state}, .was_woken = true};

    p.c.work = (struct reactor_work){.fn = count_up, .ctx = &p.c};
    reactor_call(*state, begin_posting, &p);
    while (!atomic_load(&p.waited)) { /* nothing else is to be posted */
        (void)poll(NULL, 0, 1);
    }
    settle(*state);
    assert_int_equal(p.c.count, 1);
    assert_false(p.was_woken);
}

/* Waits for nothing, and says what it is told to. */
struct sayer {
    struct reactor *reactor;
    struct reactor_source *source;
    int fd; /* can be read */
    atomic_bool says;
    atomic_int wait_count;
    atomic_int told_count;
};

static bool
say(void *ctx, int timeout_ms)
{
    struct sayer *s = ctx;

    (void)timeout_ms;
    atomic_fetch_add(&s->wait_count, 1);
    (void)poll(NULL, 0, 1);
    return atomic_load(&s->says);
}

static void
count_told(void *ctx, int fd, unsigned events)
{
    struct sayer *s = ctx;

    assert_int_equal(fd, s->fd);
    assert_int_equal(events, REACTOR_READ);
    atomic_fetch_add(&s->told_count, 1);
}

static void
begin_saying(void *ctx)
{
    struct sayer *s = ctx;

    check_ok(reactor_watch(s->reactor, s->fd, count_told, s, &s->source));
    check_ok(reactor_want(s->source, REACTOR_READ));
    reactor_set_wait(s->reactor, say, s);
}

static void
end_saying(void *ctx)
{
    struct sayer *s = ctx;

    reactor_set_wait(s->reactor, NULL, NULL);
    reactor_source_close(s->source);
}

static void
test_descriptors_are_asked_when_the_other_says_so(void **state)
{
    struct sayer s = {.reactor = *state, .fd = eventfd(1, EFD_CLOEXEC)};

    assert_true(s.fd >= 0);
    reactor_call(*state, begin_saying, &s);
    while (atomic_load(&s.wait_count) < 3) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(atomic_load(&s.told_count), 0);
    atomic_store(&s.says, true);
    while (atomic_load(&s.told_count) == 0) {
        (void)poll(NULL, 0, 1);
    }
    reactor_call(*state, end_saying, &s);
    fd_close(s.fd);
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
        WITH_REACTOR(test_another_waits_for_it),
        WITH_REACTOR(test_its_own_thread_needs_no_waking),
        WITH_REACTOR(test_descriptors_are_asked_when_the_other_says_so),
        cmocka_unit_test(test_the_end_runs_what_was_posted_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
