/* A reactor for which somebody else waits. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <poll.h>
#include <stdatomic.h>

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

enum {
    SHARED_MAX_COUNT = 128, /* events at a time, as libmicrohttpd has them */
    MANY_COUNT = 100,       /* descriptors: more than a reactor hears at once */
};

/* Somebody with an epoll of his own, in which is something of his, too. */
struct other {
    struct reactor *reactor;
    int epoll_fd;
    int own_fd;
    struct reactor_timer timer;
    int wait_count;
    int wait_count_then; /* when the time came */
    atomic_int own_count;
    bool is_deaf; /* shows nothing */
    bool rang;
};

static void
wait_in_other(void *ctx, int timeout_ms)
{
    struct other *o = ctx;
    struct epoll_event events[SHARED_MAX_COUNT];
    int count = epoll_wait(o->epoll_fd, events, SHARED_MAX_COUNT, timeout_ms);

    o->wait_count++;
    for (int i = 0; i < count && !o->is_deaf; i++) {
        if (!reactor_heard(o->reactor, &events[i])) {
            assert_ptr_equal(events[i].data.ptr, o);
            atomic_fetch_add(&o->own_count, 1);
        }
    }
}

static void
begin_sharing(void *ctx)
{
    struct other *o = ctx;

    check_ok(reactor_share(o->reactor, o->epoll_fd, wait_in_other, o));
}

static void
end_sharing(void *ctx)
{
    reactor_unshare(((struct other *)ctx)->reactor);
}

static void
open_other(struct other *o, struct reactor *r)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = o};

    *o = (struct other){.reactor = r};
    o->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    o->own_fd = eventfd(1, EFD_CLOEXEC);
    assert_true(o->epoll_fd >= 0 && o->own_fd >= 0);
    assert_int_equal(epoll_ctl(o->epoll_fd, EPOLL_CTL_ADD, o->own_fd, &event),
                     0);
    reactor_call(r, begin_sharing, o);
}

static void
close_other(struct other *o)
{
    reactor_call(o->reactor, end_sharing, o);
    fd_close(o->own_fd);
    fd_close(o->epoll_fd);
}

static void
ring(void *ctx)
{
    struct other *o = ctx;

    o->wait_count_then = o->wait_count;
    o->rang = true;
}

static void
set_timer(void *ctx)
{
    struct other *o = ctx;

    o->wait_count = 0;
    reactor_set(o->reactor, &o->timer, clock_steady_ms() + 20);
}

/* What is posted and due ends that wait, and nothing else does; what is not the
 * reactor's is the other's to see. */
static void
test_another_waits_for_it(void **state)
{
    struct other o;
    struct count c = {.reactor = *state};
    bool rang = false;

    open_other(&o, *state);
    o.timer = (struct reactor_timer){.fn = ring, .ctx = &o};
    c.work = (struct reactor_work){.fn = count_up, .ctx = &c};
    for (int i = 0; i < 100; i++) {
        assert_true(reactor_post(c.reactor, &c.work));
        settle(c.reactor);
    }
    assert_int_equal(c.count, 100);
    assert_int_equal(atomic_load(&o.own_count), 1);
    reactor_call(*state, set_timer, &o);
    while (!rang) {
        struct pollfd none = {.fd = -1};

        (void)poll(&none, 1, 25);
        reactor_call(*state, end_sharing, &o);
        rang = o.rang;
        reactor_call(*state, begin_sharing, &o);
    }
    assert_in_range(o.wait_count_then, 1, 4);
    close_other(&o);
    /* It waits by itself again. */
    assert_true(reactor_post(c.reactor, &c.work));
    settle(c.reactor);
    assert_int_equal(c.count, 101);
}

struct poster {
    struct count c;
    int epoll_fd;
    bool was_woken;
    atomic_bool waited;
};

/* Waits for nothing, then does what was waited for: it posts. */
static void
post_instead(void *ctx, int timeout_ms)
{
    struct poster *p = ctx;
    struct pollfd woken = {.fd = p->epoll_fd, .events = POLLIN};
    struct epoll_event event;

    (void)timeout_ms;
    /* Who called this in may still be waking it: that is heard first. */
    if (epoll_wait(p->epoll_fd, &event, 1, 0) == 1) {
        assert_true(reactor_heard(p->c.reactor, &event));
        return;
    }
    assert_true(reactor_post(p->c.reactor, &p->c.work));
    p->was_woken = poll(&woken, 1, 0) != 0;
    reactor_unshare(p->c.reactor);
    atomic_store(&p->waited, true);
}

static void
begin_posting(void *ctx)
{
    struct poster *p = ctx;

    check_ok(reactor_share(p->c.reactor, p->epoll_fd, post_instead, p));
}

