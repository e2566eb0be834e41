/* The HTTP client against a server that answers from a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "client.h"
#include "fake_broker.h"
#include "wire/json.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct fake_route ROUTES[] = {
    {"GET /v1/plain", "{\"a\":1}"},
    {"POST /v1/echo", "{\"got\":true}"},
    {"GET /v1/secret", "{\"value\":\"s3cret\"}"},
    {"GET /v1/locked", "{\"code\":\"locked\",\"detail\":\"the vault sleeps\"}"},
    {"GET /v1/unknown-code", "{\"code\":\"never-heard-of\"}"},
    {"GET /v1/ok-as-error",
     "HTTP/1.1 500 X\r\nContent-Length: 13\r\n\r\n{\"code\":\"ok\"}"},
    {"GET /v1/empty", "HTTP/1.1 204 No Content\r\n\r\n"},
    {"GET /v1/no-length", OK_HEAD "\r\n{}"},
    {"GET /v1/two-lengths",
     OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"},
    {"GET /v1/chunked",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
    {"GET /v1/too-long", OK_HEAD "Content-Length: 99999999999\r\n\r\n"},
    {"GET /v1/goes-on", OK_HEAD "Content-Length: 2\r\n\r\n{}more"},
    {"GET /v1/not-json", OK_HEAD "Content-Length: 2\r\n\r\n{["},
    {"GET /v1/old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
    {"GET /v1/continue", "HTTP/1.1 100 C\r\n\r\n"},
    {"GET /v1/slow", OK_HEAD},
    {"GET /v1/closing",
     OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\n{}"},
    {NULL, NULL},
};

static struct fake broker;
static char socket_path[128];

static enum ag_err
get(struct client *c, const char *path, json_t **ret)
{
    return client_call(c,
                       &(struct client_request){
                           .method = "GET", .path = path, .timeout_ms = 500},
                       ret);
}

static struct client *
connected(void)
{
    struct client *c = NULL;

    assert_int_equal(client_open(socket_path, &c), AG_OK);
    return c;
}

static void
test_calls_share_a_connection(void **state)
{
    struct client *c = connected();
    json_t *answer = NULL;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(c, "/v1/plain", &answer), AG_OK);
        assert_int_equal(json_integer_value(json_object_get(answer, "a")), 1);
        json_decref(answer);
    }
    assert_int_equal(get(c, "/v1/empty", &answer), AG_OK);
    json_decref(answer);
    client_close(c);
}

static void
test_closed_connection_is_opened_again(void **state)
{
    struct client *c = connected();

    (void)state;
    assert_int_equal(get(c, "/v1/closing", NULL), AG_OK);
    assert_int_equal(get(c, "/v1/plain", NULL), AG_OK);
    client_close(c);
}

/* A broker that hangs up on who says nothing for long, as while a passphrase
 * is typed; the next caller it answers. */
static void
hang_up_once(int listener, int told)
{
    static const char answer[] = OK_HEAD "Content-Length: 7\r\n\r\n{\"a\":1}";
    char request[512];
    int sock = accept(listener, NULL, NULL);

    close(sock);
    (void)!write(told, "", 1);
    sock = accept(listener, NULL, NULL);
    (void)!read(sock, request, sizeof(request));
    (void)!write(sock, answer, sizeof(answer) - 1);
    _exit(0);
}

