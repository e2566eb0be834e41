/* How the bytes of a tunnel pass: whole, in order, held where there is no room,
 * with their end, and with a pipe only while they are on their way. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/check.h"
#include "common/fdcount.h"
#include "proxy/forward_impl.h"

enum {
    CHUNK_BYTES = 64 * 1024,
    ROUNDS_COUNT = 8,
    MUCH_BYTES = 1024 * 1024,
};

/* The client's two ends and the server's: ours come second. */
static struct {
    struct forward forward; /* of it only the pipes at rest */
    struct flow flow;
    int client[2];
    int server[2];
} t;

static void
make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                                pair),
                     0);
}

static int
begin(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon has it */
    memset(&t, 0, sizeof(t));
    make_pair(t.client);
    make_pair(t.server);
    flow_init(&t.flow);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    flow_done(&t.forward, &t.flow);
    while (t.forward.spare_count > 0) {
        t.forward.spare_count--;
        (void)close(t.forward.spare[t.forward.spare_count][0]);
        (void)close(t.forward.spare[t.forward.spare_count][1]);
    }
    for (int i = 0; i < 2; i++) {
        (void)close(t.client[i]);
        (void)close(t.server[i]);
    }
    return 0;
}

/* *ret_moved of it. */
static bool
run(bool want)
{
    bool moved = false;

    assert_int_equal(
        flow_run(&t.forward, &t.flow, t.client[1], t.server[1], &moved), want);
    return moved;
}

static void
say(const char *text)
{
    assert_int_equal(send(t.client[0], text, strlen(text), 0), strlen(text));
}

static void
check_heard(const char *want)
{
    char text[64];
    ssize_t n = recv(t.server[0], text, sizeof(text), 0);

    check_span(span_of(text, n < 0 ? 0 : (size_t)n), want);
}

static void
test_bytes_pass(void **state)
{
    (void)state;
    assert_false(run(true));
    say("one ");
    say("two");
    assert_true(run(true));
    check_heard("one two");
    assert_false(run(true));
    assert_int_equal(t.flow.held, 0);
    assert_false(t.flow.eof);
}

/* Its bytes stay where they are until there is room for them. */
static void
test_a_full_receiver_holds_them(void **state)
{
    static uint8_t text[MUCH_BYTES];
    size_t said = 0;
    size_t heard = 0;
    bool was_full = false;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 7 + i / 251);
    }
    while (heard < sizeof(text)) {
        uint8_t part[5000];
        ssize_t n = send(t.client[0], text + said, sizeof(text) - said, 0);

        said += n > 0 ? (size_t)n : 0;
        (void)run(true);
        was_full = was_full || t.flow.held > 0;
        n = recv(t.server[0], part, sizeof(part), 0);
        assert_true(n > 0);
        assert_memory_equal(part, text + heard, (size_t)n);
        heard += (size_t)n;
    }
    assert_true(was_full);
    (void)run(true);
    assert_int_equal(t.flow.held, 0);
    assert_int_equal(t.flow.pipe[0], -1);
}

/* Behind all bytes, once. */
static void
test_the_end_passes(void **state)
{
    char byte;

    (void)state;
    say("last");
    (void)shutdown(t.client[0], SHUT_WR);
    (void)run(true);
    check_heard("last");
    (void)run(true);
    assert_true(t.flow.eof);
    assert_true(t.flow.shut);
    assert_int_equal(recv(t.server[0], &byte, 1, 0), 0);
    /* The other direction is not touched. */
    assert_int_equal(send(t.server[0], "x", 1, 0), 1);
    assert_int_equal(recv(t.server[1], &byte, 1, 0), 1);
    assert_false(run(true));
}

