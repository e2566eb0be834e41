/* The strict machine where a client takes us for its proxy: absolute targets,
 * and a Host that is the target's. */
#include <string.h>

#include "common/check.h"
#include "http/intake.h"

static enum ag_err
feed(const char *authority, const char *text)
{
    struct intake in;
    size_t whole = 0;
    size_t ended = 0;
    enum ag_err err = AG_OK;

    intake_init_proxy(&in, authority);
    for (size_t i = 0; text[i] != '\0' && err == AG_OK; i++) {
        err = intake_feed(&in, span_of(text + i, 1), &whole, &ended);
    }
    if (err == AG_OK) {
        assert_false(intake_is_midway(&in));
    }
    return err;
}

static void
test_absolute_targets(void **state)
{
    static const char *const GOOD[] = {
        "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET http://example.org/a?b HTTP/1.1\r\nHost: EXAMPLE.org:80\r\n\r\n",
        "GET http://example.org:80/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET http://x.y:8080/ HTTP/1.1\r\nHost: x.y:8080\r\n\r\n",
        "GET http://[::1]:8080/ HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
        /* Each request says its own host. */
        "GET http://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n"
        "GET http://c.d/ HTTP/1.1\r\nHost: c.d\r\n\r\n",
        "POST http://a.b/ HTTP/1.1\r\nHost: a.b\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    /* The second of two on one connection, whose Host is the first one's. */
    static const char TWO_HOSTS[] =
        "GET http://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n"
        "GET http://c.d/ HTTP/1.1\r\nHost: a.b\r\n\r\n";
    static const char *const BAD[] = {
        "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET /p/example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET http://example.org HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET http:///a HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET http:/a HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET https://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET HTTP://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET ftp://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET http://u@a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET http://a.b?c/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET http://a%2eb/ HTTP/1.1\r\nHost: a%2eb\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nHost: a.b:8080\r\n\r\n",
        "GET http://a.b:8080/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET http://a.b:443/ HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nHost: b.b\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nHost: a.bc\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nHost: a.b\r\nHost: a.b\r\n\r\n",
        TWO_HOSTS,
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(feed(NULL, GOOD[i]));
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(feed(NULL, BAD[i]), AG_EHTTP);
    }
}

static void
test_all_for_one_host(void **state)
{
    static const char TWO[] =
        "GET /a HTTP/1.1\r\nHost: Example.org\r\n\r\n"
        "GET /b HTTP/1.1\r\nHost: example.org:443\r\n\r\n";
    static const char SECOND_WRONG[] =
        "GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n"
        "GET /b HTTP/1.1\r\nHost: evil.net\r\n\r\n";

    (void)state;
    check_ok(feed("example.org", TWO));
    check_err(feed("example.org", SECOND_WRONG), AG_EHTTP);
    check_err(feed("example.org:8443", TWO), AG_EHTTP);
    check_ok(feed("example.org:8443",
                  "GET /a HTTP/1.1\r\nHost: example.org:8443\r\n\r\n"));
    check_err(feed("example.org", "GET http://example.org/ HTTP/1.1\r\n"
                                  "Host: example.org\r\n\r\n"),
              AG_EHTTP);
    check_err(feed("example.org", "GET /a HTTP/1.1\r\n\r\n"), AG_EHTTP);
    check_err(
        feed("example.org", "GET /a HTTP/1.1\r\nHost: a.example.org\r\n\r\n"),
        AG_EHTTP);
}

/* A host that ends early for who reads it as a C string. */
static void
test_a_nul_is_in_no_host(void **state)
{
    static const char TEXT[] =
        "GET http://a.b\0.evil/ HTTP/1.1\r\nHost: a.b\r\n\r\n";
    struct intake in;
    size_t whole = 0;
    size_t ended = 0;

    (void)state;
    intake_init_proxy(&in, NULL);
    check_err(intake_feed(&in, span_of(TEXT, sizeof(TEXT) - 1), &whole, &ended),
              AG_EHTTP);
    assert_int_equal(ended, 0);
}

/* Nor is the host of one request that of the next. */
static void
test_each_request_says_its_host(void **state)
{
    (void)state;
    check_err(feed(NULL, "GET http://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n"
                         "GET http:///x HTTP/1.1\r\nHost: a.b\r\n\r\n"),
              AG_EHTTP);
    check_err(feed(NULL, "GET http:///x HTTP/1.1\r\nHost: :80\r\n\r\n"),
              AG_EHTTP);
}

static void
test_a_host_has_a_limit(void **state)
{
    char text[HTTP_HOST_MAX_BYTES + 64];
    int head = snprintf(text, sizeof(text), "GET http://");

    (void)state;
    memset(text + head, 'a', HTTP_HOST_MAX_BYTES + 1);
    text[head + HTTP_HOST_MAX_BYTES + 1] = '\0';
    check_err(feed(NULL, text), AG_EHTTP);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absolute_targets),
        cmocka_unit_test(test_all_for_one_host),
        cmocka_unit_test(test_a_nul_is_in_no_host),
        cmocka_unit_test(test_each_request_says_its_host),
        cmocka_unit_test(test_a_host_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
