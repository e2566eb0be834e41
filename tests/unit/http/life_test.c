/* The server's limits and life over raw sockets: caps, queues, drain, idle
 * connections, counters. */
#include "unit/http/serve.h"

#define HOST "Host: localhost\r\n"

static void
test_client_that_leaves_while_its_request_is_away(void **state)
{
    static const char SLOW[] = "POST /v1/wait HTTP/1.1\r\n" HOST "\r\n";
    int fd = serve_connect(HTTP_ADMIN);

    (void)state;
    (void)pthread_mutex_lock(&served.gate);
    serve_send(fd, SLOW, strlen(SLOW));
    while (atomic_load(&served.admitted) < 1) {
        (void)poll(NULL, 0, 1);
    }
    (void)close(fd);
    (void)pthread_mutex_unlock(&served.gate);
}

static void
test_slow_queue_is_bounded_and_does_not_hold_up_reads(void **state)
{
    enum {
        ASKED_COUNT = HTTP_SLOW_MAX_COUNT + 4,
    };

    static const char SLOW[] = "POST /v1/slow HTTP/1.1\r\n" HOST "\r\n";
    int fds[ASKED_COUNT];
    int busy = 0;
    struct answer a;

    (void)state;
    (void)pthread_mutex_lock(&served.gate);
    for (int i = 0; i < ASKED_COUNT; i++) {
        fds[i] = serve_connect(HTTP_ADMIN);
        serve_send(fds[i], SLOW, strlen(SLOW));
    }
    serve_ask(HTTP_ADMIN, "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    (void)pthread_mutex_unlock(&served.gate);
    for (int i = 0; i < ASKED_COUNT; i++) {
        serve_read(fds[i], &a);
        busy += a.status == 503 ? 1 : 0;
        assert_true(a.status == 200 || a.status == 503);
        (void)close(fds[i]);
    }
    assert_true(busy <= 4);
}

static void
test_caps_are_told(void **state)
{
    struct http_limits limits = http_limits_default();
    int fds[8];
    struct answer a;

    (void)state;
    limits.connections_per_pid = 4;
    limits.connections_tcp = 1;
    server_set_limits(served.server, &limits);
    for (int i = 0; i < 4; i++) {
        fds[i] = serve_connect_as(HTTP_TASK, 5);
    }
    fds[4] = serve_connect_as(HTTP_TASK, 5);
    serve_read(fds[4], &a);
    assert_code(&a, 503, "busy");
    assert_non_null(strstr(a.body, "of this process"));
    assert_true(serve_is_closed(fds[4]));
    fds[5] = serve_connect_as(HTTP_TASK, 6);
    serve_send(fds[5], "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", 43);
    serve_read(fds[5], &a);
    assert_int_equal(a.status, 200);
    fds[6] = serve_connect_as(HTTP_TCP, 0);
    fds[7] = serve_connect_as(HTTP_TCP, 0);
    serve_read(fds[7], &a);
    assert_code(&a, 503, "busy");
    for (int i = 0; i < 8; i++) {
        (void)close(fds[i]);
    }
}

/* Who answers on a connection. */
static pthread_t
thread_of(int fd)
{
    struct answer a;

    serve_send(fd, "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", 43);
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    return atomic_load(&served.plain_thread);
}

static void
test_a_process_has_one_worker(void **state)
{
    pthread_t threads[8];
    int fds[8];

    (void)state;
    for (int i = 0; i < 8; i++) {
        fds[i] = serve_connect_as(HTTP_TASK, 301 + i / 4);
        threads[i] = thread_of(fds[i]);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_equal(threads[0], threads[i]) != 0, i < 4);
        assert_int_equal(pthread_equal(threads[7], threads[i]) != 0, i >= 4);
        (void)close(fds[i]);
    }
}