static void
test_the_end_waits_for_what_is_held(void **state)
{
    static char text[MUCH_BYTES];
    ssize_t n = 0;

    (void)state;
    while (send(t.server[1], text, sizeof(text), 0) > 0) {
    }
    say("held");
    (void)shutdown(t.client[0], SHUT_WR);
    (void)run(true);
    assert_int_equal(t.flow.held, strlen("held"));
    assert_false(t.flow.shut);
    do {
        n = recv(t.server[0], text, sizeof(text), 0);
    } while (n > 0);
    (void)run(true);
    (void)run(true);
    assert_true(t.flow.shut);
    check_heard("held");
}

static void
test_a_pipe_is_lent(void **state)
{
    size_t fds = 0;

    (void)state;
    say("x");
    (void)run(true);
    check_heard("x");
    assert_int_equal(t.forward.spare_count, 1);
    fds = fd_count_open();
    say("y");
    (void)run(true);
    check_heard("y");
    assert_int_equal(t.forward.spare_count, 1);
    assert_int_equal(fd_count_open(), fds);
}

/* Bytes of one connection are never another's. */
static void
test_a_pipe_with_bytes_is_nobody_elses(void **state)
{
    static char text[MUCH_BYTES];
    size_t fds = fd_count_open();

    (void)state;
    while (send(t.server[1], text, sizeof(text), 0) > 0) {
    }
    say("of the first");
    (void)run(true);
    assert_true(t.flow.held > 0);
    assert_int_equal(fd_count_open(), fds + 2);
    flow_done(&t.forward, &t.flow);
    assert_int_equal(t.forward.spare_count, 0);
    assert_int_equal(t.flow.held, 0);
    assert_int_equal(fd_count_open(), fds);
    flow_done(&t.forward, &t.flow); /* always allowed */
}

static void
test_so_many_pipes_rest(void **state)
{
    static struct flow flows[RELAY_SPARE_COUNT + 3];
    size_t fds = fd_count_open();

    (void)state;
    for (size_t i = 0; i < AG_COUNT(flows); i++) {
        assert_int_equal(pipe2(flows[i].pipe, O_CLOEXEC | O_NONBLOCK), 0);
    }
    for (size_t i = 0; i < AG_COUNT(flows); i++) {
        flow_done(&t.forward, &flows[i]);
    }
    assert_int_equal(t.forward.spare_count, RELAY_SPARE_COUNT);
    assert_int_equal(fd_count_open(), fds + (size_t)2 * RELAY_SPARE_COUNT);
}

/* A receiver that is gone; a sender that left with a reset. */
static void
test_a_broken_connection_is_told(void **state)
{
    (void)state;
    (void)close(t.server[0]);
    say("nobody hears it");
    (void)run(false);
    flow_done(&t.forward, &t.flow);
    make_pair(t.client);
    make_pair(t.server);
    assert_int_equal(send(t.client[1], "unread", 6, 0), 6);
    (void)close(t.client[0]);
    assert_false(run(false));
}

/* One that never has enough leaves the others their turn. */
static void
test_a_turn_has_an_end(void **state)
{
    static const char block[CHUNK_BYTES];
    char path[] = "/tmp/ag-relay-XXXXXX";
    int from = mkstemp(path);
    int to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    bool moved = false;

    (void)state;
    assert_true(from >= 0 && to >= 0);
    (void)unlink(path);
    for (int i = 0; i < 2 * ROUNDS_COUNT; i++) {
        assert_int_equal(write(from, block, sizeof(block)), sizeof(block));
    }
    assert_int_equal(lseek(from, 0, SEEK_SET), 0);
    assert_true(flow_run(&t.forward, &t.flow, from, to, &moved));
    assert_true(moved);
    assert_int_equal(lseek(from, 0, SEEK_CUR), ROUNDS_COUNT * CHUNK_BYTES);
    (void)close(from);
    (void)close(to);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_pass),
        TEST(test_a_full_receiver_holds_them),
        TEST(test_the_end_passes),
        TEST(test_the_end_waits_for_what_is_held),
        TEST(test_a_pipe_is_lent),
        TEST(test_a_pipe_with_bytes_is_nobody_elses),
        TEST(test_so_many_pipes_rest),
        TEST(test_a_broken_connection_is_told),
        TEST(test_a_turn_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
