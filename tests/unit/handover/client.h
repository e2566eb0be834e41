/*
 * client.h - a client of fd.sock, for tests of connections: what it says and hears.
 * Use cases and filter are played (played.h).
 */
#ifndef TESTS_UNIT_HANDOVER_CLIENT_H
#define TESTS_UNIT_HANDOVER_CLIENT_H

#include <sys/socket.h>

#include <poll.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fdx.h"
#include "caller/peer.h"
#include "handover/handover.h"
#include "unit/handover/played.h"

enum {
    ANSWER_WAIT_MS = 60000, /* a hang is a failure, not a slow machine */
    QUIET_MS = 30,
};

struct fixture {
    struct handover *handover;
    int sock; /* the client's end */
};

static inline struct proc_facts
own_facts(void)
{
    return (struct proc_facts){
        .self = {.pid = getpid(), .start_ticks = 1},
        .uid = geteuid(),
    };
}

static inline int
connect_with(struct handover *h, struct peer *peer)
{
    int pair[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    check_ok(handover_accept(h, pair[0], peer));
    return pair[1];
}

static inline int
connect_client(struct handover *h)
{
    const struct proc_facts facts = own_facts();
    struct peer *peer = NULL;

    check_ok(peer_from_facts(&facts, &peer));
    return connect_with(h, peer);
}

static inline int
begin(void **state)
{
    static struct fixture f;
    static char nothing;

    lock();
    played.attached = false;
    played.finished = 0;
    played.lost = 0;
    played.streams_ended = 0;
    played.hits = 0;
    played.fresh = 0;
    played.seen = 0;
    played.id_count = 0;
    played.route_count = 0;
    played.cancelled = 0;
    played.deaf = false;
    unlock();
    check_ok(handover_new((struct core *)(void *)&nothing,
                          (struct filter *)(void *)&nothing, &f.handover));
    f.sock = connect_client(f.handover);
    *state = &f;
    return 0;
}

static inline int
finish(void **state)
{
    struct fixture *f = *state;

    fd_close(f->sock);
    handover_free(f->handover);
    return 0;
}

static inline void
say(int sock, const char *text, const int *fds, size_t fd_count)
{
    check_ok(fd_send(sock, span_str(text), fds, fd_count));
}

/* The next message; "" at the end of the connection. */
static inline const char *
hear(int sock)
{
    static char text[16 * 1024];
    struct pollfd pfd = {.fd = sock, .events = POLLIN};
    ssize_t n;

    assert_int_equal(poll(&pfd, 1, ANSWER_WAIT_MS), 1);
    n = recv(sock, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void
check_quiet(int sock)
{
    struct pollfd pfd = {.fd = sock, .events = POLLIN};

    assert_int_equal(poll(&pfd, 1, QUIET_MS), 0);
}

static inline void
check_refused(int sock, const char *code)
{
    json_t *answer = json_loads(hear(sock), 0, NULL);

    assert_non_null(answer);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_string_equal(json_string_value(json_object_get(answer, "code")),
                        code);
    json_decref(answer);
}

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, begin, finish)

#endif
