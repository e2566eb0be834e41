// WRAP: calloc epoll_create1 eventfd epoll_ctl pthread_create
/* A reactor fails at every step of its making, and of what it is asked to wait
 * for: nothing is left then, and what was waited for before still is. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <pthread.h>

#include "base/fdx.h"
#include "base/reactor.h"
#include "common/fault.h"
#include "common/fdcount.h"

FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_WRAPPER(int, epoll_create1, (int flags), (flags), -1)
FAULT_WRAPPER(int, eventfd, (unsigned first, int flags), (first, flags), -1)
FAULT_WRAPPER(int, epoll_ctl, (int at, int op, int fd, struct epoll_event *e),
              (at, op, fd, e), -1)
FAULT_WRAPPER(int, pthread_create,
              (pthread_t * thread, const pthread_attr_t *attr,
               void *(*main_fn)(void *), void *arg),
              (thread, attr, main_fn, arg), EAGAIN)

static void
test_making(void **state)
{
    size_t open_before = fd_count_open();
    unsigned n = 1;
    enum ag_err err = AG_OK;

    (void)state;
    for (;; n++) {
        struct reactor *r = NULL;

        fault_arm(n);
        err = reactor_new(&r);
        if (!fault_done()) {
            check_ok(err);
            reactor_free(r);
            break;
        }
        assert_null(r);
        assert_true(err == AG_EIO || err == AG_ENOMEM);
        assert_int_equal(fd_count_open(), open_before);
    }
    assert_int_equal(n, 6);
    assert_int_equal(fd_count_open(), open_before);
}

struct waited {
    struct reactor *reactor;
    struct reactor_source *source;
    int fds[2];
    int told_count;
};

static void
on_ready(void *ctx, int fd, unsigned events)
{
    struct waited *w = ctx;

    (void)fd;
    assert_int_equal(events, REACTOR_WRITE);
    w->told_count++;
    check_ok(reactor_want(w->source, REACTOR_NOTHING));
}

static void
try_watch(void *ctx)
{
    struct waited *w = ctx;

    fault_arm(1);
    check_err(reactor_watch(w->reactor, w->fds[0], on_ready, w, &w->source),
              AG_ENOMEM);
    assert_true(fault_done());
    assert_null(w->source);
    check_ok(reactor_watch(w->reactor, w->fds[0], on_ready, w, &w->source));
    fault_arm(1);
    check_err(reactor_want(w->source, REACTOR_READ), AG_EIO);
    assert_true(fault_done());
    check_ok(reactor_want(w->source, REACTOR_WRITE));
    fault_arm(1);
    check_err(reactor_want(w->source, REACTOR_READ), AG_EIO);
    assert_true(fault_done()); /* it still waits to write */
}

static void
look(void *ctx)
{
    (void)ctx;
}

static void
unwatch(void *ctx)
{
    struct waited *w = ctx;

    reactor_source_close(AG_TAKE(w->source));
}

static void
test_watching(void **state)
{
    struct waited w = {0};

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w.fds), 0);
    check_ok(reactor_new(&w.reactor));
    reactor_call(w.reactor, try_watch, &w);
    while (w.told_count == 0) {
        reactor_call(w.reactor, look, &w);
    }
    reactor_call(w.reactor, unwatch, &w);
    reactor_free(w.reactor);
    assert_int_equal(w.told_count, 1);
    fd_close(w.fds[0]);
    fd_close(w.fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),
        cmocka_unit_test(test_watching),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
