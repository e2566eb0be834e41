// WRAP: clock_steady_ms recv_address
/* The gate over a pair of sockets, with a clock of the test's own: what MHD gets
 * to read, what the client gets, and when a refusal ends. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "caller/peer.h"
#include "common/check.h"
#include "http/conn.h"
#include "http/gate.h"

enum {
    ROOM_BYTES = 8192,
    REQUEST_MS = 10 * 1000, /* the limits' default */
};

#define WHOLE "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n"
#define BAD   "GET x HTTP/1.1\r\nHost: a\r\n\r\nsecret"

static struct {
    struct conns *conns;
    struct conn *conn;
    int client;
    int broker;
    uint8_t out[ROOM_BYTES];
    int64_t now_ms;
    bool foreign_recv;
} t;

int64_t __wrap_clock_steady_ms(void);
void *__real_recv_address(void);
void *__wrap_recv_address(void);

int64_t
__wrap_clock_steady_ms(void)
{
    return t.now_ms;
}

void *
__wrap_recv_address(void)
{
    return t.foreign_recv ? NULL : __real_recv_address();
}

static void
add(int fd, enum http_socket socket)
{
    const struct proc_facts facts = {
        .self = {.pid = 1, .start_ticks = 1}, .uid = geteuid(), .name = "test"};
    const struct conn_door door = {.socket = socket};
    struct peer *peer = NULL;

    check_ok(peer_from_facts(&facts, &peer));
    check_ok(conns_add(t.conns, fd, &door, peer, &t.conn));
}

static int
begin(void **state)
{
    const struct http_limits limits = http_limits_default();
    int fds[2];

    (void)state;
    t.now_ms = 1000000;
    t.foreign_recv = false;
    check_ok(conns_new(&limits, &t.conns));
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    t.client = fds[0];
    t.broker = fds[1];
    add(t.broker, HTTP_TASK);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    conn_free(t.conn);
    conns_free(t.conns);
    (void)close(t.client);
    (void)close(t.broker);
    return 0;
}

static void
say(const char *text)
{
    ssize_t len = (ssize_t)strlen(text);

    assert_int_equal(write(t.client, text, (size_t)len), len);
}

/* What MHD reads now; bytes of the room that are not of it are 0. */
static ssize_t
reads(void)
{
    ssize_t n = 0;

    memset(t.out, 0, sizeof(t.out));
    errno = 0;
    n = gate_recv(t.broker, t.out, sizeof(t.out), 0);
    for (size_t i = n > 0 ? (size_t)n : 0; i < sizeof(t.out); i++) {
        assert_int_equal(t.out[i], 0);
    }
    return n;
}

static void
check_reads(const char *text)
{
    assert_int_equal(reads(), strlen(text));
    assert_memory_equal(t.out, text, strlen(text));
}

static void
check_nothing_yet(void)
{
    assert_int_equal(reads(), -1);
    assert_int_equal(errno, EAGAIN);
}

/* The client hears this refusal, and the end; "" nothing yet. */
static void
check_hears(const char *code)
{
    char text[2048] = "";
    ssize_t n = read(t.client, text, sizeof(text) - 1);

    if (code[0] == '\0') {
        assert_int_equal(n, -1);
        return;
    }
    assert_true(n > 0);
    assert_non_null(strstr(text, code));
    assert_int_equal(read(t.client, text, sizeof(text)), 0);
}

/* ---- a refusal, and what it waits for ---- */

static void
test_a_refusal_is_the_clients_alone(void **state)
{
    uint64_t refused = gate_refused_count();

    (void)state;
    say(BAD);
    check_nothing_yet();
    check_hears("bad_request");
    assert_int_equal(gate_refused_count(), refused + 1);
}

/* MHD gets the whole requests before it, and nothing of it: nor are its bytes
 * left in MHD's memory. */
static void
test_it_waits_for_the_answers_before_it(void **state)
{
    (void)state;
    say(WHOLE WHOLE BAD);
    check_reads(WHOLE WHOLE);
    check_hears("");
    say(WHOLE);
    check_nothing_yet();
    gate_completed(t.conn);
    check_hears("");
    check_nothing_yet();
    gate_completed(t.conn);
    check_hears("bad_request");
    /* What came meanwhile is read for nothing. */
    check_nothing_yet();
    assert_int_equal(t.conn->lingered_bytes, strlen(WHOLE));
}

/* Also where no byte of a whole request comes with it. */
static void
test_it_waits_for_an_answer_under_way(void **state)
{
    (void)state;
    say(WHOLE);
    check_reads(WHOLE);
    say(BAD);
    check_nothing_yet();
    check_hears("");
    gate_completed(t.conn);
    check_hears("bad_request");
}

/* ---- behind it ---- */

static void
test_bytes_behind_it_are_bounded(void **state)
{
    static char text[ROOM_BYTES];
    size_t sum = 0;
    ssize_t n = 0;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    say(BAD);
    check_nothing_yet();
    for (int i = 0; n >= 0 && i < 2 * HTTP_LINGER_MAX_BYTES / ROOM_BYTES; i++) {
        say(text);
        sum += sizeof(text) - 1;
        n = reads();
        if (n == 0) {
            break;
        }
        assert_int_equal(n, -1);
        n = 0;
    }
    assert_in_range(sum, HTTP_LINGER_MAX_BYTES,
                    HTTP_LINGER_MAX_BYTES + ROOM_BYTES);
}

