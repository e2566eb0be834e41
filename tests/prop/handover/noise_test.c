// WRAP: handout_attach handout_value handout_take handout_stream handout_stream_ended handout_stream_hits handout_finish handout_lost handout_task_of filter_stream filter_cancel
/* Clients that send damaged messages with any descriptors, and leave when they
 * like: each message is answered once or ends the connection, and at the end
 * no descriptor, no stream and no task is left. */
#include <sys/mman.h>
#include <sys/socket.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fdx.h"
#include "caller/peer.h"
#include "common/arena.h"
#include "common/fdcount.h"
#include "common/prop.h"
#include "handover/handover.h"
#include "unit/handover/played.h"

enum {
    RUNS = 60,
    MESSAGES = 30,
    STREAMS = 3,     /* of one run: what played.h has room for */
    WAIT_MS = 60000, /* a hang is a failure, not a slow machine */
};

static const char *const GOOD[] = {
    "{\"op\":\"life\",\"ticket\":\"life\"}",
    "{\"op\":\"stream\",\"ticket\":\"stream\"}",
    "{\"op\":\"deliver\",\"ticket\":\"value\"}",
    "{\"op\":\"take\",\"ticket\":\"t\"}",
    "{\"op\":\"end\",\"exit\":0}",
};

/* A good message, or one with a byte changed, cut or doubled. */
static size_t
make_message(char *out, size_t cap)
{
    const char *text = GOOD[prop_below(AG_COUNT(GOOD))];
    size_t len = strlen(text);

    assert_true(len < cap);
    memcpy(out, text, len);
    switch (prop_below(6)) {
    case 0:
        out[prop_below(len)] = (char)prop_below(256);
        return len;
    case 1:
        return 1 + prop_below(len);
    case 2:
        out[len] = (char)prop_below(256);
        return len + 1;
    default:
        return len;
    }
}

static int
connect_client(struct handover *h)
{
    const struct proc_facts facts = {.self = {.pid = getpid()},
                                     .uid = geteuid()};
    struct peer *peer = NULL;
    int pair[2];

    check_ok(peer_from_facts(&facts, &peer));
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    check_ok(handover_accept(h, pair[0], peer));
    return pair[1];
}

/* Sends one; false when the connection is at its end. */
static bool
send_one(int sock, const int fds[4])
{
    char text[256];
    size_t len = make_message(text, sizeof(text));
    struct pollfd pfd = {.fd = sock, .events = POLLIN};
    static char answer[16 * 1024];

    if (played.route_count >= STREAMS && memmem(text, len, "stream", 6)) {
        return true;
    }
    if (fd_send(sock, span_of(text, len), fds, prop_below(5)) != AG_OK) {
        return false;
    }
    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    return recv(sock, answer, sizeof(answer), 0) > 0;
}

static void
run_client(struct handover *h)
{
    int sock = connect_client(h);
    int fds[4];

    fds[0] = memfd_create("a", MFD_CLOEXEC);
    fds[1] = memfd_create("b", MFD_CLOEXEC);
    assert_int_equal(pipe2(&fds[2], O_CLOEXEC), 0);
    for (size_t i = 0; i < MESSAGES; i++) {
        if (!send_one(sock, fds)) {
            break;
        }
    }
    for (size_t i = 0; i < AG_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    (void)close(sock);
}

static void
test_noise_leaves_nothing(void **state)
{
    static char nothing;
    uint64_t runs = prop_begin(RUNS);
    size_t before = fd_count_open();

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        struct handover *h = NULL;

        played.route_count = 0;
        played.cancelled = 0;
        check_ok(handover_new((struct core *)(void *)&nothing,
                              (struct filter *)(void *)&nothing, &h));
        run_client(h);
        handover_free(h);
        assert_int_equal(fd_count_open(), before);
        assert_int_equal(played.cancelled, played.route_count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise_leaves_nothing),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
