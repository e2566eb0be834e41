/* The strict layer's bounds: sizes, Host on TCP, slow and silent clients, and
 * that a refusal is read although more was sent. */
#include "unit/http/serve.h"

enum {
    FILLER_BYTES = 40000, /* more than any head may have */
};

#define HOST "Host: localhost\r\n"
#define GET  "GET /v1/plain HTTP/1.1\r\n"
#define PUT  "PUT /v1/echo HTTP/1.1\r\n" HOST

/* Half-closes, as a client does that has nothing more to say. */
static void
expect_end(int fd)
{
    (void)shutdown(fd, SHUT_WR);
    assert_true(serve_is_closed(fd));
    (void)close(fd);
}

static void
send_filled(int fd, const char *start, const char *filler, size_t times,
            const char *end)
{
    serve_send(fd, start, strlen(start));
    for (size_t i = 0; i < times; i++) {
        serve_send(fd, filler, strlen(filler));
    }
    serve_send(fd, end, strlen(end));
}

static void
test_oversized_heads(void **state)
{
    struct answer a;
    int fd;

    (void)state;
    fd = serve_connect(HTTP_ADMIN);
    send_filled(fd, GET HOST, "X-A: b\r\n", HTTP_HEADERS_MAX_COUNT + 1, "\r\n");
    serve_read(fd, &a);
    assert_code(&a, 431, "head_too_large");
    expect_end(fd);

    fd = serve_connect(HTTP_ADMIN);
    send_filled(fd, GET HOST, "X-A: b\r\n", HTTP_HEADERS_MAX_COUNT - 1, "\r\n");
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);

    fd = serve_connect(HTTP_ADMIN);
    send_filled(fd, GET HOST "X-A: ", "a", FILLER_BYTES, "\r\n\r\n");
    serve_read(fd, &a);
    assert_code(&a, 431, "head_too_large");
    expect_end(fd);

    fd = serve_connect(HTTP_ADMIN);
    send_filled(fd, GET HOST "X-A: ", "a", HTTP_HEAD_MAX_BYTES - 100,
                "\r\n\r\n");
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);

    fd = serve_connect(HTTP_ADMIN);
    send_filled(fd, "GET /", "a", FILLER_BYTES, " HTTP/1.1\r\n" HOST "\r\n");
    serve_read(fd, &a);
    assert_code(&a, 431, "head_too_large");
    expect_end(fd);

    fd = serve_connect(HTTP_ADMIN);
    send_filled(fd, "GET /", "a", HTTP_TARGET_MAX_BYTES - 1,
                " HTTP/1.1\r\n" HOST "\r\n");
    serve_read(fd, &a);
    assert_code(&a, 404, "not_found");
    (void)close(fd);
}

static void
ask_host(const char *host, struct answer *a)
{
    char request[256];

    (void)snprintf(request, sizeof(request), GET "Host: %s\r\n\r\n", host);
    serve_ask(HTTP_TCP, request, a);
}

static void
test_host_on_tcp(void **state)
{
    static const char *const WRONG[] = {
        "127.0.0.1",       "localhost",           "127.0.0.1:4712",
        "127.0.0.1:80",    "evil.example:4711",   "127.0.0.1.evil.example:4711",
        "localhost:04711", "localhost:4711:4711", "[::1]:4711",
        "127.1:4711",      "0.0.0.0:4711",        "localhost.:4711",
    };
    struct answer a;

    (void)state;
    ask_host("127.0.0.1:4711", &a);
    assert_int_equal(a.status, 200);
    ask_host("LocalHost:4711", &a);
    assert_int_equal(a.status, 200);
    for (size_t i = 0; i < AG_COUNT(WRONG); i++) {
        ask_host(WRONG[i], &a);
        assert_code(&a, 403, "denied");
    }
}

static void
test_slow_head_is_cut(void **state)
{
    struct http_limits limits = http_limits_default();
    struct answer a = {0};
    int fd;

    (void)state;
    limits.request_s = 1;
    server_set_limits(served.server, &limits);
    fd = serve_connect(HTTP_ADMIN);
    /* Never idle, and yet never done. */
    for (int i = 0; i < 600; i++) { /* a minute */
        struct pollfd readable = {.fd = fd, .events = POLLIN};

        serve_send(fd, i == 0 ? GET "X: " : "a", i == 0 ? 27 : 1);
        if (poll(&readable, 1, 100) > 0) {
            break;
        }
    }
    serve_read(fd, &a);
    assert_code(&a, 408, "request_timeout");
    expect_end(fd);
}

static void
test_refusal_is_read_although_more_was_sent(void **state)
{
    static char filler[256 * 1024];
    struct answer a;
    int fd = serve_connect(HTTP_ADMIN);

    (void)state;
    memset(filler, 'x', sizeof(filler));
    serve_send(fd, PUT "Content-Length: 999999\r\n\r\n",
               strlen(PUT "Content-Length: 999999\r\n\r\n"));
    serve_send(fd, filler, sizeof(filler));
    serve_read(fd, &a);
    assert_code(&a, 413, "limit");
    expect_end(fd);
}

static void
test_connection_that_sends_nothing_holds_up_nobody(void **state)
{
    struct answer a;
    int silent[32];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(silent); i++) {
        silent[i] = serve_connect(HTTP_TASK);
        serve_send(silent[i], "GE", i % 3);
    }
    serve_ask(HTTP_ADMIN, GET HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    for (size_t i = 0; i < AG_COUNT(silent); i++) {
        (void)close(silent[i]);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, serve_setup, serve_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_oversized_heads),
        TEST(test_host_on_tcp),
        TEST(test_slow_head_is_cut),
        TEST(test_refusal_is_read_although_more_was_sent),
        TEST(test_connection_that_sends_nothing_holds_up_nobody),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
