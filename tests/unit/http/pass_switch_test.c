/* Connections that have switched to another protocol, over raw sockets: bytes
 * both ways, either side slow, either side's end, and what is not wanted. */
#include "unit/http/switch_rig.h"

/* ---- bytes ---- */

static void
test_bytes_pass_both_ways(void **state)
{
    int fd = open_one("");

    (void)state;
    say(fd, "up");
    check_got(&t.sides[0], "up");
    give(&t.sides[0], "down", PASS_WAIT);
    check_heard(fd, "down");
    /* A request is none any more. */
    say(fd, "GET /v1/plain HTTP/1.1\r\n\r\n");
    check_got(&t.sides[0], "upGET /v1/plain HTTP/1.1\r\n\r\n");
    assert_int_equal(atomic_load(&served.calls), 0);
    (void)close(fd);
    wait_ended(1);
}

/* What came with the head is not lost. */
static void
test_bytes_behind_the_head(void **state)
{
    int fd = open_one("early");

    (void)state;
    check_got(&t.sides[0], "early");
    say(fd, " later");
    check_got(&t.sides[0], "early later");
    (void)close(fd);
    wait_ended(1);
}

static void
test_each_has_its_own_bytes(void **state)
{
    static char texts[SOCKETS_COUNT][16];
    int fds[SOCKETS_COUNT];

    (void)state;
    for (int i = 0; i < SOCKETS_COUNT; i++) {
        fds[i] = open_one("");
        (void)snprintf(texts[i], sizeof(texts[i]), "text %d.", i);
    }
    for (int i = SOCKETS_COUNT - 1; i >= 0; i--) {
        say(fds[i], texts[i]);
        give(&t.sides[i], texts[i], PASS_WAIT);
    }
    for (int i = 0; i < SOCKETS_COUNT; i++) {
        check_heard(fds[i], texts[i]);
        check_got(&t.sides[i], texts[i]);
        (void)close(fds[i]);
    }
    wait_ended(SOCKETS_COUNT);
}

/* ---- one side is slow ---- */

static void
test_a_service_that_has_no_room_holds_its_client(void **state)
{
    static uint8_t text[KEPT_BYTES];
    struct side *s = &t.sides[0];
    int fd = -1;
    size_t said = 0;

    (void)state;
    s->room = 0;
    fd = open_one("");
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_int_equal(fd_set_nonblock(fd, true), AG_OK);
    /* Until nothing more goes in, however long it is tried. */
    for (int i = 0; i < 100; i++) {
        ssize_t n = send(fd, text + said, sizeof(text) - said, MSG_NOSIGNAL);

        said += n > 0 ? (size_t)n : 0;
        i = n > 0 ? 0 : i;
        (void)poll(NULL, 0, 1);
    }
    assert_true(said < sizeof(text));
    lock();
    assert_int_equal(s->got_len, 0);
    s->room = SIZE_MAX;
    unlock();
    pass_wake(s->pass);
    assert_int_equal(fd_set_nonblock(fd, false), AG_OK);
    serve_send(fd, text + said, sizeof(text) - said);
    lock();
    while (s->got_len < sizeof(text)) {
        (void)pthread_cond_wait(&t.changed, &t.lock);
    }
    assert_memory_equal(s->got, text, sizeof(text));
    unlock();
    (void)close(fd);
    wait_ended(1);
}

/* In any number of parts, none lost and none twice. */
static void
test_a_service_that_takes_a_little_at_a_time(void **state)
{
    static char text[2000];
    struct side *s = &t.sides[0];
    int fd = -1;

    (void)state;
    s->room = 0;
    fd = open_one("");
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        text[i] = (char)('a' + i % 23);
    }
    say(fd, text);
    for (size_t got = 0; got < sizeof(text) - 1;) {
        lock();
        got = s->got_len;
        s->room = 7;
        unlock();
        pass_wake(s->pass);
    }
    check_got(s, text);
    (void)close(fd);
    wait_ended(1);
}

static void
test_a_client_that_takes_nothing_is_closed(void **state)
{
    static char text[KEPT_BYTES];
    struct http_limits limits = patient();
    int quiet = -1;
    int fd = -1;
    struct answer a;

    (void)state;
    stop();
    limits.socket_stall_s = 1;
    start(&limits);
    memset(text, 'x', sizeof(text) - 1);
    quiet = open_one("");
    fd = open_one("");
    give(&t.sides[1], text, PASS_WAIT);
    wait_ended(1);
    assert_true(t.sides[1].ended);
    (void)close(fd);
    /* One that has nothing to take is not late. */
    (void)poll(NULL, 0, 1500);
    give(&t.sides[0], "still here", PASS_WAIT);
    check_heard(quiet, "still here");
    (void)close(quiet);
    wait_ended(2);
    serve_ask(HTTP_TASK, "GET /v1/plain HTTP/1.1\r\nHost: localhost\r\n\r\n",
              &a);
    assert_int_equal(a.status, 200);
}

/* ---- the end of either side ---- */

