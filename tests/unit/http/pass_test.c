/* Requests that are passed on, over raw sockets: their bodies, answers that
 * come early, clients that are slow, several on one connection, the end. */
#include "base/clock.h"
#include "unit/http/answerer.h"

#define HEAD  " HTTP/1.1\r\nHost: localhost\r\n"
#define CHUNK "Transfer-Encoding: chunked\r\n\r\n"

enum {
    LONG_BYTES = 300000,
};

static void
say(int fd, const char *text)
{
    serve_send(fd, text, strlen(text));
}

static void
say_long(int fd, size_t len)
{
    static const char BYTES[LONG_BYTES];

    serve_send(fd, BYTES, len);
}

/* The answerer's hundred letters, ten or fewer in a chunk; sizes have none but
 * for ten itself. */
static void
read_answer(int fd)
{
    struct answer a;
    char last[6] = "";
    size_t letters = 0;

    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "X-Answer: yes"));
    while (strcmp(last, "0\r\n\r\n") != 0) {
        memmove(last, last + 1, 4);
        assert_int_equal(serve_recv(fd, last + 4, 1), 1);
        letters += last[4] == 'a';
    }
    assert_int_equal(letters, 100);
}

static void
wait_until(atomic_int *count, int wanted)
{
    for (int i = 0; i < SERVE_WAIT_MS && atomic_load(count) != wanted; i++) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(atomic_load(count), wanted);
}

/* ---- bodies ---- */

