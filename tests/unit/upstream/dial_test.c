/* A connection alone: its bytes are the caller's, the guard is the same. */
#include <poll.h>
#include <string.h>

#include "base/fdx.h"
#include "unit/upstream/fixture.h"

struct dialing {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int fd;
    bool ended;
    enum ag_err err;
};

static void
on_dialed(void *ctx, int fd)
{
    struct dialing *d = ctx;

    d->fd = fd;
}

static void
on_end(void *ctx, enum ag_err err)
{
    struct dialing *d = ctx;

    (void)pthread_mutex_lock(&d->lock);
    d->err = err;
    d->ended = true;
    (void)pthread_cond_signal(&d->changed);
    (void)pthread_mutex_unlock(&d->lock);
}

static const struct upstream_events EVENTS = {.on_dialed = on_dialed,
                                              .on_end = on_end};

/* The socket, or -1 and *ret_err. */
static int
dial(const char *host, uint16_t port, bool inner, enum ag_err *ret_err)
{
    struct dialing d = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .fd = -1};
    const struct upstream_target target = {
        .host = span_str(host), .port = port, .owner = 1, .inner = inner};
    struct upstream_call *call = NULL;

    *ret_err = upstream_dial(u, &target, &EVENTS, &d, &call);
    if (*ret_err != AG_OK) {
        return -1;
    }
    (void)pthread_mutex_lock(&d.lock);
    while (!d.ended) {
        (void)pthread_cond_wait(&d.changed, &d.lock);
    }
    (void)pthread_mutex_unlock(&d.lock);
    upstream_cancel(call);
    *ret_err = d.err;
    return d.fd;
}

static void
test_the_socket_outlives_the_call(void **state)
{
    static const char ASK[] =
        "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    enum ag_err err = AG_OK;
    AG_AUTO(fd) int fd = dial("127.0.0.1", service.plain, true, &err);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char answer[64] = "";

    (void)state;
    check_ok(err);
    assert_true(fd >= 0);
    check_ok(fd_write_all(fd, span_str(ASK)));
    assert_int_equal(poll(&polled, 1, 20000), 1);
    assert_true(read(fd, answer, sizeof(answer) - 1) > 12);
    assert_memory_equal(answer, "HTTP/1.1 ", 9);
}

static void
test_no_connection_is_shared(void **state)
{
    enum ag_err err = AG_OK;
    AG_AUTO(fd) int one = dial("127.0.0.1", service.plain, true, &err);
    AG_AUTO(fd) int two = -1;

    (void)state;
    check_ok(err);
    two = dial("127.0.0.1", service.plain, true, &err);
    check_ok(err);
    assert_true(one >= 0 && two >= 0 && one != two);
}

static void
test_the_guard_is_the_same(void **state)
{
    enum ag_err err = AG_OK;

    (void)state;
    assert_int_equal(dial("127.0.0.1", service.plain, false, &err), -1);
    assert_int_equal(err, AG_EADDRESS);
    assert_int_equal(dial("localhost", service.plain, false, &err), -1);
    assert_int_equal(err, AG_EADDRESS);
    assert_int_equal(dial("0.0.0.0", service.plain, true, &err), -1);
    assert_int_equal(err, AG_EADDRESS);
    assert_int_equal(dial("127.0.0.1", 1, true, &err), -1);
    assert_int_equal(err, AG_EUNREACHABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_socket_outlives_the_call),
        cmocka_unit_test(test_no_connection_is_shared),
        cmocka_unit_test(test_the_guard_is_the_same),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
