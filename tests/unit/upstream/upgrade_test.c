/* After a 101 the bytes are the caller's, both ways; any other answer is an
 * ordinary one. */
#include "base/clock.h"
#include "common/talk.h"
#include "unit/upstream/fixture.h"
#include "unit/upstream/listener.h"
#include "upstream/call.h"

enum {
    TRIES = 5,
};

static struct talk *
ask(uint16_t port, const char *target)
{
    struct talk *t = talk_new(port, target);

    t->request.flags |= UPSTREAM_UPGRADE;
    talk_field(t, "Upgrade", "echo");
    talk_field(t, "Authorization", "Bearer canary-value");
    return t;
}

static void
test_bytes_go_both_ways(void **state)
{
    struct talk *t = ask(service.good, "/upgrade");

    (void)state;
    t->say = "one two bye";
    t->give_bytes = 4;
    atomic_store(&t->hold_send, true);
    talk_start(u, t);
    talk_wait_bytes(t, 6);
    assert_int_equal(t->status, 101);
    assert_non_null(strstr(t->head, "Upgrade: echo\n"));
    assert_string_equal(t->body, "hello ");
    talk_wait_held(t, 1);
    atomic_store(&t->hold_send, false);
    upstream_resume(t->call);
    /* An end of the script would end the sending side: hold it before. */
    talk_wait_bytes(t, 6 + 4);
    assert_string_equal(t->body, "hello ONE ");
    talk_done(t);
}

/* The service closes: that is the end of the stream, not a fault. */
static void
test_service_ends_it(void **state)
{
    struct talk *t = ask(service.good, "/upgrade");

    (void)state;
    t->say = "bye";
    t->give_bytes = 3;
    talk_run(u, t, AG_OK, NULL);
    assert_string_equal(t->body, "hello BYE");
    talk_done(t);
}

static void
test_a_megabyte_each_way(void **state)
{
    struct talk *t = ask(service.plain, "/upgrade");

    enum {
        MEGABYTE = 1024 * 1024
    };

    (void)state;
    t->give_bytes = MEGABYTE;
    talk_start(u, t);
    talk_wait_bytes(t, 6 + MEGABYTE);
    assert_int_equal(t->got_bytes, 6 + MEGABYTE);
    talk_done(t);
}

static void
test_refused_upgrade_is_an_answer(void **state)
{
    struct talk *t = ask(service.good, "/upgrade-refused");

    (void)state;
    t->give_bytes = 10;
    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->status, 426);
    assert_string_equal(t->body, "not here");
    assert_int_equal(t->given_bytes, 0);
    talk_done(t);
    t = ask(service.good, "/echo");
    t->give_bytes = 10;
    talk_run(u, t, AG_OK, NULL);
    assert_int_equal(t->status, 200);
    assert_int_equal(t->given_bytes, 0);
    assert_non_null(strstr(t->body, "\"Connection: Upgrade\""));
    assert_non_null(strstr(t->body, "\"Upgrade: echo\""));
    assert_non_null(strstr(t->body, "Bearer canary-value"));
    assert_null(strstr(t->body, "Transfer-Encoding"));
    assert_null(strstr(t->body, "Content-Length"));
    talk_done(t);
}

/* Also where a connection with HTTP/2 to the same host is kept. */
static void
test_is_http1(void **state)
{
    struct talk *t;

    (void)state;
    if (service.h2 == 0) {
        skip();
    }
    t = talk_new(service.h2, "/echo");
    talk_run(u, t, AG_OK, NULL);
    assert_non_null(strstr(t->head, "x-protocol: HTTP/2.0\n"));
    talk_done(t);
    t = ask(service.h2, "/echo");
    talk_run(u, t, AG_OK, NULL);
    assert_non_null(strstr(t->head, "X-Protocol: HTTP/1.1\n"));
    talk_done(t);
}

static int
connection_in(const struct talk *t)
{
    const char *at = strstr(t->body, "\"connection\": ");

    assert_non_null(at);
    return (int)strtol(at + strlen("\"connection\": "), NULL, 10);
}