static void
test_a_client_that_leaves_is_told_of(void **state)
{
    struct side *s = &t.sides[0];
    int64_t begun_ms = clock_steady_ms();
    int fd = -1;

    (void)state;
    s->stays = true;
    fd = open_one("");
    say(fd, "last words");
    (void)shutdown(fd, SHUT_WR);
    wait_left(s);
    check_got(s, "last words");
    /* Its service may still say something, and end in order. */
    give(s, "farewell", PASS_END);
    check_heard(fd, "farewell");
    assert_true(serve_is_closed(fd));
    assert_int_equal(s->left_count, 1);
    /* Both have ended: there is nothing to wait for. */
    wait_ended(1);
    assert_true(clock_steady_ms() - begun_ms < LONG_MS);
    (void)close(fd);
}

static void
test_a_service_that_does_not_end_is_waited_for_so_long(void **state)
{
    struct http_limits limits = patient();
    int64_t begun_ms = 0;
    int fd = -1;

    (void)state;
    stop();
    limits.socket_left_s = 1;
    start(&limits);
    t.sides[0].stays = true;
    fd = open_one("");
    (void)shutdown(fd, SHUT_WR);
    begun_ms = clock_steady_ms();
    assert_true(serve_is_closed(fd));
    assert_true(clock_steady_ms() - begun_ms >= 900);
    wait_ended(1);
    (void)close(fd);
}

/* It may read the end; what it says is thrown away. */
static void
test_the_end_may_be_read(void **state)
{
    struct side *s = &t.sides[0];
    int fd = open_one("");

    (void)state;
    give(s, "the end", PASS_END);
    check_heard(fd, "the end");
    assert_true(serve_is_closed(fd));
    say(fd, "too late");
    (void)shutdown(fd, SHUT_WR);
    wait_ended(1);
    assert_int_equal(s->got_len, 0);
    assert_int_equal(s->left_count, 0);
    (void)close(fd);
}

static void
test_the_end_is_not_waited_for_without_end(void **state)
{
    struct http_limits limits = patient();
    int fd = -1;

    (void)state;
    stop();
    limits.socket_end_s = 1;
    start(&limits);
    fd = open_one("");
    give(&t.sides[0], "the end", PASS_END);
    wait_ended(1);
    check_heard(fd, "the end");
    (void)close(fd);
}

static void
test_a_service_that_breaks_off(void **state)
{
    int fd = open_one("");

    (void)state;
    give(&t.sides[0], "half", PASS_BROKEN);
    check_heard(fd, "half");
    assert_true(serve_is_closed(fd));
    wait_ended(1);
    (void)close(fd);
}

/* Also while there is no room for what it sent, and nobody reads it. */
static void
test_a_client_that_is_gone(void **state)
{
    static char text[KEPT_BYTES];
    int fd = -1;

    (void)state;
    t.sides[0].room = 0;
    fd = open_one("");
    memset(text, 'x', sizeof(text) - 1);
    say(fd, "nobody takes this");
    give(&t.sides[0], text, PASS_WAIT);
    (void)close(fd);
    wait_ended(1);
}

/* ---- what is not wanted ---- */

static void
test_an_unwanted_one_is_cut(void **state)
{
    int64_t begun_ms = clock_steady_ms();
    int fd = open_one("");

    (void)state;
    say(fd, "x");
    check_got(&t.sides[0], "x");
    atomic_store(&t.unwanted, true);
    assert_true(serve_is_closed(fd));
    wait_ended(1);
    assert_true(t.sides[0].cut_count > 0);
    assert_true(clock_steady_ms() - begun_ms < LONG_MS);
    (void)close(fd);
}

/* One that neither takes nor says anything too. */
static void
test_the_end_of_the_server_cuts_all(void **state)
{
    static char text[KEPT_BYTES];
    struct http_limits limits = patient();
    int64_t begun_ms = 0;
    int fds[3];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    t.sides[1].room = 0;
    for (size_t i = 0; i < AG_COUNT(fds); i++) {
        fds[i] = open_one("");
    }
    say(fds[1], "held");
    give(&t.sides[2], text, PASS_WAIT);
    begun_ms = clock_steady_ms();
    stop();
    assert_true(clock_steady_ms() - begun_ms < LONG_MS);
    assert_int_equal(t.ended, 3);
    for (size_t i = 0; i < AG_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    start(&limits);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_pass_both_ways),
        TEST(test_bytes_behind_the_head),
        TEST(test_each_has_its_own_bytes),
        TEST(test_a_service_that_has_no_room_holds_its_client),
        TEST(test_a_service_that_takes_a_little_at_a_time),
        TEST(test_a_client_that_takes_nothing_is_closed),
        TEST(test_a_client_that_leaves_is_told_of),
        TEST(test_a_service_that_does_not_end_is_waited_for_so_long),
        TEST(test_the_end_may_be_read),
        TEST(test_the_end_is_not_waited_for_without_end),
        TEST(test_a_service_that_breaks_off),
        TEST(test_a_client_that_is_gone),
        TEST(test_an_unwanted_one_is_cut),
        TEST(test_the_end_of_the_server_cuts_all),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
