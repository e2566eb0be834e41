// WRAP: curl_multi_socket_action reactor_watch
/* What a lane does where libcurl leaves it to its caller: connections at rest,
 * how many are kept, times, and no memory to wait with. */
#include <stdatomic.h>

#include <curl/curl.h>

#include "base/reactor.h"
#include "unit/upstream/fixture.h"
#include "unit/upstream/listener.h"

enum {
    WHOLE_MS = 20 * 1000, /* a call that hangs is a failure of the test */
    SHORT_MS = 50,
    QUEUE_COUNT = 4, /* more than listen_here() has room for */
};

/* ---- between the lane and those it drives ---- */

static atomic_int told_count; /* of descriptors, not of times */
static atomic_bool watch_fails;

CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t fd,
                                          int mask, int *running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd,
                                          int mask, int *running);

CURLMcode
__wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int mask,
                                int *running)
{
    if (fd != CURL_SOCKET_TIMEOUT) {
        atomic_fetch_add(&told_count, 1);
    }
    return __real_curl_multi_socket_action(multi, fd, mask, running);
}

enum ag_err __real_reactor_watch(struct reactor *r, int fd, reactor_ready_fn fn,
                                 void *ctx, struct reactor_source **ret);
enum ag_err __wrap_reactor_watch(struct reactor *r, int fd, reactor_ready_fn fn,
                                 void *ctx, struct reactor_source **ret);

enum ag_err
__wrap_reactor_watch(struct reactor *r, int fd, reactor_ready_fn fn, void *ctx,
                     struct reactor_source **ret)
{
    return atomic_load(&watch_fails)
               ? AG_ENOMEM
               : __real_reactor_watch(r, fd, fn, ctx, ret);
}

static void
test_a_socket_that_can_not_be_waited_for(void **state)
{
    struct upstream *own = talk_upstream();
    struct talk *t = talk_new(service.plain, "/connection");

    (void)state;
    atomic_store(&watch_fails, true);
    t->request.host = span_str("127.0.0.1");
    t->times = (struct upstream_times){.whole_ms = WHOLE_MS};
    t->request.times = &t->times;
    talk_run(own, t, AG_ENOMEM, "127.0.0.1: out of memory");
    talk_done(t);
    atomic_store(&watch_fails, false);
    t = talk_new(service.plain, "/connection");
    talk_run(own, t, AG_OK, NULL);
    talk_done(t);
    upstream_free(own);
}

/* ---- at rest ---- */

struct start {
    struct upstream *of;
    struct talk *talk;
    enum ag_err err;
};

static void
start_there(void *ctx)
{
    struct start *s = ctx;

    s->err = upstream_start(s->of, &s->talk->request, &TALK_EVENTS, s->talk,
                            &s->talk->call);
}

static struct talk *
start_on(struct reactor *reactor, struct upstream *of, uint16_t port,
         const char *target)
{
    struct start s = {.of = of, .talk = talk_new(port, target)};

    s.talk->request.host = span_str("127.0.0.1");
    s.talk->request.flags |= UPSTREAM_PLAIN;
    reactor_call(reactor, start_there, &s);
    check_ok(s.err);
    return s.talk;
}

static void
nothing(void *ctx)
{
    (void)ctx;
}

/* What is ready now was told when this returns. */
static void
let_turn(struct reactor *reactor)
{
    reactor_call(reactor, nothing, reactor);
    reactor_call(reactor, nothing, reactor);
}

/* It is known when it is wanted again; until then it wakes nobody, not once and
 * not without end. */
