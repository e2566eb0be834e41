/* What is passed on by the relay: every byte, both ends, each by itself; what
 * broke is seen to have broken. We are the client and the broker. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/fdx.h"
#include "common/check.h"
#include "run/relay.h"

enum {
    WAIT_MS = 10000,
    BIG_BYTES = 4 * 1024 * 1024,
    MORE_COUNT = 8, /* than there may be at once */
};

static char dir[64];
static char sock_path[96];
static struct relay_line line;
static int broker = -1;
static pid_t relay;

static int
setup(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct sockaddr_in at = {0};
    socklen_t len = sizeof(at);

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-relay-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(sock_path, sizeof(sock_path), "%s/task.sock", dir);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", sock_path);
    broker = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(broker, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(broker, 512) != 0) {
        return -1;
    }
    line = (struct relay_line){.sock = sock_path, .fd = -1, .port = 0};
    if (relay_listen(&line) != AG_OK || line.fd < 0 ||
        getsockname(line.fd, (struct sockaddr *)&at, &len) != 0) {
        return -1;
    }
    line.port = ntohs(at.sin_port);
    relay = fork();
    if (relay == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        fd_close(broker);
        relay_serve(&line, 1);
    }
    return relay > 0 ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    (void)kill(relay, SIGKILL);
    (void)waitpid(relay, NULL, 0);
    fd_close(line.fd);
    fd_close(broker);
    (void)unlink(sock_path);
    return rmdir(dir);
}

static bool
comes(int fd, short events)
{
    struct pollfd at = {.fd = fd, .events = events};

    return poll(&at, 1, WAIT_MS) == 1;
}

static int
call(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(line.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static int
answer_call(void)
{
    int fd;

    assert_true(comes(broker, POLLIN));
    fd = accept4(broker, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void
says(int fd, const char *text)
{
    check_ok(fd_write_all(fd, span_str(text)));
}

/* To the end; the length, or -1 with errno when it breaks. */
static ssize_t
hears(int fd, char *text, size_t cap)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = comes(fd, POLLIN) ? recv(fd, text + len, cap - len, 0) : -2;

        if (n <= 0) {
            return n == 0 ? (ssize_t)len : n;
        }
        len += (size_t)n;
    }
}

static void
test_each_end_is_an_end_by_itself(void **state)
{
    char text[64];
    int client = call();
    int served = answer_call();

    (void)state;
    says(client, "a question");
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_int_equal(hears(served, text, sizeof(text)), 10);
    says(served, "an answer");
    assert_int_equal(shutdown(served, SHUT_WR), 0);
    assert_int_equal(hears(client, text, sizeof(text)), 9);
    assert_memory_equal(text, "an answer", 9);
    fd_close(client);
    fd_close(served);
}

/* Both directions at once, more than any buffer holds. */
static void
test_every_byte_arrives_in_order(void **state)
{
    static uint8_t out[BIG_BYTES];
    static uint8_t in[2][BIG_BYTES];
    int fds[2] = {call(), -1};
    size_t sent[2] = {0, 0};
    size_t got[2] = {0, 0};

    (void)state;
    for (size_t i = 0; i < BIG_BYTES; i++) {
        out[i] = (uint8_t)(i * 31 + i / 251);
    }
    fds[1] = answer_call();
    while (got[0] < BIG_BYTES || got[1] < BIG_BYTES) {
        struct pollfd at[2];

        for (size_t i = 0; i < 2; i++) {
            short want = sent[i] < BIG_BYTES ? POLLIN | POLLOUT : POLLIN;

            at[i] = (struct pollfd){.fd = fds[i], .events = want};
        }
        assert_true(poll(at, 2, WAIT_MS) > 0);
        for (size_t i = 0; i < 2; i++) {
            ssize_t n = send(fds[i], out + sent[i], BIG_BYTES - sent[i],
                             MSG_DONTWAIT | MSG_NOSIGNAL);

            sent[i] += n > 0 ? (size_t)n : 0;
            n = recv(fds[i], in[i] + got[i], BIG_BYTES - got[i], MSG_DONTWAIT);
            got[i] += n > 0 ? (size_t)n : 0;
        }
    }
    assert_memory_equal(in[0], out, BIG_BYTES);
    assert_memory_equal(in[1], out, BIG_BYTES);
    fd_close(fds[0]);
    fd_close(fds[1]);
}

static void
test_what_the_broker_breaks_off_does_not_look_whole(void **state)
{
    char text[64];
    int client = call();
    int served = answer_call();

    (void)state;
    says(client, "never read");
    assert_true(comes(served, POLLIN));
    says(served, "half an");
    fd_close(served); /* with bytes unread: a reset */
    assert_int_equal(hears(client, text, sizeof(text)), -1);
    assert_int_equal(errno, ECONNRESET);
    fd_close(client);
}

/* A broker that refuses early has answered all the same. */
static void
test_an_early_answer_arrives_whole(void **state)
{
    static const char much[64 * 1024];
    char text[64];
    int client = call();
    int served = answer_call();

    (void)state;
    says(served, "too much");
    assert_int_equal(shutdown(served, SHUT_RDWR), 0);
    for (int i = 0; i < 64; i++) {
        check_ok(fd_write_all(client, span_of(much, sizeof(much))));
    }
    assert_int_equal(hears(client, text, sizeof(text)), 8);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    fd_close(client);
    fd_close(served);
}

static void
test_a_client_that_is_gone_is_gone(void **state)
{
    static const struct linger at_once = {1, 0};
    char text[64];
    int client = call();
    int served = answer_call();

    (void)state;
    fd_close(client);
    assert_int_equal(hears(served, text, sizeof(text)), 0);
    fd_close(served);
    client = call();
    served = answer_call();
    (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    fd_close(client);
    assert_true(comes(served, POLLHUP));
    fd_close(served);
}

static void
test_without_a_broker_it_is_refused(void **state)
{
    char text[64];
    int client;

    (void)state;
    fd_close(broker);
    broker = -1;
    client = call();
    assert_int_equal(hears(client, text, sizeof(text)), -1);
    assert_int_equal(errno, ECONNRESET);
    fd_close(client);
}

/* More than there may be at once wait, and lose nothing. */
static void
test_so_many_at_once(void **state)
{
    static int clients[RELAY_LINKS_MAX_COUNT + MORE_COUNT];
    static int served[RELAY_LINKS_MAX_COUNT + MORE_COUNT];
    struct pollfd more = {.fd = broker, .events = POLLIN};
    char text[64];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(clients); i++) {
        clients[i] = call();
        says(clients[i], "x");
        served[i] = i < RELAY_LINKS_MAX_COUNT ? answer_call() : -1;
    }
    assert_int_equal(poll(&more, 1, 50), 0);
    for (size_t i = 0; i < MORE_COUNT; i++) {
        size_t late = RELAY_LINKS_MAX_COUNT + i;

        fd_close(served[i]);
        fd_close(clients[i]);
        served[late] = answer_call();
        assert_true(comes(served[late], POLLIN));
        assert_int_equal(recv(served[late], text, sizeof(text), 0), 1);
    }
    for (size_t i = MORE_COUNT; i < AG_COUNT(clients); i++) {
        fd_close(served[i]);
        fd_close(clients[i]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_each_end_is_an_end_by_itself),
        T(test_every_byte_arrives_in_order),
        T(test_what_the_broker_breaks_off_does_not_look_whole),
        T(test_an_early_answer_arrives_whole),
        T(test_a_client_that_is_gone_is_gone),
        T(test_without_a_broker_it_is_refused),
        T(test_so_many_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