static void
test_bodies_in_either_form(void **state)
{
    int fd = serve_connect(HTTP_TASK);

    (void)state;
    say(fd, "POST /p/s/a?b" HEAD "Content-Length: 5\r\n\r\nhello");
    read_answer(fd);
    assert_int_equal(atomic_load(&answerer.got_bytes), 5);
    say(fd, "POST /t/1/s/a?s" HEAD CHUNK "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    read_answer(fd);
    assert_int_equal(atomic_load(&answerer.got_bytes), 7);
    say(fd, "GET /p/s/a?b" HEAD "\r\n");
    read_answer(fd);
    assert_int_equal(atomic_load(&answerer.taken), 3);
    (void)close(fd);
}

/* The service has answered; what the client still sends reaches it all the
 * same, and only then is it told that this was all. */
static void
test_an_early_answer_cuts_no_body(void **state)
{
    int fd = serve_connect(HTTP_TASK);

    (void)state;
    say(fd, "POST /p/s/a?es" HEAD CHUNK "3\r\nabc\r\n");
    (void)poll(NULL, 0, 50);
    say(fd, "493e0\r\n");
    say_long(fd, LONG_BYTES);
    assert_int_equal(atomic_load(&answerer.taken), 0);
    say(fd, "\r\n0\r\n\r\n");
    read_answer(fd);
    assert_int_equal(atomic_load(&answerer.got_bytes), LONG_BYTES + 3);
    assert_int_equal(atomic_load(&answerer.taken), 1);
    (void)close(fd);
}

static void
test_what_failed_is_never_whole(void **state)
{
    int fd = serve_connect(HTTP_TASK);
    struct answer a;

    (void)state;
    say(fd, "POST /p/s/a?f" HEAD CHUNK "3\r\nabc\r\n");
    (void)poll(NULL, 0, 50);
    say(fd, "3\r\nabc\r\n0\r\n\r\n");
    serve_read(fd, &a);
    assert_code(&a, 403, "wrong_place");
    assert_int_equal(atomic_load(&answerer.taken), 0);
    (void)close(fd);
}

/* By the client's end, or by what follows: a trailer is refused. */
static void
test_what_was_cut_short_is_never_whole(void **state)
{
    static const char *const CUT[][2] = {
        {"POST /p/s/a?s" HEAD CHUNK "3\r\nabc\r\n", ""},
        {"POST /p/s/a?e" HEAD CHUNK "3\r\nabc\r\n", ""},
        {"POST /p/s/a?b" HEAD "Content-Length: 50\r\n\r\nabc", ""},
        {"POST /p/s/a?b" HEAD CHUNK "3\r\nabc\r\n", "0\r\nX: y\r\n\r\n"},
        {"POST /p/s/a?b" HEAD CHUNK "3\r\nabc\r\n", "zz\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(CUT); i++) {
        int fd = serve_connect(HTTP_TASK);
        struct answer a = {.status = 400};

        say(fd, CUT[i][0]);
        wait_until(&answerer.begun, (int)i + 1);
        say(fd, CUT[i][1]);
        if (CUT[i][1][0] != '\0') {
            serve_read(fd, &a);
        }
        assert_int_equal(a.status, 400);
        (void)close(fd);
    }
    wait_until(&answerer.ended, AG_COUNT(CUT));
    assert_int_equal(atomic_load(&answerer.taken), 0);
}

/* A large body that is refused is not even asked for. */
static void
test_expect_is_answered_by_the_decision(void **state)
{
    int fd = serve_connect(HTTP_TASK);
    struct answer a;

    (void)state;
    say(fd, "POST /p/s/a?br" HEAD
            "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
    serve_read(fd, &a);
    assert_code(&a, 403, "wrong_path");
    (void)close(fd);
    fd = serve_connect(HTTP_TASK);
    say(fd, "POST /p/s/a?b" HEAD
            "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    serve_read(fd, &a);
    assert_int_equal(a.status, 100);
    say(fd, "abc");
    read_answer(fd);
    (void)close(fd);
}

/* ---- several on one connection ---- */

static void
test_each_request_is_decided(void **state)
{
    int fd = serve_connect(HTTP_TASK);
    struct answer a;

    (void)state;
    say(fd, "GET /p/s/a?b" HEAD "\r\nGET /t/2/s/b?r" HEAD
            "\r\nPOST /p/u/c" HEAD CHUNK "1\r\nx\r\n0\r\n\r\n"
            "GET /v1/plain" HEAD "\r\nGET /p/v/d?br" HEAD "\r\n");
    read_answer(fd);
    serve_read(fd, &a);
    assert_code(&a, 403, "wrong_path");
    read_answer(fd);
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    serve_read(fd, &a);
    assert_code(&a, 403, "wrong_path");
    assert_int_equal(atomic_load(&answerer.begun), 2);
    (void)close(fd);
}

static void
test_not_on_the_admin_socket(void **state)
{
    struct answer a;

    (void)state;
    serve_ask(HTTP_ADMIN, "GET /p/s/a" HEAD "\r\n", &a);
    assert_code(&a, 404, "not_found");
    assert_int_equal(atomic_load(&answerer.begun), 0);
}

/* ---- clients ---- */

static void
test_a_client_that_leaves_takes_its_request_along(void **state)
{
    static const char *const LEFT[] = {
        "GET /p/s/a?n" HEAD "\r\n", "GET /p/s/a?bn" HEAD "\r\n",
        "GET /p/s/a?w" HEAD "\r\n", "POST /p/s/a?s" HEAD CHUNK "3\r\nab"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LEFT); i++) {
        int fd = serve_connect(HTTP_TASK);

        say(fd, LEFT[i]);
        wait_until(&answerer.begun, (int)i + 1);
        (void)close(fd);
        wait_until(&answerer.ended, (int)i + 1);
    }
}

static void
test_an_unwanted_request_is_cut(void **state)
{
    int fd = serve_connect(HTTP_TASK);
    struct answer a;

    (void)state;
    say(fd, "GET /p/s/a?n" HEAD "\r\n");
    wait_until(&answerer.begun, 1);
    atomic_store(&answerer.unwanted, true);
    serve_read(fd, &a);
    assert_code(&a, 401, "token_revoked");
    (void)close(fd);
}

/* A byte now and then: refused after request_s, in the head and in the body;
 * and gone, though it goes on. */
static void
test_slow_clients_are_refused(void **state)
{
    static const char *const SLOW[] = {
        "GET /p/s/a HTTP/1.1\r\nX: ",
        "POST /p/s/a" HEAD CHUNK "fff\r\n",
        "POST /p/s/a" HEAD "Content-Length: 9999\r\n\r\n",
    };
    struct http_limits limits = http_limits_default();

    (void)state;
    answerer_end();
    limits.request_s = 1;
    answerer_start(&limits);
    for (size_t i = 0; i < AG_COUNT(SLOW); i++) {
        int fd = serve_connect(HTTP_TASK);
        struct pollfd there = {.fd = fd, .events = POLLIN};
        struct answer a;
        int tries = 0;

        say(fd, SLOW[i]);
        while (poll(&there, 1, 50) == 0 && tries++ < 200) {
            say(fd, "x");
        }
        serve_read(fd, &a);
        assert_code(&a, 408, "request_timeout");
        assert_true(tries < 100);
        while (i == 0 && send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
            (void)poll(NULL, 0, 50);
        }
        (void)close(fd);
    }
    wait_until(&answerer.ended, 2);
    assert_int_equal(atomic_load(&answerer.taken), 0);
}

/* Of a head a steady client has no more time than others. */
static void
test_a_steady_head_is_refused_too(void **state)
{
    struct http_limits limits = http_limits_default();
    struct pollfd there = {.events = POLLIN};
    char part[201];
    struct answer a;

    (void)state;
    answerer_end();
    limits.request_s = 1;
    answerer_start(&limits);
    memset(part, 'x', sizeof(part) - 1);
    part[sizeof(part) - 1] = '\0';
    there.fd = serve_connect(HTTP_TASK);
    say(there.fd, "GET /p/s/a HTTP/1.1\r\nX: ");
    for (int i = 0; i < 100 && poll(&there, 1, 100) == 0; i++) {
        say(there.fd, part);
    }
    serve_read(there.fd, &a);
    assert_code(&a, 408, "request_timeout");
    (void)close(there.fd);
}

/* Nor is one that the service holds back, or that has enough to say. */
static void
test_a_steady_client_may_take_its_time(void **state)
{
    struct http_limits limits = http_limits_default();
    int fd = 0;

    (void)state;
    answerer_end();
    limits.request_s = 1;
    answerer_start(&limits);
    fd = serve_connect(HTTP_TASK);
    say(fd, "POST /p/s/a?s" HEAD "Content-Length: 20000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        say_long(fd, 1000);
        (void)poll(NULL, 0, 100);
    }
    read_answer(fd);
    assert_int_equal(atomic_load(&answerer.got_bytes), 20000);
    (void)close(fd);
}

/* ---- the end ---- */

/* Passed requests of every kind are under way; an ordinary one too, which is
 * waited for; a connection without a whole request is not. */
static void
test_the_end_waits_for_none_that_is_passed_on(void **state)
{
    static const char *const PASSED[] = {
        "GET /p/s/a?n" HEAD "\r\n", "GET /p/s/a?bn" HEAD "\r\n",
        "GET /p/s/a?ew" HEAD "\r\n", "POST /p/s/a?sn" HEAD CHUNK "3\r\nab"};
    int fds[AG_COUNT(PASSED) + 1];
    int64_t begun_ms = 0;
    struct answer a;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(PASSED); i++) {
        fds[i] = serve_connect(HTTP_TASK);
        say(fds[i], PASSED[i]);
    }
    fds[AG_COUNT(PASSED)] = serve_connect(HTTP_TASK);
    say(fds[AG_COUNT(PASSED)], "PUT /v1/echo" HEAD "Content-Le");
    wait_until(&answerer.begun, AG_COUNT(PASSED));
    begun_ms = clock_steady_ms();
    answerer_end();
    assert_true(clock_steady_ms() - begun_ms < 3000);
    assert_int_equal(atomic_load(&answerer.cut), AG_COUNT(PASSED));
    serve_read(fds[0], &a);
    assert_code(&a, 503, "busy");
    for (size_t i = 0; i < AG_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    answerer_start(NULL);
}

static void
test_none_begins_after_the_end(void **state)
{
    int fd = serve_connect(HTTP_TASK);
    struct answer a;

    (void)state;
    server_drain(served.server);
    say(fd, "GET /p/s/a" HEAD "\r\n");
    serve_read(fd, &a);
    assert_code(&a, 503, "busy");
    assert_int_equal(atomic_load(&answerer.begun), 0);
    (void)close(fd);
}

#define TEST(f)                                                                \
    cmocka_unit_test_setup_teardown(f, answerer_setup, answerer_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bodies_in_either_form),
        TEST(test_an_early_answer_cuts_no_body),
        TEST(test_what_failed_is_never_whole),
        TEST(test_what_was_cut_short_is_never_whole),
        TEST(test_expect_is_answered_by_the_decision),
        TEST(test_each_request_is_decided),
        TEST(test_not_on_the_admin_socket),
        TEST(test_a_client_that_leaves_takes_its_request_along),
        TEST(test_an_unwanted_request_is_cut),
        TEST(test_slow_clients_are_refused),
        TEST(test_a_steady_head_is_refused_too),
        TEST(test_a_steady_client_may_take_its_time),
        TEST(test_the_end_waits_for_none_that_is_passed_on),
        TEST(test_none_begins_after_the_end),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