static void
test_a_kept_connection_that_the_service_closes(void **state)
{
    struct reactor *reactor = NULL;
    uint16_t port = 0;
    int listener = listen_here(&port);
    struct talk *t = NULL;
    int fd = -1;
    int told = 0;

    (void)state;
    check_ok(reactor_new(&reactor));
    t = start_on(reactor, u, port, "/");
    fd = take_request(listener);
    answer_with(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    talk_wait_end(t);
    check_ok(t->err);
    talk_done(t);
    let_turn(reactor);
    told = atomic_load(&told_count);
    assert_true(told > 0);
    finish(fd);
    let_turn(reactor);
    assert_int_equal(atomic_load(&told_count), told);
    fd_close(fd);
    /* And the next call has another. */
    t = start_on(reactor, u, port, "/");
    fd = take_request(listener);
    answer_with(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    talk_wait_end(t);
    check_ok(t->err);
    talk_done(t);
    reactor_free(reactor);
    fd_close(fd);
    fd_close(listener);
}

/* ---- how many are kept ---- */

static int
connection_of(struct upstream *of, uint32_t owner)
{
    struct talk *t = talk_new(service.plain, "/connection");
    int number = 0;

    t->request.owner = owner;
    talk_run(of, t, AG_OK, NULL);
    number = (int)strtol(t->body, NULL, 10);
    talk_done(t);
    return number;
}

static struct upstream *
with_connections(int count)
{
    struct upstream_limits limits = upstream_limits_default();
    struct upstream *of = NULL;

    limits.connections = count;
    check_ok(upstream_new(&limits, service.ca, &of));
    return of;
}

static void
test_a_thread_alone_keeps_all(void **state)
{
    struct upstream *of = with_connections(3);
    int numbers[3];

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        numbers[i] = connection_of(of, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(connection_of(of, i), numbers[i]);
    }
    upstream_free(of);
}

/* What one thread had kept goes when another has all there may be. */
static void
test_what_was_kept_makes_room(void **state)
{
    enum {
        COUNT = 4,
    };

    struct upstream *of = with_connections(COUNT);
    struct reactor *reactor = NULL;
    struct talk *others[COUNT];
    int one = 0;
    int two = 0;

    (void)state;
    check_ok(reactor_new(&reactor));
    one = connection_of(of, 1);
    two = connection_of(of, 2);
    (void)connection_of(of, 3);
    for (int i = 0; i < COUNT; i++) {
        others[i] = start_on(reactor, of, service.plain, "/stall");
        talk_wait_head(others[i]);
    }
    (void)connection_of(of, 4); /* now it sees that none is left */
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(connection_of(of, 1), one); /* each ends one more */
    }
    assert_int_not_equal(connection_of(of, 2), two);
    for (int i = 0; i < COUNT; i++) {
        talk_done(others[i]);
    }
    reactor_free(reactor);
    upstream_free(of);
}

/* One after the other in its queue, until it takes no more. */
static void
fill(uint16_t port, int fds[QUEUE_COUNT])
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int i = 0; i < QUEUE_COUNT; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
        (void)connect(fds[i], (const struct sockaddr *)&at, sizeof(at));
    }
}

/* A number that was a connection's, and then one's that is given up: libcurl
 * closes that by itself. It does not count: the other thread keeps its own. */
static void
test_one_that_was_not_made_is_not_counted(void **state)
{
    struct upstream *of = with_connections(1);
    struct reactor *reactor = NULL;
    struct talk *t = talk_new(service.plain, "/until-close");
    uint16_t port = 0;
    int listener = listen_here(&port);
    int queue[QUEUE_COUNT];
    int own[2];

    (void)state;
    check_ok(reactor_new(&reactor));
    fill(port, queue);
    t->request.host = span_str("127.0.0.1");
    talk_run(of, t, AG_OK, NULL);
    talk_done(t);
    t = talk_new(port, "/");
    t->request.host = span_str("127.0.0.1");
    t->times = (struct upstream_times){.connect_ms = SHORT_MS};
    t->request.times = &t->times;
    talk_run(of, t, AG_EUPTIME, NULL);
    talk_done(t);
    for (int i = 0; i < 2; i++) {
        t = start_on(reactor, of, service.plain, "/connection");
        talk_wait_end(t);
        check_ok(t->err);
        own[i] = (int)strtol(t->body, NULL, 10);
        talk_done(t);
    }
    assert_int_equal(own[0], own[1]);
    reactor_free(reactor);
    for (int i = 0; i < QUEUE_COUNT; i++) {
        fd_close(queue[i]);
    }
    fd_close(listener);
    upstream_free(of);
}

/* ---- libcurl's times ---- */

/* A service that does not know of 100 gets the body after a second. */
static void
test_a_body_that_nobody_asks_for(void **state)
{
    uint16_t port = 0;
    int listener = listen_here(&port);
    struct talk *t = talk_new(port, "/");
    char body[8] = "";
    int fd = -1;

    (void)state;
    talk_post(t, "a body", 0, false);
    t->request.host = span_str("127.0.0.1");
    t->request.flags |= UPSTREAM_PLAIN | UPSTREAM_EXPECT;
    t->times = (struct upstream_times){.whole_ms = WHOLE_MS};
    t->request.times = &t->times;
    talk_start(u, t);
    fd = take_request(listener);
    assert_int_equal(read(fd, body, sizeof(body) - 1), strlen("a body"));
    assert_string_equal(body, "a body");
    answer_with(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    talk_wait_end(t);
    check_ok(t->err);
    assert_string_equal(t->body, "ok");
    talk_done(t);
    fd_close(fd);
    fd_close(listener);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_socket_that_can_not_be_waited_for),
        cmocka_unit_test(test_a_kept_connection_that_the_service_closes),
        cmocka_unit_test(test_a_thread_alone_keeps_all),
        cmocka_unit_test(test_what_was_kept_makes_room),
        cmocka_unit_test(test_one_that_was_not_made_is_not_counted),
        cmocka_unit_test(test_a_body_that_nobody_asks_for),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
