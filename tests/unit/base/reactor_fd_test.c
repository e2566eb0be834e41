/* A reactor's descriptors: told when they are wanted and ready, and only then. */
#include <sys/socket.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

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

struct pair {
    struct reactor *reactor;
    struct reactor_source *source;
    int ours;
    int theirs;
    int told_count;
    unsigned told; /* the last */
    bool reads;    /* what came is read */
    bool closes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void
on_ready(void *ctx, int fd, unsigned events)
{
    struct pair *p = ctx;
    char bytes[16];

    assert_int_equal(fd, p->ours);
    if (p->reads && (events & REACTOR_READ) != 0) {
        (void)!read(fd, bytes, sizeof(bytes));
    }
    if (p->closes) {
        reactor_source_close(AG_TAKE(p->source));
    }
    (void)pthread_mutex_lock(&p->lock);
    p->told_count++;
    p->told = events;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

static void
watch(void *ctx)
{
    struct pair *p = ctx;

    check_ok(reactor_watch(p->reactor, p->ours, on_ready, p, &p->source));
}

static void
want_read(void *ctx)
{
    check_ok(reactor_want(((struct pair *)ctx)->source, REACTOR_READ));
}

static void
want_write(void *ctx)
{
    check_ok(reactor_want(((struct pair *)ctx)->source, REACTOR_WRITE));
}

static void
want_nothing(void *ctx)
{
    check_ok(reactor_want(((struct pair *)ctx)->source, REACTOR_NOTHING));
}

static void
unwatch(void *ctx)
{
    struct pair *p = ctx;

    reactor_source_close(AG_TAKE(p->source));
    reactor_source_close(NULL);
}

static void
open_pair(struct reactor *r, struct pair *p)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                                ends),
                     0);
    *p = (struct pair){.reactor = r, .ours = ends[0], .theirs = ends[1]};
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    reactor_call(r, watch, p);
}

static void
close_pair(struct pair *p)
{
    reactor_call(p->reactor, unwatch, p);
    fd_close(p->ours);
    fd_close(p->theirs);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
}

static void
wait_told(struct pair *p, int count)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->told_count < count) {
        (void)pthread_cond_wait(&p->changed, &p->lock);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void
test_tells_what_was_wanted(void **state)
{
    struct pair p;

    open_pair(*state, &p);
    p.reads = true;
    reactor_call(p.reactor, want_read, &p);
    assert_int_equal(write(p.theirs, "x", 1), 1);
    wait_told(&p, 1);
    assert_int_equal(p.told, REACTOR_READ);
    assert_int_equal(write(p.theirs, "x", 1), 1);
    wait_told(&p, 2);
    reactor_call(p.reactor, want_write, &p);
    wait_told(&p, 3);
    reactor_call(p.reactor, want_nothing, &p);
    assert_int_equal(p.told, REACTOR_WRITE);
    close_pair(&p);
}

/* Epoll is told of it only when something comes; then it is quiet as well. */
static void
test_what_is_not_wanted_is_not_told(void **state)
{
    struct pair p;
    struct pair other;

    open_pair(*state, &p);
    open_pair(*state, &other);
    other.reads = true;
    reactor_call(p.reactor, want_read, &p);
    reactor_call(p.reactor, want_read, &other);
    reactor_call(p.reactor, want_nothing, &p);
    assert_int_equal(write(p.theirs, "x", 1), 1);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(write(other.theirs, "x", 1), 1);
        wait_told(&other, i); /* there were turns in between */
    }
    assert_int_equal(p.told_count, 0);
    p.reads = true;
    reactor_call(p.reactor, want_read, &p);
    wait_told(&p, 1); /* it is still there */
    close_pair(&other);
    close_pair(&p);
}

/* Of a pipe that nobody writes to any more only the break is told. */
static void
test_a_broken_one_is_ready(void **state)
{
    struct pair p;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    p = (struct pair){
        .reactor = *state, .ours = ends[0], .theirs = ends[1], .closes = true};
    (void)pthread_mutex_init(&p.lock, NULL);
    (void)pthread_cond_init(&p.changed, NULL);
    reactor_call(*state, watch, &p);
    reactor_call(p.reactor, want_read, &p);
    fd_close(FD_TAKE(p.theirs));
    wait_told(&p, 1);
    assert_int_equal(p.told, REACTOR_READ);
    close_pair(&p);
}

/* Two are ready in one turn; the first closes the other's source. */
struct closer {
    struct reactor_source *sources[2];
    int told_count;
};

static void
close_both(void *ctx, int fd, unsigned events)
{
    struct closer *c = ctx;

    (void)fd;
    (void)events;
    c->told_count++;
    reactor_source_close(AG_TAKE(c->sources[0]));
    reactor_source_close(AG_TAKE(c->sources[1]));
}

struct closing {
    struct reactor *reactor;
    struct closer closer;
    int fds[2];
};

static void
watch_both(void *ctx)
{
    struct closing *c = ctx;

    for (int i = 0; i < 2; i++) {
        check_ok(reactor_watch(c->reactor, c->fds[i], close_both, &c->closer,
                               &c->closer.sources[i]));
        check_ok(reactor_want(c->closer.sources[i], REACTOR_WRITE));
    }
}

static void
test_no_event_after_the_close(void **state)
{
    struct closing c = {.reactor = *state};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, c.fds), 0);
    reactor_call(c.reactor, watch_both, &c);
    while (c.closer.told_count == 0) {
        settle(c.reactor);
    }
    settle(c.reactor);
    assert_int_equal(c.closer.told_count, 1);
    fd_close(c.fds[0]);
    fd_close(c.fds[1]);
}

static void
want_closed(void *ctx)
{
    struct pair *p = ctx;

    check_err(reactor_want(p->source, REACTOR_READ), AG_EIO);
}

static void
test_a_closed_one_can_not_be_waited_for(void **state)
{
    struct pair p;

    open_pair(*state, &p);
    fd_close(FD_TAKE(p.ours));
    reactor_call(p.reactor, want_closed, &p);
    close_pair(&p);
}

static void
ring_pair(void *ctx)
{
    struct pair *p = ctx;

    on_ready(p, p->ours, REACTOR_NOTHING);
}

struct lone_alarm {
    struct pair *pair;
    struct reactor_timer timer;
};

static void
set_soon(void *ctx)
{
    struct lone_alarm *a = ctx;

    reactor_set(a->pair->reactor, &a->timer, clock_steady_ms() + 5);
}

/* By itself: nobody wakes it. */
static void
test_a_time_comes(void **state)
{
    struct pair p;
    struct lone_alarm a = {.pair = &p};

    open_pair(*state, &p);
    a.timer = (struct reactor_timer){.fn = ring_pair, .ctx = &p};
    reactor_call(p.reactor, set_soon, &a);
    wait_told(&p, 1);
    close_pair(&p);
}

int
main(void)
{
#define WITH_REACTOR(test)                                                     \
    cmocka_unit_test_setup_teardown(test, make_reactor, free_reactor)
    const struct CMUnitTest tests[] = {
        WITH_REACTOR(test_tells_what_was_wanted),
        WITH_REACTOR(test_what_is_not_wanted_is_not_told),
        WITH_REACTOR(test_a_broken_one_is_ready),
        WITH_REACTOR(test_no_event_after_the_close),
        WITH_REACTOR(test_a_closed_one_can_not_be_waited_for),
        WITH_REACTOR(test_a_time_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
