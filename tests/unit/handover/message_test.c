/* Requests on fd.sock: each with just its members and descriptors. */
#include "base/buf.h"
#include "common/check.h"
#include "handover/message.h"
#include "redact/format.h"

static enum ag_err
decode(const char *text, size_t fd_count)
{
    AG_AUTO(message) struct message m = {.ticket = NULL};

    return message_decode(span_str(text), fd_count, &m);
}

static void
test_each_request_is_understood(void **state)
{
    AG_AUTO(message) struct message m = {.ticket = NULL};
    AG_AUTO(message) struct message first = {.ticket = NULL};
    AG_AUTO(message) struct message second = {.ticket = NULL};
    AG_AUTO(message) struct message third = {.ticket = NULL};

    (void)state;
    check_ok(decode("{\"op\":\"life\",\"ticket\":\"agx_1\"}", 0));
    check_ok(decode("{\"op\":\"stream\",\"ticket\":\"agx_1\"}", 2));
    check_ok(message_decode(span_str("{\"op\":\"stream\",\"ticket\":\"t\"}"), 2,
                            &first));
    assert_int_equal(first.audience, MESSAGE_OPERATOR);
    check_ok(message_decode(span_str("{\"op\":\"stream\",\"ticket\":\"t\","
                                     "\"audience\":\"task\","
                                     "\"output\":\"places\"}"),
                            2, &second));
    check_ok(message_decode(span_str("{\"op\":\"stream\",\"ticket\":\"t\","
                                     "\"format\":\"sse\"}"),
                            2, &third));
    assert_int_equal(first.format, STREAM_TEXT);
    assert_int_equal(third.format, STREAM_SSE);
    assert_int_equal(second.audience, MESSAGE_TASK);
    assert_int_equal(first.output, MESSAGE_TEXT);
    assert_int_equal(second.output, MESSAGE_PLACES);
    check_ok(decode("{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":"
                    "{\"subject\":\"\"}}",
                    2));
    check_ok(decode("{\"op\":\"stream\",\"ticket\":\"t\",\"format\":"
                    "\"jsonl\",\"receipt\":{\"subject\":\"\"}}",
                    2));
    check_ok(decode("{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":"
                    "{\"subject\":\"owner/repo#7\",\"names\":\"plain\"}}",
                    2));
    check_ok(decode("{\"op\":\"deliver\",\"ticket\":\"agx_1\"}", 1));
    check_ok(decode("{\"op\":\"take\",\"ticket\":\"agx_1\"}", 1));
    check_ok(decode("{\"op\":\"end\",\"exit\":0}", 0));
    check_ok(message_decode(span_str("{\"ticket\":\"agx_2\",\"op\":\"take\"}"),
                            1, &m));
    assert_int_equal(m.op, MESSAGE_TAKE);
    assert_string_equal(m.ticket, "agx_2");
    assert_int_equal(m.exit_code, -1);
}

static const struct {
    const char *text;
    size_t fd_count;
} BAD[] = {
    {"", 0},
    {"{}", 0},
    {"[]", 0},
    {"{\"op\":\"life\"}", 0},
    {"{\"op\":\"life\",\"ticket\":\"\"}", 0},
    {"{\"op\":\"life\",\"ticket\":7}", 0},
    {"{\"op\":\"life\",\"ticket\":\"t\",\"exit\":1}", 0},
    {"{\"op\":\"life\",\"ticket\":\"t\"}", 1},
    {"{\"op\":\"life\",\"ticket\":\"t\",\"ticket\":\"t\"}", 0},
    {"{\"op\":\"life\",\"ticket\":\"t\",\"more\":1}", 0},
    {"{\"op\":\"life\",\"ticket\":\"t\"} ", 1},
    {"{\"op\":\"life\",\"ticket\":\"t\"}x", 0},
    {"{\"op\":\"LIFE\",\"ticket\":\"t\"}", 0},
    {"{\"op\":\"stream\",\"ticket\":\"t\"}", 1},
    {"{\"op\":\"stream\",\"ticket\":\"t\"}", 3},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"audience\":\"all\"}", 2},
    {"{\"op\":\"take\",\"ticket\":\"t\",\"audience\":\"task\"}", 1},
    {"{\"op\":\"take\",\"ticket\":\"t\",\"output\":\"places\"}", 1},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"output\":\"none\"}", 2},
    {"{\"op\":\"take\",\"ticket\":\"t\",\"format\":\"jsonl\"}", 1},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"format\":\"xml\"}", 2},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":{}}", 2},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":\"x\"}", 2},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":"
     "{\"subject\":\"a\\nb\"}}",
     2},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":"
     "{\"subject\":\"\",\"names\":\"all\"}}",
     2},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"receipt\":"
     "{\"subject\":\"\",\"hits\":0}}",
     2},
    {"{\"op\":\"stream\",\"ticket\":\"t\",\"output\":\"places\","
     "\"receipt\":{\"subject\":\"\"}}",
     2},
    {"{\"op\":\"take\",\"ticket\":\"t\",\"receipt\":"
     "{\"subject\":\"\"}}",
     1},
    {"{\"op\":\"deliver\",\"ticket\":\"t\"}", 0},
    {"{\"op\":\"take\",\"ticket\":\"t\"}", 2},
    {"{\"op\":\"end\"}", 0},
    {"{\"op\":\"end\",\"exit\":256}", 0},
    {"{\"op\":\"end\",\"exit\":-1}", 0},
    {"{\"op\":\"end\",\"exit\":1,\"ticket\":\"t\"}", 0},
    {"{\"op\":\"end\",\"exit\":1.0}", 0},
};

static void
test_what_is_no_request_is_refused(void **state)
{

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(decode(BAD[i].text, BAD[i].fd_count), AG_EINVAL);
    }
}

static void
test_answers_are_what_clients_read(void **state)
{
    AG_AUTO(buf) struct buf out = {0};

    (void)state;
    buf_init(&out, MESSAGE_MAX_BYTES, BUF_PLAIN);
    check_ok(message_put_refusal(&out, err_why(AG_ETICKET, "a \"quote\"")));
    check_span(buf_view(&out), "{\"ok\":false,\"code\":\"ticket_refused\","
                               "\"detail\":\"a \\\"quote\\\"\"}");
    buf_clear(&out);
    check_ok(message_put_end(&out, "expired"));
    check_span(buf_view(&out), "{\"event\":\"end\",\"reason\":\"expired\"}");
    err_clear();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_request_is_understood),
        cmocka_unit_test(test_what_is_no_request_is_refused),
        cmocka_unit_test(test_answers_are_what_clients_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
