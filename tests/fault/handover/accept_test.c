// WRAP: calloc malloc eventfd pthread_create handout_task_of
/* A connection that can't be served is closed, its peer freed, and the room
 * is as before. */
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "caller/peer.h"
#include "common/fault.h"
#include "common/fdcount.h"
#include "core/handout.h"
#include "handover/handover.h"

FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_WRAPPER(void *, malloc, (size_t size), (size), NULL)
FAULT_WRAPPER(int, eventfd, (unsigned int value, int flags), (value, flags), -1)
FAULT_WRAPPER(int, pthread_create,
              (pthread_t * thread, const pthread_attr_t *attr,
               void *(*main_fn)(void *), void *arg),
              (thread, attr, main_fn, arg), EAGAIN)

/* The core behind is none: its callers are in no task. */
__typeof__(handout_task_of) __wrap_handout_task_of;

int64_t
__wrap_handout_task_of(struct core *core, const struct peer *peer)
{
    (void)core;
    (void)peer;
    return 0;
}

static char nothing;

static struct handover *
make(enum ag_err *ret_err)
{
    struct handover *h = NULL;

    *ret_err = handover_new((struct core *)(void *)&nothing,
                            (struct filter *)(void *)&nothing, &h);
    return h;
}

static void
test_a_room_that_cannot_open(void **state)
{
    enum ag_err err = AG_OK;
    struct handover *h = NULL;
    unsigned n = 1;

    (void)state;
    for (;; n++) {
        fault_arm(n);
        h = make(&err);
        if (!fault_done()) {
            break;
        }
        assert_int_equal(err, AG_ENOMEM);
        assert_null(h);
    }
    check_ok(err);
    handover_free(h);
    assert_true(n > 2);
}

static bool
accept_with_fault(struct handover *h, unsigned nth)
{
    const struct proc_facts facts = {.self = {.pid = getpid()},
                                     .uid = geteuid()};
    struct peer *peer = NULL;
    size_t before = fd_count_open();
    char byte;
    enum ag_err err;
    bool fired;
    int pair[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    check_ok(peer_from_facts(&facts, &peer));
    fault_arm(nth);
    err = handover_accept(h, pair[0], peer);
    fired = fault_done();
    if (!fired) {
        check_ok(err);
        (void)close(pair[1]);
        return false;
    }
    assert_true(err == AG_ENOMEM || err == AG_EIO);
    /* A word of why, perhaps, and then the end. */
    while (recv(pair[1], &byte, 1, 0) > 0) {
    }
    (void)close(pair[1]);
    assert_int_equal(fd_count_open(), before);
    assert_int_equal(handover_connection_count(h), 0);
    return true;
}

static void
test_a_connection_that_cannot_be_served(void **state)
{
    enum ag_err err = AG_OK;
    struct handover *h = make(&err);
    unsigned n = 1;

    (void)state;
    check_ok(err);
    while (accept_with_fault(h, n)) {
        n++;
    }
    assert_true(n > 3);
    handover_free(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_room_that_cannot_open),
        cmocka_unit_test(test_a_connection_that_cannot_be_served),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