static void
test_its_own_thread_needs_no_waking(void **state)
{
    struct poster p = {.c = {.reactor = *state}, .was_woken = true};

    p.c.work = (struct reactor_work){.fn = count_up, .ctx = &p.c};
    p.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(p.epoll_fd >= 0);
    reactor_call(*state, begin_posting, &p);
    while (!atomic_load(&p.waited)) { /* nothing else is to be posted */
        (void)poll(NULL, 0, 1);
    }
    settle(*state);
    assert_int_equal(p.c.count, 1);
    assert_false(p.was_woken);
    fd_close(p.epoll_fd);
}

/* ---- descriptors ---- */

struct listener {
    struct reactor *reactor;
    struct reactor_source *source;
    int fd; /* can be read */
    atomic_int told_count;
};

static void
count_told(void *ctx, int fd, unsigned events)
{
    struct listener *l = ctx;

    assert_int_equal(fd, l->fd);
    assert_int_equal(events, REACTOR_READ);
    atomic_fetch_add(&l->told_count, 1);
    check_ok(reactor_want(l->source, REACTOR_NOTHING));
}

static void
begin_listening(void *ctx)
{
    struct listener *l = ctx;

    check_ok(reactor_watch(l->reactor, l->fd, count_told, l, &l->source));
    check_ok(reactor_want(l->source, REACTOR_READ));
}

static void
end_listening(void *ctx)
{
    reactor_source_close(((struct listener *)ctx)->source);
}

static void
open_listener(struct listener *l, struct reactor *r)
{
    *l = (struct listener){.reactor = r, .fd = eventfd(1, EFD_CLOEXEC)};
    assert_true(l->fd >= 0);
    reactor_call(r, begin_listening, l);
}

static void
close_listener(struct listener *l)
{
    reactor_call(l->reactor, end_listening, l);
    fd_close(l->fd);
}

static void
wait_until_told(struct listener *l)
{
    while (atomic_load(&l->told_count) == 0) {
        (void)poll(NULL, 0, 1);
    }
}

static void
hear_nothing(void *ctx)
{
    ((struct other *)ctx)->is_deaf = true;
}

static void
hear_again(void *ctx)
{
    ((struct other *)ctx)->is_deaf = false;
}

static void
test_what_is_shown_is_told_and_nothing_else(void **state)
{
    struct other o;
    struct listener l;

    open_other(&o, *state);
    reactor_call(*state, hear_nothing, &o);
    open_listener(&l, *state);
    for (int i = 0; i < 3; i++) {
        settle(*state);
    }
    assert_int_equal(atomic_load(&l.told_count), 0);
    reactor_call(*state, hear_again, &o);
    wait_until_told(&l);
    close_listener(&l);
    close_other(&o);
}

/* There is room for some of them; the rest comes again. */
static void
test_many_at_once_are_all_told(void **state)
{
    static struct listener many[MANY_COUNT];
    struct other o;

    open_other(&o, *state);
    reactor_call(*state, hear_nothing, &o);
    for (size_t i = 0; i < MANY_COUNT; i++) {
        open_listener(&many[i], *state);
    }
    reactor_call(*state, hear_again, &o);
    for (size_t i = 0; i < MANY_COUNT; i++) {
        wait_until_told(&many[i]);
    }
    for (size_t i = 0; i < MANY_COUNT; i++) {
        close_listener(&many[i]);
    }
    close_other(&o);
}

/* With a source of its own, it ends: what is kept of a call's connection is
 * still watched when its worker stops. */
static void
test_a_source_may_outlive_the_other(void **state)
{
    struct other o;
    struct listener l;

    open_other(&o, *state);
    open_listener(&l, *state);
    wait_until_told(&l);
    close_other(&o);
    settle(*state);
    close_listener(&l);
}

struct failing {
    struct reactor *reactor;
    enum ag_err err;
};

static void
never_waits(void *ctx, int timeout_ms)
{
    (void)ctx;
    (void)timeout_ms;
    fail_msg("it was not shared");
}

static void
share_nothing(void *ctx)
{
    struct failing *f = ctx;

    f->err = reactor_share(f->reactor, -1, never_waits, f);
}

static void
test_what_is_no_epoll_is_not_shared(void **state)
{
    struct failing f = {.reactor = *state};
    struct listener l;

    reactor_call(*state, share_nothing, &f);
    assert_int_equal(f.err, AG_EIO);
    open_listener(&l, *state);
    wait_until_told(&l);
    close_listener(&l);
}

int
main(void)
{
#define WITH_REACTOR(test)                                                     \
    cmocka_unit_test_setup_teardown(test, make_reactor, free_reactor)
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(test_another_waits_for_it),
        WITH_REACTOR(test_its_own_thread_needs_no_waking),
        WITH_REACTOR(test_what_is_shown_is_told_and_nothing_else),
        WITH_REACTOR(test_many_at_once_are_all_told),
        WITH_REACTOR(test_a_source_may_outlive_the_other),
        WITH_REACTOR(test_what_is_no_epoll_is_not_shared),
    };
#undef WITH_REACTOR

    return cmocka_run_group_tests(tests, NULL, NULL);
}
