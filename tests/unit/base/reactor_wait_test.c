/* A reactor for which somebody else waits. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <poll.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/reactor.h"
#include "common/check.h"

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

struct count {
    struct reactor *reactor;
    struct reactor_work work;
    int count; /* the reactor's thread only, or after settle() */
};

static void
count_up(void *ctx)
{
    ((struct count *)ctx)->count++;
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

int
main(void)
{
#define WITH_REACTOR(test)                                                     \
    cmocka_unit_test_setup_teardown(test, make_reactor, free_reactor)
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(test_another_waits_for_it),
        WITH_REACTOR(test_its_own_thread_needs_no_waking),
        WITH_REACTOR(test_descriptors_are_asked_when_the_other_says_so),
    };
#undef WITH_REACTOR

    return cmocka_run_group_tests(tests, NULL, NULL);
}
