/* The HTTP server over raw sockets: routing, rows' demands, threads of work,
 * bodies, limits, life. Malformed requests are in strict_test.c. */
#include "base/fdx.h"
#include "http/gate.h"
#include "unit/http/serve.h"

#define HOST "Host: localhost\r\n"

static void
test_answers_a_plain_request(void **state)
{
    struct answer a;

    (void)state;
    serve_ask(HTTP_ADMIN, "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"ok\":true}");
    assert_non_null(strstr(a.head, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(a.head, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(a.head, "X-Request-Id: req_"));
    assert_null(strstr(a.head, "Access-Control"));
}

static void
test_recv_is_ours(void **state)
{
    (void)state;
    assert_int_equal(gate_check(), AG_OK);
}

static void
test_connection_is_kept(void **state)
{
    static const char REQUEST[] = "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n";
    struct answer a;
    int fd = serve_connect(HTTP_TASK);

    (void)state;
    for (int i = 0; i < 20; i++) {
        serve_send(fd, REQUEST, strlen(REQUEST));
        serve_read(fd, &a);
        assert_int_equal(a.status, 200);
    }
    (void)close(fd);
    assert_int_equal(atomic_load(&served.calls), 20);
}

static void
test_pipelined_requests_are_answered_in_order(void **state)
{
    static const char REQUESTS[] =
        "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n"
        "PUT /v1/echo HTTP/1.1\r\n" HOST
        "Content-Type: application/json\r\nContent-Length: 15\r\n\r\n"
        "{\"value\":\"abc\"}"
        "POST /v1/write HTTP/1.1\r\n" HOST
        "Content-Type: application/json\r\nContent-Length: 16\r\n\r\n"
        "{\"value\":\"abcd\"}"
        "GET /v1/secrets/a%2Fb/value HTTP/1.1\r\n" HOST "\r\n";
    struct answer a;
    int fd = serve_connect(HTTP_TASK);

    (void)state;
    serve_send(fd, REQUESTS, strlen(REQUESTS));
    serve_read(fd, &a);
    assert_string_equal(a.body, "{\"ok\":true}");
    serve_read(fd, &a);
    assert_string_equal(a.body, "{\"bytes\":3,\"count\":1}");
    serve_read(fd, &a);
    assert_string_equal(a.body, "{\"bytes\":4,\"count\":1}");
    serve_read(fd, &a);
    assert_string_equal(a.body,
                        "{\"name\":\"a/b\",\"field\":\"\",\"version\":0}");
    (void)close(fd);
}

static void
test_unknown_path_and_method(void **state)
{
    struct answer a;

    (void)state;
    serve_ask(HTTP_ADMIN, "GET /v1/nothing HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 404, "not_found");
    serve_ask(HTTP_ADMIN, "GET /v1/plain/ HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 404, "not_found");
    serve_ask(HTTP_ADMIN, "DELETE /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 405, "method_not_allowed");
    assert_non_null(strstr(a.head, "Allow: GET\r\n"));
    serve_ask(HTTP_ADMIN, "OPTIONS /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 405, "method_not_allowed");
    assert_non_null(strstr(a.head, "application/problem+json"));
}

static void
test_head_is_refused_without_a_body(void **state)
{
    static const char REQUEST[] =
        "HEAD /v1/plain HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    char answer[2048] = "";
    size_t len = 0;
    int fd = serve_connect(HTTP_ADMIN);

    (void)state;
    serve_send(fd, REQUEST, strlen(REQUEST));
    for (;;) {
        ssize_t n = serve_recv(fd, answer + len, sizeof(answer) - len - 1);

        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    (void)close(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 405 "));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void
test_path_and_query_are_decoded_strictly(void **state)
{
    struct answer a;

    (void)state;
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/codex%2Fdefault/value?field=/tokens/x&version=3"
              " HTTP/1.1\r\n" HOST "\r\n",
              &a);
    assert_string_equal(a.body, "{\"name\":\"codex/default\","
                                "\"field\":\"/tokens/x\",\"version\":3}");
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/codex%2fdefault/value HTTP/1.1\r\n" HOST "\r\n",
              &a);
    assert_code(&a, 400, "invalid");
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/%63odex/value HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 400, "invalid");
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/..%2F..%2Fx/value HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 400, "invalid");
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/a/value?colour=red HTTP/1.1\r\n" HOST "\r\n",
              &a);
    assert_code(&a, 400, "invalid");
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/a/value?version=1&version=2 HTTP/1.1\r\n" HOST
              "\r\n",
              &a);
    assert_code(&a, 400, "invalid");
    serve_ask(HTTP_ADMIN,
              "GET /v1/secrets/a/value?version=x HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 400, "invalid");
    serve_ask(HTTP_ADMIN, "GET /v1/plain?a=b HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 400, "invalid");
}

static void
ask_with_body(const char *path, const char *type, const char *body,
              struct answer *a)
{
    char request[2048];

    (void)snprintf(request, sizeof(request),
                   "%s HTTP/1.1\r\n" HOST "%s%s%sContent-Length: %zu\r\n\r\n%s",
                   path, type != NULL ? "Content-Type: " : "",
                   type != NULL ? type : "", type != NULL ? "\r\n" : "",
                   strlen(body), body);
    serve_ask(HTTP_ADMIN, request, a);
}

static void
test_body_must_fit_its_spec(void **state)
{
    static const char TYPE[] = "application/json";
    struct answer a;

    (void)state;
    ask_with_body("PUT /v1/echo", TYPE, "{\"value\":\"x\",\"count\":3}", &a);
    assert_string_equal(a.body, "{\"bytes\":1,\"count\":3}");
    ask_with_body("PUT /v1/echo", "Application/JSON ; charset=UTF-8",
                  "{\"value\":\"x\"}", &a);
    assert_int_equal(a.status, 200);
    ask_with_body("PUT /v1/echo", TYPE, "{\"count\":3}", &a);
    assert_code(&a, 400, "invalid");
    assert_non_null(strstr(a.body, "value: is missing"));
    ask_with_body("PUT /v1/echo", TYPE, "{\"value\":\"x\",\"count\":0}", &a);
    assert_non_null(strstr(a.body, "count: 0 is below 1"));
    ask_with_body("PUT /v1/echo", TYPE, "{\"value\":\"x\",\"colour\":0}", &a);
    assert_non_null(strstr(a.body, "colour: no such field"));
    ask_with_body("PUT /v1/echo", TYPE, "{\"value\":\"x\",\"value\":\"y\"}",
                  &a);
    assert_code(&a, 400, "invalid");
    ask_with_body("PUT /v1/echo", TYPE, "{\"value\":\"x\"} ", &a);
    assert_int_equal(a.status, 200);
    ask_with_body("PUT /v1/echo", TYPE, "{\"value\":\"x\"}{", &a);
    assert_code(&a, 400, "invalid");
    ask_with_body("PUT /v1/echo", TYPE, "", &a);
    assert_code(&a, 400, "invalid");
    ask_with_body("PUT /v1/echo", "text/plain", "{\"value\":\"x\"}", &a);
    assert_code(&a, 415, "unsupported_media");
    ask_with_body("PUT /v1/echo", NULL, "{\"value\":\"x\"}", &a);
    assert_code(&a, 415, "unsupported_media");
    ask_with_body("POST /v1/fail", TYPE, "{}", &a);
    assert_code(&a, 400, "invalid");
}

static void
test_large_body_arrives_whole(void **state)
{
    enum {
        VALUE_BYTES = 200 * 1024,
    };

    char head[256];
    struct answer a;
    char *body = calloc(1, VALUE_BYTES + 64);
    int fd = serve_connect(HTTP_ADMIN);

    (void)state;
    assert_non_null(body);
    (void)snprintf(body, 64, "{\"value\":\"");
    memset(body + strlen(body), 'x', VALUE_BYTES);
    memcpy(body + strlen(body), "\"}", 3);
    (void)snprintf(head, sizeof(head),
                   "PUT /v1/echo HTTP/1.1\r\n" HOST
                   "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   strlen(body));
    serve_send(fd, head, strlen(head));
    serve_send(fd, body, strlen(body));
    serve_read(fd, &a);
    assert_string_equal(a.body, "{\"bytes\":204800,\"count\":1}");
    (void)close(fd);
    free(body);
}

static void
test_expect_continue(void **state)
{
    static const char HEAD[] =
        "PUT /v1/echo HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
        "Expect: 100-continue\r\n"
        "Content-Length: 13\r\n\r\n";
    struct answer a;
    int fd = serve_connect(HTTP_ADMIN);

    (void)state;
    serve_send(fd, HEAD, strlen(HEAD));
    serve_read(fd, &a);
    assert_int_equal(a.status, 100);
    serve_send(fd, "{\"value\":\"x\"}", 13);
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
}

static void
test_rows_demands(void **state)
{
    static const char OPEN[] = "GET /v1/open HTTP/1.1\r\n" HOST "\r\n";
    static const char OPERATOR[] = "GET /v1/operator HTTP/1.1\r\n" HOST "\r\n";
    static const char PROOF[] = "GET /v1/proof HTTP/1.1\r\n" HOST "\r\n";
    struct answer a;

    (void)state;
    atomic_store(&served.state, VAULT_LOCKED);
    serve_ask(HTTP_ADMIN, OPEN, &a);
    assert_code(&a, 503, "locked");
    atomic_store(&served.state, VAULT_ABSENT);
    serve_ask(HTTP_ADMIN, OPEN, &a);
    assert_code(&a, 503, "no_vault");
    atomic_store(&served.state, VAULT_OPEN);
    serve_ask(HTTP_ADMIN, OPEN, &a);
    assert_int_equal(a.status, 200);

    serve_ask(HTTP_ADMIN, OPERATOR, &a);
    assert_int_equal(a.status, 200);
    serve_ask(HTTP_ADMIN, PROOF, &a);
    assert_code(&a, 403, "proof_required");
    atomic_store(&served.who, CALLER_NEIGHBOUR);
    serve_ask(HTTP_ADMIN, OPERATOR, &a);
    assert_code(&a, 403, "operator_required");
    atomic_store(&served.who, CALLER_TASK);
    serve_ask(HTTP_ADMIN, OPERATOR, &a);
    assert_code(&a, 403, "denied");
    atomic_store(&served.who, CALLER_OTHER);
    serve_ask(HTTP_ADMIN, "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 403, "denied");
    atomic_store(&served.who, CALLER_PROOF);
    serve_ask(HTTP_ADMIN, PROOF, &a);
    assert_int_equal(a.status, 200);

    serve_ask(HTTP_TCP, "GET /v1/unix HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n",
              &a);
    assert_code(&a, 403, "denied");
    serve_ask(HTTP_ADMIN, "GET /v1/token HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 401, "token_unknown");
    assert_non_null(strstr(a.head, "WWW-Authenticate: Bearer"));
}

/* Which requests keep the vault from locking. */
static void
test_what_is_a_use(void **state)
{
    static const char OPEN[] = "GET /v1/open HTTP/1.1\r\n" HOST "\r\n";
    static const char PLAIN[] = "GET /v1/plain HTTP/1.1\r\n" HOST "\r\n";
    static const char WRONG[] = "GET /v1/open?x=1 HTTP/1.1\r\n" HOST "\r\n";

    static const enum caller_class WHO[] = {CALLER_OPERATOR, CALLER_PROOF,
                                            CALLER_TASK};
    struct answer a;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(WHO); i++) {
        atomic_store(&served.who, WHO[i]);
        serve_ask(HTTP_ADMIN, OPEN, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(served.used, i + 1);
        serve_ask(HTTP_ADMIN, PLAIN, &a);
        assert_int_equal(a.status, 200);
        serve_ask(HTTP_ADMIN, WRONG, &a);
        assert_int_equal(a.status, 400);
        assert_int_equal(served.used, i + 1);
    }
    atomic_store(&served.who, CALLER_NEIGHBOUR);
    serve_ask(HTTP_ADMIN, OPEN, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(served.used, AG_COUNT(WHO));
}

static void
test_token_texts(void **state)
{
    struct answer a;

    (void)state;
    atomic_store(&served.admit_err, AG_EEXPIRED);
    serve_ask(HTTP_ADMIN,
              "GET /v1/plain HTTP/1.1\r\n" HOST
              "Authorization: Bearer agt_x\r\n\r\n",
              &a);
    assert_code(&a, 401, "token_expired");
    serve_ask(HTTP_ADMIN,
              "GET /v1/plain HTTP/1.1\r\n" HOST "X-Vault-Token: agt_x\r\n\r\n",
              &a);
    assert_code(&a, 401, "token_expired");
    serve_ask(HTTP_ADMIN,
              "GET /v1/plain HTTP/1.1\r\n" HOST
              "Authorization: Basic abc\r\n\r\n",
              &a);
    assert_code(&a, 401, "token_malformed");
    atomic_store(&served.state, VAULT_LOCKED);
    serve_ask(HTTP_ADMIN,
              "GET /v1/plain HTTP/1.1\r\n" HOST "X-Vault-Token: agt_x\r\n\r\n",
              &a);
    assert_int_equal(a.status, 200);
}

static void
test_work_on_other_threads(void **state)
{
    struct answer a;

    (void)state;
    serve_ask(HTTP_ADMIN, "GET /v1/durable HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    serve_ask(HTTP_ADMIN, "POST /v1/wait HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    serve_ask(HTTP_ADMIN, "POST /v1/slow HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    serve_ask(HTTP_ADMIN, "POST /v1/fail HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_code(&a, 409, "conflict");
    assert_non_null(strstr(a.body, "it is at version 7"));
}

static void
ask_for_value(enum caller_class who, struct answer *a)
{
    atomic_store(&served.who, who);
    serve_ask(HTTP_TASK, "POST /v1/give HTTP/1.1\r\n" HOST "\r\n", a);
}

/* A value is given when the filter has all; if it can't, to a person alone. */
static void
test_a_value_is_given_when_the_filter_has_it(void **state)
{
    struct answer a;

    (void)state;
    ask_for_value(CALLER_TASK, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(served.hides, 0); /* nothing waited */
    atomic_store(&served.must_hide, true);
    ask_for_value(CALLER_TASK, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(served.hides, 1);
    atomic_store(&served.hide_err, AG_EFILTER);
    for (enum caller_class who = CALLER_NEIGHBOUR; who < CALLER_CLASS_COUNT;
         who++) {
        ask_for_value(who, &a);
        if (who == CALLER_OPERATOR || who == CALLER_PROOF) {
            assert_int_equal(a.status, 200);
            assert_string_equal(a.body, "{\"ok\":true}");
        } else if (who != CALLER_SERVICE) { /* that needs a role */
            assert_code(&a, 503, "filter_gone");
            assert_null(strstr(a.body, "\"ok\""));
        }
    }
}

/* What only may be printed later is not refused. */
static void
test_what_is_to_be_hidden_is_answered_all_the_same(void **state)
{
    struct answer a;

    (void)state;
    atomic_store(&served.hide_err, AG_EFILTER);
    serve_ask(HTTP_ADMIN, "POST /v1/hide HTTP/1.1\r\n" HOST "\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(served.hides, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, serve_setup, serve_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers_a_plain_request),
        TEST(test_recv_is_ours),
        TEST(test_connection_is_kept),
        TEST(test_pipelined_requests_are_answered_in_order),
        TEST(test_unknown_path_and_method),
        TEST(test_head_is_refused_without_a_body),
        TEST(test_path_and_query_are_decoded_strictly),
        TEST(test_body_must_fit_its_spec),
        TEST(test_large_body_arrives_whole),
        TEST(test_expect_continue),
        TEST(test_rows_demands),
        TEST(test_what_is_a_use),
        TEST(test_token_texts),
        TEST(test_work_on_other_threads),
        TEST(test_a_value_is_given_when_the_filter_has_it),
        TEST(test_what_is_to_be_hidden_is_answered_all_the_same),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