static void
test_connection_closed_before_its_first_use_is_opened_again(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct client *c = NULL;
    int told[2];
    char byte;
    int status;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    (void)state;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/idle.sock", broker.dir);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(pipe(told), 0);
    pid = fork();
    if (pid == 0) {
        hang_up_once(listener, told[1]);
    }
    assert_int_equal(client_open(at.sun_path, &c), AG_OK);
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(get(c, "/v1/plain", NULL), AG_OK);
    client_close(c);
    close(listener);
    close(told[0]);
    close(told[1]);
    (void)unlink(at.sun_path);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void
test_request_carries_token_and_body(void **state)
{
    struct client *c = connected();
    json_t *body = json_pack("{s:s}", "name", "x");
    struct client_request rq = {
        .method = "POST", .path = "/v1/echo", .token = "agt_abc", .body = body};

    (void)state;
    assert_int_equal(client_call(c, &rq, NULL), AG_OK);
    assert_non_null(strstr(fake_file(&broker, "log"), "{\"name\":\"x\"}"));
    json_decref(body);
    client_close(c);
}

static void
test_secret_answers_lie_in_the_arena(void **state)
{
    struct client *c = connected();
    struct secret *answer = NULL;
    struct client_request rq = {.method = "GET", .path = "/v1/secret"};

    (void)state;
    assert_int_equal(client_call_secret(c, &rq, &answer), AG_OK);
    assert_true(span_is(secret_view(answer), "{\"value\":\"s3cret\"}"));
    secret_free(answer);
    rq.path = "/v1/locked";
    assert_int_equal(client_call_secret(c, &rq, &answer), AG_ELOCKED);
    assert_int_equal(secret_arena_used_bytes(), 0);
    client_close(c);
}

static void
test_problems_become_errors(void **state)
{
    struct client *c = connected();

    (void)state;
    assert_int_equal(get(c, "/v1/locked", NULL), AG_ELOCKED);
    assert_string_equal(err_text(AG_ELOCKED), "the vault sleeps");
    assert_int_equal(get(c, "/v1/unknown-code", NULL), AG_EINTERNAL);
    assert_int_equal(get(c, "/v1/ok-as-error", NULL), AG_ECORRUPT);
    client_close(c);
}

static void
test_what_is_not_http_is_refused(void **state)
{
    static const char *const bad[] = {
        "/v1/no-length", "/v1/two-lengths", "/v1/chunked",  "/v1/too-long",
        "/v1/goes-on",   "/v1/not-json",    "/v1/continue", "/v1/old"};
    json_t *answer = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct client *c = connected();

        assert_int_equal(get(c, bad[i], &answer), AG_ECORRUPT);
        assert_null(answer);
        client_close(c);
    }
}

static void
test_silence_has_an_end(void **state)
{
    struct client *c = connected();
    int64_t start_ms = clock_steady_ms();

    (void)state;
    assert_int_equal(get(c, "/v1/slow", NULL), AG_ETIMEOUT);
    assert_true(clock_steady_ms() - start_ms >= 500);
    client_close(c);
}

static void
test_nobody_there_is_said(void **state)
{
    struct client *c = NULL;

    (void)state;
    assert_int_equal(client_open("/nonexistent/admin.sock", &c), AG_ENOBROKER);
    assert_int_equal(client_open("", &c), AG_EINVAL);
    assert_null(c);
}

static void
test_paths_are_encoded(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 256, BUF_PLAIN);
    assert_int_equal(
        client_path(&b, "/v1/secrets/%s/value?field=%s", "a/b c", "/x~0?&"),
        AG_OK);
    assert_string_equal(buf_cstr(&b),
                        "/v1/secrets/a%2Fb%20c/value?field=%2Fx~0%3F%26");
    buf_done(&b);
}

static void
test_heads_are_parsed_strictly(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n Content-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n: x\r\n\r\n",
        "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\x01\r\nContent-Length: 0\r\n\r\n",
    };
    struct answer_head head;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(answer_parse(span_str(bad[i]), 100, &head),
                         AG_ECORRUPT);
    }
    assert_int_equal(
        answer_parse(span_str("HTTP/1.1 200 OK\r\ncontent-length:\t5 \r\n"
                              "connection: Close\r\n\r\n"),
                     100, &head),
        AG_OK);
    assert_int_equal(head.body_len, 5);
    assert_true(head.close);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_share_a_connection),
        cmocka_unit_test(test_closed_connection_is_opened_again),
        cmocka_unit_test(
            test_connection_closed_before_its_first_use_is_opened_again),
        cmocka_unit_test(test_request_carries_token_and_body),
        cmocka_unit_test(test_secret_answers_lie_in_the_arena),
        cmocka_unit_test(test_problems_become_errors),
        cmocka_unit_test(test_what_is_not_http_is_refused),
        cmocka_unit_test(test_silence_has_an_end),
        cmocka_unit_test(test_nobody_there_is_said),
        cmocka_unit_test(test_paths_are_encoded),
        cmocka_unit_test(test_heads_are_parsed_strictly),
    };
    int failed;

    wjson_setup();
    if (secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK) {
        return 1;
    }
    fake_dir(&broker);
    snprintf(socket_path, sizeof(socket_path), "%s/admin.sock", broker.dir);
    fake_start(&broker, ROUTES);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_stop(&broker);
    fake_remove(&broker);
    return failed;
}