static void
test_a_spare_is_kept_for_the_admin_socket(void **state)
{
    struct http_limits limits = http_limits_default();
    int fds[16];
    struct answer a;

    (void)state;
    limits.connections = 16;
    limits.admin_spare = 4;
    server_set_limits(served.server, &limits);
    for (int i = 0; i < 12; i++) {
        fds[i] = serve_connect_as(HTTP_TASK, 100 + i);
    }
    fds[12] = serve_connect_as(HTTP_TASK, 200);
    serve_read(fds[12], &a);
    assert_code(&a, 503, "busy");
    fds[13] = serve_connect_as(HTTP_ADMIN, 201);
    serve_send(fds[13], "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", 43);
    serve_read(fds[13], &a);
    assert_int_equal(a.status, 200);
    for (int i = 0; i < 14; i++) {
        (void)close(fds[i]);
    }
}

static void
test_drain_finishes_what_is_under_way(void **state)
{
    static const char WAIT[] = "POST /v1/wait HTTP/1.1\r\n" HOST "\r\n";
    static const char PLAIN[] = "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n";
    struct http_limits limits = http_limits_default();
    struct answer a;
    int under_way = serve_connect(HTTP_ADMIN);
    int kept = serve_connect(HTTP_ADMIN);

    (void)state;
    limits.drain_s = 0;
    server_set_limits(served.server, &limits);
    serve_send(kept, PLAIN, strlen(PLAIN));
    serve_read(kept, &a);
    (void)pthread_mutex_lock(&served.gate);
    serve_send(under_way, WAIT, strlen(WAIT));
    /* Until it is under way for sure. */
    while (atomic_load(&served.admitted) < 2) {
        (void)poll(NULL, 0, 1);
    }
    server_drain(served.server);
    serve_send(kept, PLAIN, strlen(PLAIN));
    serve_read(kept, &a);
    assert_code(&a, 503, "busy");
    assert_non_null(strstr(a.head, "Connection: close"));
    (void)pthread_mutex_unlock(&served.gate);
    serve_read(under_way, &a);
    assert_int_equal(a.status, 200);
    (void)close(under_way);
    (void)close(kept);
}

static void
test_idle_connection_is_closed(void **state)
{
    struct http_limits limits = http_limits_default();
    int fd;

    (void)state;
    serve_end();
    limits.idle_s = 1;
    serve_start(&limits);
    fd = serve_connect(HTTP_ADMIN);
    assert_true(serve_is_closed(fd));
    (void)close(fd);
}

static void
test_metrics_count(void **state)
{
    struct buf out;
    struct answer a;

    (void)state;
    serve_ask(HTTP_ADMIN, "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    buf_init(&out, 4096, BUF_PLAIN);
    assert_int_equal(server_metrics(served.server, &out), AG_OK);
    assert_non_null(strstr(buf_cstr(&out),
                           "auth_guard_http_answers_total{class=\"2xx\"} 1"));
    buf_done(&out);
}

static void
test_refused_tokens_are_rate_limited(void **state)
{
    static const char REQUEST[] =
        "GET /v1/plain HTTP/1.1\r\n" HOST "X-Vault-Token: agt_x\r\n\r\n";
    struct http_limits limits = http_limits_default();
    struct answer a;

    (void)state;
    limits.bad_tokens_per_minute = 3;
    server_set_limits(served.server, &limits);
    atomic_store(&served.admit_err, AG_ENOTOKEN);
    for (int i = 0; i < 3; i++) {
        serve_ask(HTTP_ADMIN, REQUEST, &a);
        assert_code(&a, 401, "token_unknown");
    }
    serve_ask(HTTP_ADMIN, REQUEST, &a);
    assert_code(&a, 429, "rate_limited");
    serve_ask(HTTP_ADMIN, "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, serve_setup, serve_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client_that_leaves_while_its_request_is_away),
        TEST(test_slow_queue_is_bounded_and_does_not_hold_up_reads),
        TEST(test_caps_are_told),
        TEST(test_a_process_has_one_worker),
        TEST(test_a_spare_is_kept_for_the_admin_socket),
        TEST(test_drain_finishes_what_is_under_way),
        TEST(test_idle_connection_is_closed),
        TEST(test_metrics_count),
        TEST(test_refused_tokens_are_rate_limited),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
