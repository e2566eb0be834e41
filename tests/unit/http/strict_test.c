/* What libmicrohttpd lets through and we refuse: every case whole, byte by
 * byte and behind a good request, each with its own problem and no handler
 * called for it. */
#include "http/gate.h"
#include "unit/http/serve.h"

struct bad_request {
    const char *name;
    const char *text;
    size_t len; /* 0: strlen */
    int status;
    const char *code;
    const char *says; /* part of the sentence */
};

#define HOST          "Host: localhost\r\n"
#define GET           "GET /v1/plain HTTP/1.1\r\n"
#define PUT           "PUT /v1/echo HTTP/1.1\r\n" HOST
#define BODY          "Content-Type: application/json\r\nContent-Length: 13\r\n"
#define JSON          "{\"value\":\"x\"}"
#define NUL_VALUE_LEN (sizeof(GET HOST "X-A: a\0b\r\n\r\n") - 1)

static const struct bad_request BAD[] = {
    /* lengths and encodings */
    {"length and chunked", PUT BODY "Transfer-Encoding: chunked\r\n\r\n" JSON,
     0, 411, "length_required", "Transfer-Encoding"},
    {"chunked alone", PUT "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 411,
     "length_required", "Transfer-Encoding"},
    {"unknown encoding", PUT "Transfer-Encoding: foo\r\n\r\n", 0, 411,
     "length_required", "Transfer-Encoding"},
    {"encoding identity", PUT "transfer-encoding: identity\r\n\r\n", 0, 411,
     "length_required", "Transfer-Encoding"},
    {"packed body", PUT BODY "Content-Encoding: gzip\r\n\r\n" JSON, 0, 415,
     "unsupported_media", "Content-Encoding"},
    {"two lengths", PUT BODY "Content-Length: 5\r\n\r\n" JSON, 0, 400,
     "bad_request", "content-length comes twice"},
    {"the same length twice", PUT BODY "content-LENGTH: 13\r\n\r\n" JSON, 0,
     400, "bad_request", "comes twice"},
    {"a list of lengths", PUT "Content-Length: 13, 13\r\n\r\n" JSON, 0, 400,
     "bad_request", "one plain number"},
    {"signed length", PUT "Content-Length: +13\r\n\r\n" JSON, 0, 400,
     "bad_request", "one plain number"},
    {"negative length", PUT "Content-Length: -1\r\n\r\n", 0, 400, "bad_request",
     "one plain number"},
    {"hex length", PUT "Content-Length: 0xd\r\n\r\n" JSON, 0, 400,
     "bad_request", "one plain number"},
    {"leading zero", PUT "Content-Length: 013\r\n\r\n" JSON, 0, 400,
     "bad_request", "one plain number"},
    {"empty length", PUT "Content-Length:\r\n\r\n", 0, 400, "bad_request",
     "one plain number"},
    {"a blank behind a length", PUT "Content-Length: 13 \r\n\r\n" JSON, 0, 400,
     "bad_request", "one plain number"},
    {"a tab behind a length", PUT "Content-Length: 13\t\r\n\r\n" JSON, 0, 400,
     "bad_request", "one plain number"},
    {"huge length", PUT "Content-Length: 99999999999999999999\r\n\r\n", 0, 400,
     "bad_request", "one plain number"},
    {"length over the limit", PUT "Content-Length: 262145\r\n\r\n", 0, 413,
     "limit", "larger than"},
    {"body of a GET", GET HOST "Content-Length: 3\r\n\r\nabc", 0, 400,
     "bad_request", "a body where the method has none"},
    {"body of a HEAD",
     "HEAD /v1/plain HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 0, 400,
     "bad_request", "a body where the method has none"},

    /* host */
    {"no host", GET "\r\n", 0, 400, "bad_request", "Host is missing"},
    {"two hosts", GET HOST HOST "\r\n", 0, 400, "bad_request",
     "host comes twice"},
    {"empty host", GET "Host:\r\n\r\n", 0, 400, "bad_request", "Host is not"},
    {"host with a path", GET "Host: a/b\r\n\r\n", 0, 400, "bad_request",
     "Host is not"},
    {"host with a user", GET "Host: a@b\r\n\r\n", 0, 400, "bad_request",
     "Host is not"},

    /* line ends and lines */
    {"bare LF after the request line",
     "GET /v1/plain HTTP/1.1\nHost: a\r\n\r\n", 0, 400, "bad_request", "CR LF"},
    {"bare LF after a header", GET "Host: a\n\r\n", 0, 400, "bad_request",
     "LF without CR"},
    {"bare LF as the last line", GET HOST "\n", 0, 400, "bad_request",
     "header's name"},
    {"bare CR in a value", GET HOST "X-A: a\rb\r\n\r\n", 0, 400, "bad_request",
     "CR without its LF"},
    {"bare CR for the last line", GET HOST "\rX", 0, 400, "bad_request",
     "CR without its LF"},
    {"folded line", GET HOST "X-A: a\r\n b\r\n\r\n", 0, 400, "bad_request",
     "folded"},
    {"folded by a tab", GET HOST "X-A: a\r\n\tb\r\n\r\n", 0, 400, "bad_request",
     "folded"},
    {"blank before the first header",
     "GET /v1/plain HTTP/1.1\r\n Host: a\r\n\r\n", 0, 400, "bad_request",
     "folded"},
    {"empty line first", "\r\n" GET HOST "\r\n", 0, 400, "bad_request",
     "no method"},
    {"line without a colon", GET HOST "X-A\r\n\r\n", 0, 400, "bad_request",
     "header's name"},
    {"empty name", GET HOST ": a\r\n\r\n", 0, 400, "bad_request",
     "header's name"},
    {"blank before the colon", GET HOST "Authorization : Bearer agt_x\r\n\r\n",
     0, 400, "bad_request", "header's name"},
    {"tab before the colon", GET HOST "Content-Length\t: 3\r\n\r\n", 0, 400,
     "bad_request", "header's name"},
    {"high byte in a name", GET HOST "X-\xc3\xa4: a\r\n\r\n", 0, 400,
     "bad_request", "header's name"},
    {"NUL in a value", GET HOST "X-A: a\0b\r\n\r\n", NUL_VALUE_LEN, 400,
     "bad_request", "control byte"},
    {"NUL in a name", GET HOST "X\0A: b\r\n\r\n",
     sizeof(GET HOST "X\0A: b\r\n\r\n") - 1, 400, "bad_request",
     "header's name"},
    {"escape byte in a value", GET HOST "X-A: \x1b[0m\r\n\r\n", 0, 400,
     "bad_request", "control byte"},
    {"DEL in a value", GET HOST "X-A: \x7f\r\n\r\n", 0, 400, "bad_request",
     "control byte"},

    /* credentials */
    {"two Authorization",
     GET HOST "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", 0,
     400, "bad_request", "authorization comes twice"},
    {"two X-Vault-Token",
     GET HOST "X-Vault-Token: a\r\nX-Vault-Token: a\r\n\r\n", 0, 400,
     "bad_request", "x-vault-token comes twice"},
    {"both kinds of credentials",
     GET HOST "X-Vault-Token: a\r\nAuthorization: Bearer a\r\n\r\n", 0, 400,
     "bad_request", "both"},
    {"two Content-Type", PUT BODY "Content-Type: text/plain\r\n\r\n" JSON, 0,
     400, "bad_request", "content-type comes twice"},
    {"Expect of something else", PUT BODY "Expect: the-best\r\n\r\n" JSON, 0,
     400, "bad_request", "Expect"},

    /* request line */
    {"%00 in the path", "GET /v1/pl%00ain HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "%00"},
    {"%00 in the query", "GET /v1/plain?a=%00 HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "%00"},
    {"NUL in the path", "GET /v1/pl\0ain HTTP/1.1\r\n" HOST "\r\n",
     sizeof("GET /v1/pl\0ain HTTP/1.1\r\n" HOST "\r\n") - 1, 400, "bad_request",
     "must be escaped"},
    {"cut escape", "GET /v1/plain% HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "hex digits"},
    {"escape that is none", "GET /v1/%zz HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "hex digits"},
    {"absolute-form", "GET http://localhost/v1/plain HTTP/1.1\r\n" HOST "\r\n",
     0, 400, "bad_request", "beginning with '/'"},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "beginning with '/'"},
    {"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n", 0, 405,
     "method_not_allowed", "CONNECT"},
    {"CONNECT of a path", "CONNECT /v1/plain HTTP/1.1\r\n" HOST "\r\n", 0, 405,
     "method_not_allowed", "CONNECT"},
    {"fragment", "GET /v1/plain#x HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "must be escaped"},
    {"backslash", "GET /v1\\plain HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "must be escaped"},
    {"high byte in the path", "GET /v1/\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 0,
     400, "bad_request", "must be escaped"},
    {"HTTP/1.0", "GET /v1/plain HTTP/1.0\r\n\r\n", 0, 400, "bad_request",
     "HTTP/1.1"},
    {"HTTP/2.0", "GET /v1/plain HTTP/2.0\r\n" HOST "\r\n", 0, 400,
     "bad_request", "HTTP/1.1"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 400,
     "bad_request", "beginning with '/'"},
    {"lower-case version", "GET /v1/plain http/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "HTTP/1.1"},
    {"no version", "GET /v1/plain\r\n" HOST "\r\n", 0, 400, "bad_request",
     "must be escaped"},
    {"two blanks", "GET  /v1/plain HTTP/1.1\r\n" HOST "\r\n", 0, 400,
     "bad_request", "beginning with '/'"},
    {"blank at the end", "GET /v1/plain HTTP/1.1 \r\n" HOST "\r\n", 0, 400,
     "bad_request", "HTTP/1.1"},
    {"no method", " /v1/plain HTTP/1.1\r\n" HOST "\r\n", 0, 400, "bad_request",
     "no method"},
    {"long method", "AAAAAAAAAAAAAAAAA /v1/plain HTTP/1.1\r\n" HOST "\r\n", 0,
     400, "bad_request", "method is too long"},
    {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, 400,
     "bad_request", "no method"},
    {"long name",
     GET HOST
     "Xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     ": b\r\n\r\n",
     0, 431, "head_too_large", "name is longer"},
};

static size_t
length_of(const struct bad_request *bad)
{
    return bad->len != 0 ? bad->len : strlen(bad->text);
}

static void
check(const struct bad_request *bad, const struct answer *a, const char *how)
{
    if (a->status != bad->status || strstr(a->body, bad->code) == NULL ||
        strstr(a->body, bad->says) == NULL) {
        fail_msg("%s (%s): wanted %d %s (%s), got %d %s", bad->name, how,
                 bad->status, bad->code, bad->says, a->status, a->body);
    }
    assert_non_null(strstr(a->head, "application/problem+json"));
    assert_non_null(strstr(a->head, "Connection: close"));
}

/* Half-closes, as a client does that has nothing more to say. */
static void
expect_end(int fd)
{
    (void)shutdown(fd, SHUT_WR);
    assert_true(serve_is_closed(fd));
    (void)close(fd);
}

static void
test_each_is_refused_whole(void **state)
{
    struct answer a;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        int fd = serve_connect(HTTP_ADMIN);

        serve_send(fd, BAD[i].text, length_of(&BAD[i]));
        serve_read(fd, &a);
        check(&BAD[i], &a, "whole");
        expect_end(fd);
    }
    assert_int_equal(atomic_load(&served.calls), 0);
}

static void
test_each_is_refused_byte_by_byte(void **state)
{
    struct answer a;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        int fd = serve_connect(HTTP_ADMIN);

        for (size_t n = 0; n < length_of(&BAD[i]); n++) {
            serve_send(fd, BAD[i].text + n, 1);
            if (n % 16 == 15) {
                (void)poll(NULL, 0, 0); /* lets the server have some */
            }
        }
        serve_read(fd, &a);
        check(&BAD[i], &a, "byte by byte");
        expect_end(fd);
    }
    assert_int_equal(atomic_load(&served.calls), 0);
}

/* The good one is answered first, whatever is behind it. */
static void
test_each_is_refused_behind_a_good_request(void **state)
{
    static const char GOOD[] =
        "POST /v1/write HTTP/1.1\r\n" HOST BODY "\r\n" JSON;
    static char text[2048];
    struct answer a;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        int fd = serve_connect(HTTP_ADMIN);
        size_t len = length_of(&BAD[i]);

        memcpy(text, GOOD, sizeof(GOOD) - 1);
        assert_true(sizeof(GOOD) + len < sizeof(text));
        memcpy(text + sizeof(GOOD) - 1, BAD[i].text, len);
        serve_send(fd, text, sizeof(GOOD) - 1 + len);
        serve_read(fd, &a);
        if (a.status != 200) {
            fail_msg("%s: the request before it got %d %s", BAD[i].name,
                     a.status, a.body);
        }
        serve_read(fd, &a);
        check(&BAD[i], &a, "behind a good one");
        expect_end(fd);
    }
    assert_int_equal(atomic_load(&served.calls), AG_COUNT(BAD));
}

static void
test_smuggled_request_is_not_run(void **state)
{
    static const char *const SMUGGLED[] = {
        PUT BODY "Content-Length: 0\r\n\r\n" GET HOST "\r\n",
        PUT BODY "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET HOST "\r\n",
        GET HOST "Content-Length: 43\r\n\r\n" GET HOST "\r\n",
        GET HOST "X: y\nGET /v1/plain HTTP/1.1\r\n" HOST "\r\n",
    };
    struct answer a;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(SMUGGLED); i++) {
        int fd = serve_connect(HTTP_TASK);

        serve_send(fd, SMUGGLED[i], strlen(SMUGGLED[i]));
        serve_read(fd, &a);
        assert_true(a.status >= 400);
        expect_end(fd);
    }
    assert_int_equal(atomic_load(&served.calls), 0);
}

static void
test_good_request_split_at_every_byte(void **state)
{
    static const char TEXT[] = PUT BODY "\r\n" JSON;
    struct answer a;

    (void)state;
    for (size_t at = 1; at < sizeof(TEXT) - 1; at++) {
        int fd = serve_connect(HTTP_ADMIN);

        serve_send(fd, TEXT, at);
        (void)poll(NULL, 0, 0);
        serve_send(fd, TEXT + at, sizeof(TEXT) - 1 - at);
        serve_read(fd, &a);
        assert_int_equal(a.status, 200);
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&served.calls), sizeof(TEXT) - 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, serve_setup, serve_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_is_refused_whole),
        TEST(test_each_is_refused_byte_by_byte),
        TEST(test_each_is_refused_behind_a_good_request),
        TEST(test_smuggled_request_is_not_run),
        TEST(test_good_request_split_at_every_byte),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
