/* Heads and trailers line by line. */
#include "common/check.h"
#include "upstream/answer.h"

static void
feed(struct answer *a, const char *const *lines)
{
    for (; *lines != NULL; lines++) {
        check_ok(answer_line(a, span_str(*lines)));
    }
}

static void
test_head_and_trailers(void **state)
{
    AG_AUTO(answer) struct answer a;
    static const char *const HEAD[] = {"HTTP/1.1 100 Continue\r\n",
                                       "\r\n",
                                       "HTTP/1.1 103 Early\r\n",
                                       "Link: x\r\n",
                                       "\r\n",
                                       "HTTP/1.1 200 OK\r\n",
                                       "A:  one \t\r\n",
                                       "a:\r\n",
                                       "B: x:\ty\n",
                                       NULL};
    struct upstream_head head;

    (void)state;
    answer_init(&a, false);
    feed(&a, HEAD);
    assert_int_equal(a.state, ANSWER_LINES);
    check_ok(answer_line(&a, span_str("\r\n")));
    assert_int_equal(a.state, ANSWER_HEAD);
    check_ok(answer_fields(&a, &head));
    assert_int_equal(head.status, 200);
    assert_int_equal(head.field_count, 3);
    check_span(head.fields[0].name, "A");
    check_span(head.fields[0].value, "one");
    check_span(head.fields[1].name, "a");
    check_span(head.fields[1].value, "");
    check_span(head.fields[2].value, "x:\ty");
    answer_forget(&a);
    check_ok(answer_line(&a, span_str("X-Sum: 1\r\n")));
    check_ok(answer_line(&a, span_str("\r\n")));
    assert_int_equal(a.state, ANSWER_TRAILER);
    check_ok(answer_fields(&a, &head));
    assert_int_equal(head.field_count, 1);
    check_span(head.fields[0].name, "X-Sum");
    check_err(answer_line(&a, span_str("HTTP/1.1 200 OK")), AG_EUPSTREAM);
    assert_non_null(strstr(err_text(AG_EUPSTREAM), "begins twice"));
}

static void
test_http2_status(void **state)
{
    AG_AUTO(answer) struct answer a;

    (void)state;
    answer_init(&a, false);
    check_ok(answer_line(&a, span_str("HTTP/2 204 \r\n")));
    assert_int_equal(a.status, 204);
}

static void
test_upgrade_only_when_asked(void **state)
{
    AG_AUTO(answer) struct answer a;
    AG_AUTO(answer) struct answer asked;

    (void)state;
    answer_init(&a, false);
    check_ok(answer_line(&a, span_str("HTTP/1.1 101 Switching")));
    check_err(answer_line(&a, span_str("")), AG_EUPSTREAM);
    answer_init(&asked, true);
    check_ok(answer_line(&asked, span_str("HTTP/1.1 101 Switching")));
    check_ok(answer_line(&asked, span_str("")));
    assert_int_equal(asked.state, ANSWER_HEAD);
}

static void
refuse(const char *status, const char *line)
{
    AG_AUTO(answer) struct answer a;
    enum ag_err err;

    answer_init(&a, false);
    err = answer_line(&a, span_str(status));
    if (err == AG_OK && line != NULL) {
        err = answer_line(&a, span_str(line));
    }
    if (err != AG_EUPSTREAM) {
        fail_msg("\"%s\" \"%s\": %s", status, line, err_code(err));
    }
}

static void
test_refused_lines(void **state)
{
    (void)state;
    refuse("", NULL);
    refuse("SSH-2.0", NULL);
    refuse("ICY 200 OK", NULL);
    refuse("HTTP/1.1", NULL);
    refuse("HTTP/1.1 20", NULL);
    refuse("HTTP/1.1 099 x", NULL);
    refuse("HTTP/1.1 2x0 OK", NULL);
    refuse("HTTP/1.1 9/0 OK", NULL);
    refuse("HTTP/1.1 200 OK", "no colon");
    refuse("HTTP/1.1 200 OK", "nocolon");
    refuse("HTTP/1.1 200 OK", ": no name");
    refuse("HTTP/1.1 200 OK", "a : b");
    refuse("HTTP/1.1 200 OK", " folded");
    refuse("HTTP/1.1 200 OK", "\tfolded: x");
    refuse("HTTP/1.1 200 OK", "a: b\rc: d");
    refuse("HTTP/1.1 200 OK", "a: b\x01");
    refuse("HTTP/1.1 200 OK", "a: b\x7f");
    refuse("HTTP/1.1 200 OK", "HTTP/1.1 200 OK: x");
}

/* What stands behind a line in its buffer is no part of it. */
static void
test_a_line_ends_where_it_ends(void **state)
{
    AG_AUTO(answer) struct answer a;

    (void)state;
    answer_init(&a, false);
    check_err(answer_line(&a, span_of("HTTP/1.1 200", 11)), AG_EUPSTREAM);
    check_err(answer_line(&a, span_of("HTTP/1.1 200", 8)), AG_EUPSTREAM);
    check_ok(answer_line(&a, span_of("HTTP/1.1 2001", 12)));
    assert_int_equal(a.status, 200);
}

static void
test_limits(void **state)
{
    AG_AUTO(answer) struct answer a;
    AG_AUTO(answer) struct answer large;
    static char line[UPSTREAM_ANSWER_HEAD_MAX_BYTES + 4] = "a:";

    (void)state;
    answer_init(&a, false);
    check_ok(answer_line(&a, span_str("HTTP/1.1 200 OK")));
    for (int i = 0; i < UPSTREAM_ANSWER_FIELDS_MAX_COUNT; i++) {
        check_ok(answer_line(&a, span_str("a: b")));
    }
    check_err(answer_line(&a, span_str("a: b")), AG_EUPSTREAM);
    assert_int_equal(a.count, UPSTREAM_ANSWER_FIELDS_MAX_COUNT);
    answer_init(&large, false);
    check_ok(answer_line(&large, span_str("HTTP/1.1 200 OK")));
    memset(line + 2, 'x', UPSTREAM_ANSWER_HEAD_MAX_BYTES);
    check_err(
        answer_line(&large, span_of(line, UPSTREAM_ANSWER_HEAD_MAX_BYTES + 2)),
        AG_EUPSTREAM);
    assert_int_equal(large.count, 0);
    check_ok(
        answer_line(&large, span_of(line, UPSTREAM_ANSWER_HEAD_MAX_BYTES + 1)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_and_trailers),
        cmocka_unit_test(test_http2_status),
        cmocka_unit_test(test_upgrade_only_when_asked),
        cmocka_unit_test(test_refused_lines),
        cmocka_unit_test(test_a_line_ends_where_it_ends),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