static int
ordinary(void)
{
    struct talk *t = talk_new(service.good, "/echo");
    int number = 0;

    t->request.owner = 21;
    talk_run(u, t, AG_OK, NULL);
    number = connection_in(t);
    talk_done(t);
    return number;
}

/* Neither the one of a call before it, nor is it another's after it. */
static void
test_has_a_connection_of_its_own(void **state)
{
    int kept = ordinary();
    struct talk *t = ask(service.good, "/echo");
    int own = 0;

    (void)state;
    assert_int_equal(ordinary(), kept);
    t->request.owner = 21;
    talk_run(u, t, AG_OK, NULL);
    own = connection_in(t);
    talk_done(t);
    assert_int_not_equal(own, kept);
    assert_int_equal(ordinary(), kept);
}

static void
test_nor_is_it_kept(void **state)
{
    struct talk *t = ask(service.good, "/echo");
    int own = 0;

    (void)state;
    t->request.owner = 22;
    talk_run(u, t, AG_OK, NULL);
    own = connection_in(t);
    talk_done(t);
    t = talk_new(service.good, "/echo");
    t->request.owner = 22;
    talk_run(u, t, AG_OK, NULL);
    assert_int_not_equal(connection_in(t), own);
    talk_done(t);
}

/* It closes while there is nothing to send: that is noticed all the same. */
static void
test_service_ends_a_quiet_one(void **state)
{
    const uint16_t ports[] = {service.plain, service.good};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ports); i++) {
        struct talk *t = ask(ports[i], "/switch");

        atomic_store(&t->hold_send, true);
        talk_start(u, t);
        talk_wait_end(t);
        check_ok(t->err);
        assert_int_equal(t->status, 101);
        assert_string_equal(t->body, "raw");
        talk_done(t);
    }
}

/* ---- a service of the test's own ---- */

/* Takes a request, and switches. */
static int
switch_one(int listener)
{
    int fd = take_request(listener);

    answer_with(fd, "HTTP/1.1 101 Switching Protocols\r\n"
                    "Connection: Upgrade\r\n"
                    "Upgrade: echo\r\n\r\nraw");
    return fd;
}

/* The turn of its lane in which the last event came is over. */
static void
let_turn(struct upstream *of)
{
    struct talk *t = talk_new(service.plain, "/connection");

    talk_run(of, t, AG_OK, NULL);
    talk_done(t);
}

/* Nobody has to look for it: the best of some tries is far from the time that
 * is between two looks. With an upstream that has not looked at anything yet. */
static void
test_an_end_is_noticed_as_it_comes(void **state)
{
    struct upstream *own = talk_upstream();
    uint16_t port = 0;
    int listener = listen_here(&port);
    int64_t best_ms = INT64_MAX;

    (void)state;
    for (int i = 0; i < TRIES && best_ms > CALL_LOOK_MS / 2; i++) {
        struct talk *t = ask(port, "/");
        int64_t begun_ms = 0;
        int fd = -1;

        t->request.host = span_str("127.0.0.1");
        t->request.flags |= UPSTREAM_PLAIN;
        atomic_store(&t->hold_send, true);
        talk_start(own, t);
        fd = switch_one(listener);
        talk_wait_bytes(t, strlen("raw"));
        talk_wait_held(t, 1);
        let_turn(own);
        begun_ms = clock_steady_ms();
        fd_close(fd);
        talk_wait_end(t);
        check_ok(t->err);
        if (clock_steady_ms() - begun_ms < best_ms) {
            best_ms = clock_steady_ms() - begun_ms;
        }
        talk_done(t);
    }
    fd_close(listener);
    upstream_free(own);
    assert_in_range(best_ms, 0, CALL_LOOK_MS / 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_both_ways),
        cmocka_unit_test(test_service_ends_it),
        cmocka_unit_test(test_a_megabyte_each_way),
        cmocka_unit_test(test_refused_upgrade_is_an_answer),
        cmocka_unit_test(test_is_http1),
        cmocka_unit_test(test_has_a_connection_of_its_own),
        cmocka_unit_test(test_nor_is_it_kept),
        cmocka_unit_test(test_service_ends_a_quiet_one),
        cmocka_unit_test(test_an_end_is_noticed_as_it_comes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
