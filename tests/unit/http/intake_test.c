/* The strict machine alone: its limits to the byte, where it stops, and that it
 * stays where it stopped. */
#include <string.h>

#include "common/check.h"
#include "http/intake.h"

enum {
    TEXT_BYTES = 64 * 1024,
};

static const char HEAD[] = " HTTP/1.1\r\nHost: x\r\n";

/* At once and byte by byte: the same. How far it went: *ret_at. */
static enum ag_err
feed(const char *text, size_t len, size_t *ret_at)
{
    struct intake one;
    struct intake many;
    size_t whole = 0;
    size_t ended = 0;
    size_t at = 0;
    enum ag_err at_once;
    enum ag_err err = AG_OK;

    intake_init(&one, 0);
    intake_init(&many, 0);
    at_once = intake_feed(&one, span_of(text, len), &whole, &ended);
    while (err == AG_OK && at < len) {
        err = intake_feed(&many, span_of(text + at, 1), &whole, &ended);
        at++;
    }
    assert_int_equal(err, at_once);
    if (ret_at != NULL) {
        *ret_at = at;
    }
    return err;
}

/* A text with a filler in it. */
static enum ag_err
feed_filled(const char *before, char filler, size_t count, const char *behind)
{
    static char text[TEXT_BYTES];
    size_t len = strlen(before);

    assert_true(len + count + strlen(behind) < sizeof(text));
    memcpy(text, before, len);
    memset(text + len, filler, count);
    len += count;
    memcpy(text + len, behind, strlen(behind));
    return feed(text, len + strlen(behind), NULL);
}

static void
check_limit(const char *before, size_t most, const char *behind,
            enum ag_err want, const char *says)
{
    check_ok(feed_filled(before, 'a', most, behind));
    check_err(feed_filled(before, 'a', most + 1, behind), want);
    if (strstr(err_text(want), says) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", says, err_text(want));
    }
}

static void
test_limits_to_the_byte(void **state)
{
    char behind[64];

    (void)state;
    (void)snprintf(behind, sizeof(behind), "%s\r\n", HEAD);
    check_limit("GET /", HTTP_TARGET_MAX_BYTES - 1, behind, AG_EHEAD,
                "the target is longer");
    check_limit("", HTTP_METHOD_MAX_BYTES, " / HTTP/1.1\r\nHost: x\r\n\r\n",
                AG_EHTTP, "the method is too long");
    check_limit("GET / HTTP/1.1\r\nHost: ", HTTP_HOST_MAX_BYTES, "\r\n\r\n",
                AG_EHTTP, "value is too long");
    check_limit("GET / HTTP/1.1\r\nHost: x\r\n", HTTP_HEADER_NAME_MAX_BYTES,
                ": b\r\n\r\n", AG_EHEAD, "name is longer");
    check_limit("GET / HTTP/1.1\r\nHost: x\r\nA: ",
                HTTP_HEAD_MAX_BYTES -
                    strlen("GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n"),
                "\r\n\r\n", AG_EHEAD, "the request head is longer");
    /* The digits of an escape count. */
    check_limit("GET /%41", HTTP_TARGET_MAX_BYTES - 4, behind, AG_EHEAD,
                "the target is longer");
}

static void
test_so_many_lines(void **state)
{
    static char text[TEXT_BYTES];
    size_t len = 0;

    (void)state;
    for (int more = 0; more < 2; more++) {
        len = (size_t)snprintf(text, sizeof(text), "GET /%s", HEAD);
        for (int i = 1; i < HTTP_HEADERS_MAX_COUNT + more; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "A: b\r\n");
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
        check_err(feed(text, len, NULL), more == 0 ? AG_OK : AG_EHEAD);
    }
    assert_non_null(strstr(err_text(AG_EHEAD), "header lines"));
}

/* It stops at the byte that is wrong, and reads none behind it. */
static void
test_where_it_stops(void **state)
{
    static const struct {
        const char *text;
        size_t at; /* bytes that it took, the wrong one among them */
    } STOPS[] = {
        {"GET / HTX", 9},
        {"GET / HTTP/1.0", 14},
        {"GET / HTTP/1.\r", 14},
        {"GET / \r", 7},
        {"GET / HTTP/1.1\n", 15},
        {"GET / HTTP/1.1\rX", 16},
        {"GET  ", 5},
        {"GET /%0g", 8},
        {"GET /%00", 8},
        {"GET /\x80", 6},
        {" ", 1},
        {"G(", 2},
        {"CONNECT ", 8},
        {"GET / HTTP/1.1\r\n ", 17},
        {"GET / HTTP/1.1\r\nA(", 18},
        {"GET / HTTP/1.1\r\n:", 17},
        {"GET / HTTP/1.1\r\nA: \x01", 20},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(STOPS); i++) {
        char text[64];
        size_t at = 0;

        (void)snprintf(text, sizeof(text), "%sxxxxxxxx", STOPS[i].text);
        assert_true(feed(text, strlen(text), &at) != AG_OK);
        if (at != STOPS[i].at) {
            fail_msg("%s: %zu", STOPS[i].text, at);
        }
    }
}

/* One digit more or less, and whatever stands beside them in ASCII. */
static void
test_lengths(void **state)
{
    static const char *const BAD[] = {"1:", "1/", ":", "1;1", "0x1", "1e1"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "PUT /%sContent-Length: %s\r\n\r\n",
                       HEAD, BAD[i]);
        check_err(feed(text, strlen(text), NULL), AG_EHTTP);
    }
}

static void
test_it_stays_refused(void **state)
{
    static const char GOOD[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct intake in;
    size_t whole = 0;
    size_t ended = 0;

    (void)state;
    intake_init(&in, 0);
    check_ok(intake_feed(&in, span_str("GET"), &whole, &ended));
    assert_true(intake_is_midway(&in));
    check_err(intake_feed(&in, span_str("("), &whole, &ended), AG_EHTTP);
    assert_false(intake_is_midway(&in));
    check_err(intake_feed(&in, span_str(GOOD), &whole, &ended), AG_EHTTP);
    assert_int_equal(whole, 0);
    assert_int_equal(ended, 0);
    assert_false(intake_is_midway(&in));
}

/* What came whole before it is told. */
static void
test_what_came_before_a_bad_one(void **state)
{
    static const char GOOD[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char text[128];
    struct intake in;
    size_t whole = 0;
    size_t ended = 0;

    (void)state;
    intake_init(&in, 0);
    (void)snprintf(text, sizeof(text), "%s%sG(", GOOD, GOOD);
    check_err(intake_feed(&in, span_str(text), &whole, &ended), AG_EHTTP);
    assert_int_equal(whole, 2 * strlen(GOOD));
    assert_int_equal(ended, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_to_the_byte),
        cmocka_unit_test(test_so_many_lines),
        cmocka_unit_test(test_where_it_stops),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_it_stays_refused),
        cmocka_unit_test(test_what_came_before_a_bad_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
