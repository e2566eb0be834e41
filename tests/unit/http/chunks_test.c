/* Bodies of requests that are passed on: no limit, chunks read strictly, and
 * only where the socket serves them. */
#include <string.h>

#include "common/check.h"
#include "http/intake.h"

#define HEAD  " HTTP/1.1\r\nHost: x\r\n"
#define CHUNK "Transfer-Encoding: chunked\r\n\r\n"

/* Byte by byte and at once: the same; *ret_ended of the whole. */
static enum ag_err
feed(const char *text, bool may_pass, size_t *ret_ended)
{
    struct intake one;
    struct intake many;
    size_t whole = 0;
    size_t ended = 0;
    size_t sum = 0;
    enum ag_err err = AG_OK;
    enum ag_err at_once;

    intake_init(&one, 0);
    intake_init(&many, 0);
    one.may_pass = may_pass;
    many.may_pass = may_pass;
    at_once = intake_feed(&one, span_str(text), &whole, &ended);
    for (size_t i = 0; err == AG_OK && text[i] != '\0'; i++) {
        size_t some = 0;

        err = intake_feed(&many, span_of(text + i, 1), &whole, &some);
        sum += some;
    }
    assert_int_equal(err, at_once);
    assert_int_equal(sum, ended);
    *ret_ended = ended;
    return at_once;
}

static void
test_whole_bodies(void **state)
{
    static const char *const GOOD[] = {
        "POST /p/s/a" HEAD CHUNK "0\r\n\r\n",
        "POST /t/1/s" HEAD CHUNK "3\r\nabc\r\n0\r\n\r\n",
        "POST /p/s/a" HEAD CHUNK "1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "POST /p/s/a" HEAD CHUNK "00000002\r\nab\r\n0\r\n\r\n",
        "POST /p/s/a" HEAD "Content-Length: 3\r\n\r\nabc",
        "POST /p/s/a" HEAD
        "Content-Encoding: zstd\r\nContent-Length: 3\r\n\r\nabc",
    };
    size_t ended = 0;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        check_ok(feed(GOOD[i], true, &ended));
        assert_int_equal(ended, 1);
    }
    check_ok(feed("POST /p/s/a" HEAD CHUNK "3\r\nabc\r\n0\r\n\r\n"
                  "GET /v1/x" HEAD "\r\n",
                  true, &ended));
    assert_int_equal(ended, 2);
}

static void
test_what_is_refused(void **state)
{
    static const char *const BAD[] = {
        "3;x=1\r\nabc\r\n", "3\nabc",        "g\r\n",
        "-1\r\n",           "0x3\r\n",       " 3\r\n",
        "3 \r\n",           "3\r\nabcd\r\n", "3\r\nabc0\r\n",
        "123456789\r\n",    "\r\n",          "0\r\nX: trailer\r\n\r\n",
        "0\r\n\rX",         "3\rabc",        "3\r\nabc\n"};
    size_t ended = 0;
    char text[256];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", "POST /p/s/a" HEAD CHUNK,
                       BAD[i]);
        check_err(feed(text, true, &ended), AG_EHTTP);
        assert_int_equal(ended, 0);
    }
    check_err(
        feed("POST /p/s" HEAD "Content-Length: 3\r\n" CHUNK, true, &ended),
        AG_EHTTP);
    check_err(feed("GET /p/s" HEAD CHUNK, true, &ended), AG_EHTTP);
    check_err(
        feed("POST /p/s" HEAD "Transfer-Encoding: gzip\r\n\r\n", true, &ended),
        AG_ELENGTH);
}

/* Other paths, other sockets: as ever. */
static void
test_only_where_it_is_served(void **state)
{
    static const char *const OTHERS[] = {"/p", "/px/s", "/v1/p/s", "/tx/",
                                         "/P/s"};
    size_t ended = 0;
    char text[256];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(OTHERS); i++) {
        (void)snprintf(text, sizeof(text), "POST %s%s", OTHERS[i], HEAD CHUNK);
        check_err(feed(text, true, &ended), AG_ELENGTH);
    }
    check_err(feed("POST /p/s/a" HEAD CHUNK, false, &ended), AG_ELENGTH);
    check_err(feed("POST /p/s/a" HEAD "Content-Encoding: zstd\r\n\r\n", false,
                   &ended),
              AG_EMEDIA);
    check_err(feed("POST /v1/p/s" HEAD "Content-Encoding: zstd\r\n\r\n", true,
                   &ended),
              AG_EMEDIA);
    check_err(feed("POST /p/s" HEAD "Content-Length: 99999999\r\n\r\n", false,
                   &ended),
              AG_ELIMIT);
    check_ok(feed("POST /p/s" HEAD "Content-Length: 99999999\r\n\r\n", true,
                  &ended));
    /* The next request on the connection is not one to be passed on. */
    check_err(feed("GET /p/s" HEAD "\r\nPOST /v1/x" HEAD CHUNK, true, &ended),
              AG_ELENGTH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_bodies),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_only_where_it_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