static void
test_the_time_behind_it_is_bounded(void **state)
{
    (void)state;
    say(BAD);
    check_nothing_yet();
    t.now_ms += HTTP_LINGER_MAX_MS - 1;
    say("more");
    check_nothing_yet();
    t.now_ms++;
    say("more");
    assert_int_equal(reads(), 0);
}

static void
test_a_client_that_closes_ends_it(void **state)
{
    (void)state;
    say(BAD);
    check_nothing_yet();
    assert_int_equal(shutdown(t.client, SHUT_WR), 0);
    assert_int_equal(reads(), 0);
}

/* ---- time ---- */

static void
test_a_request_has_its_time(void **state)
{
    (void)state;
    say("GET /v1");
    check_reads("GET /v1");
    t.now_ms += REQUEST_MS;
    say("/x ");
    check_reads("/x ");
    t.now_ms++;
    say("HTTP");
    check_nothing_yet();
    check_hears("request_timeout");
}

/* Each its own, also when it begins in the part that ends the one before. */
static void
test_the_next_request_has_a_time_of_its_own(void **state)
{
    (void)state;
    say("GET /v1");
    check_reads("GET /v1");
    t.now_ms += REQUEST_MS;
    say("/x HTTP/1.1\r\nHost: a\r\n\r\nGET ");
    check_reads("/x HTTP/1.1\r\nHost: a\r\n\r\nGET ");
    t.now_ms += REQUEST_MS;
    say("/v1");
    check_reads("/v1");
    t.now_ms++;
    say("/x");
    check_nothing_yet();
}

/* The head of what is passed on is no body: bytes do not give it more time. */
static void
test_a_head_that_is_passed_on_has_its_time(void **state)
{
    (void)state;
    say("POST /p/x/y HTTP/1.1\r\n");
    check_reads("POST /p/x/y HTTP/1.1\r\n");
    t.now_ms += REQUEST_MS;
    say("Host: a\r\n");
    check_reads("Host: a\r\n");
    t.now_ms++;
    say("X: y\r\n");
    check_nothing_yet();
    check_hears("request_timeout");
}

/* Its body has as long for each part of it; that of the next begins anew. */
static void
test_a_body_that_is_passed_on_must_move(void **state)
{
    static const char HEAD[] =
        "POST /p/x/y HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

    (void)state;
    for (int i = 0; i < 2; i++) {
        say(HEAD);
        check_reads(HEAD);
        t.now_ms += 2L * REQUEST_MS;
        say("01234");
        check_reads("01234");
        t.now_ms += REQUEST_MS;
        say(i == 0 ? "56789" : "5678");
        check_reads(i == 0 ? "56789" : "5678");
    }
    gate_completed(t.conn); /* the first */
    t.now_ms++;
    say("9");
    check_nothing_yet();
    check_hears("request_timeout");
}

/* One that moves has all the time it needs. */
static void
test_a_body_that_moves_is_not_late(void **state)
{
    static const char HEAD[] =
        "POST /p/x/y HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n";
    static char text[HTTP_STALL_BYTES + 1];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    say(HEAD);
    check_reads(HEAD);
    for (int i = 0; i < 20; i++) {
        say(text);
        check_reads(text);
        t.now_ms += REQUEST_MS / 2;
    }
    /* Half of it is too little. */
    text[HTTP_STALL_BYTES / 2] = '\0';
    say(text);
    check_reads(text);
    t.now_ms += REQUEST_MS / 2 + 1;
    say("x");
    check_nothing_yet();
    check_hears("request_timeout");
}

/* ---- other descriptors, and the process ---- */

static void
test_what_is_no_clients_is_left_alone(void **state)
{
    char text[8];

    (void)state;
    say(BAD);
    check_nothing_yet();
    /* The other end is ours, too. */
    assert_true(gate_recv(t.client, text, sizeof(text), 0) > 0);
}

static void
test_options_of_tcp_are_for_tcp(void **state)
{
    struct conn *unix_conn = t.conn;
    socklen_t len = sizeof(int);
    int on = 1;
    int got = 0;
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_true(tcp >= 0);
    errno = 0;
    assert_int_equal(
        gate_setsockopt(t.broker, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)),
        -1);
    /* The kernel says EOPNOTSUPP. */
    assert_int_equal(errno, ENOPROTOOPT);
    assert_int_equal(
        gate_setsockopt(t.broker, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    add(tcp, HTTP_TCP);
    assert_int_equal(
        gate_setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(getsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &got, &len), 0);
    assert_int_not_equal(got, 0);
    conn_free(t.conn);
    t.conn = unix_conn;
    (void)close(tcp);
}

static void
test_without_a_recv_of_ours_nothing_starts(void **state)
{
    (void)state;
    check_ok(gate_check());
    t.foreign_recv = true;
    check_err(gate_check(), AG_EINTERNAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_refusal_is_the_clients_alone),
        CASE(test_it_waits_for_the_answers_before_it),
        CASE(test_it_waits_for_an_answer_under_way),
        CASE(test_bytes_behind_it_are_bounded),
        CASE(test_the_time_behind_it_is_bounded),
        CASE(test_a_client_that_closes_ends_it),
        CASE(test_a_request_has_its_time),
        CASE(test_the_next_request_has_a_time_of_its_own),
        CASE(test_a_head_that_is_passed_on_has_its_time),
        CASE(test_a_body_that_is_passed_on_must_move),
        CASE(test_a_body_that_moves_is_not_late),
        CASE(test_what_is_no_clients_is_left_alone),
        CASE(test_options_of_tcp_are_for_tcp),
        CASE(test_without_a_recv_of_ours_nothing_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
