/* Tokens of JSON, and strings to texts and back. */
#include "base/buf.h"
#include "common/check.h"
#include "redact/json_keys.h"
#include "redact/json_scan.h"
#include "redact/json_text.h"

static void
test_what_is_json(void **state)
{
    static const char *const GOOD[] = {
        "{}",
        "[]",
        " [ 1 , -0.5e+3, 0, \"a\\u00e9\\\\\\/\" ] ",
        "null",
        "{\"a\":{\"b\":[true,false,null]},\"\":\"\"}",
        "\"x\"",
        "-1",
        "{\"a\":1,\"a\":2}",
        "\r\n{}\n",
        "\"\xc3\xa9\xff\"",
        "1E9",
    };
    static const char *const BAD[] = {
        "",           " ",         "{",        "}",       "[1,]",
        "{\"a\":1,}", "{\"a\"}",   "{a:1}",    "[1 2]",   "{} {}",
        "01",         "1.",        ".5",       "1e",      "+1",
        "-",          "tru",       "truex",    "\"\\x\"", "\"\\u12g4\"",
        "\"\\u12",    "\"a",       "\"a\nb\"", "[}",      "{]",
        "[\"a\":1]",  "{\"a\" 1}", "{,}",      "[,1]",    "{1:2}",
        "nan",        "\"a\"b",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GOOD); i++) {
        if (!json_scan_is_json(span_str(GOOD[i]))) {
            fail_msg("not JSON: %s", GOOD[i]);
        }
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        if (json_scan_is_json(span_str(BAD[i]))) {
            fail_msg("JSON: %s", BAD[i]);
        }
    }
}

static void
test_depth_has_a_limit(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    size_t n = JSON_DEPTH_MAX;

    (void)state;
    memset(text, '[', n);
    memset(text + n, ']', n);
    assert_true(json_scan_is_json(span_of(text, 2 * n)));
    n++;
    memset(text, '[', n);
    memset(text + n, ']', n);
    assert_false(json_scan_is_json(span_of(text, 2 * n)));
}

static void
test_tokens_are_where_they_stand(void **state)
{
    static const char TEXT[] = " {\"k\" : [\"a\\n\", 12]}";

    static const struct {
        enum json_kind kind;
        const char *raw;
        size_t at;
        size_t depth;
    } WANT[] = {
        {JSON_OPEN_OBJECT, "{", 1, 0}, {JSON_KEY, "k", 2, 1},
        {JSON_OPEN_ARRAY, "[", 8, 1},  {JSON_STRING, "a\\n", 9, 2},
        {JSON_SCALAR, "12", 16, 2},    {JSON_CLOSE, "]", 18, 1},
        {JSON_CLOSE, "}", 19, 0},      {JSON_END, "", 0, 0},
    };
    struct json_scan s;
    struct json_token t;

    (void)state;
    json_scan_init(&s, span_str(TEXT));
    for (size_t i = 0; i < AG_COUNT(WANT); i++) {
        assert_int_equal(json_scan_next(&s, &t), WANT[i].kind);
        check_span(t.raw, WANT[i].raw);
        if (WANT[i].kind != JSON_END) {
            assert_int_equal(t.at, WANT[i].at);
            assert_int_equal(t.depth, WANT[i].depth);
        }
        assert_int_equal(t.is_escaped, WANT[i].kind == JSON_STRING);
    }
}

static void
check_decode(const char *raw, struct span text, const char *back)
{
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&out, 1024, BUF_WIPE);
    check_ok(json_text_decode(span_str(raw), &out));
    if (!span_equal(buf_view(&out), text)) {
        fail_msg("%s: %.*s", raw, (int)out.len, (const char *)out.ptr);
    }
    buf_clear(&out);
    check_ok(json_text_encode(text, &out));
    check_span(buf_view(&out), back);
}

static void
test_strings_to_texts_and_back(void **state)
{
    (void)state;
    check_decode("plain", span_str("plain"), "plain");
    check_decode("\\\"\\\\\\/\\b\\f\\n\\r\\t", span_str("\"\\/\b\f\n\r\t"),
                 "\\\"\\\\/\\b\\f\\n\\r\\t");
    check_decode("\\u0000a\\u001F", span_of("\0a\x1f", 3), "\\u0000a\\u001f");
    check_decode("\\u00e9\\u20AC", span_str("\xc3\xa9\xe2\x82\xac"),
                 "\xc3\xa9\xe2\x82\xac");
    check_decode("\\ud83d\\ude00!", span_str("\xf0\x9f\x98\x80!"),
                 "\xf0\x9f\x98\x80!");
    /* Surrogates that are alone. */
    check_decode("\\ud83dx", span_str("\xed\xa0\xbdx"), "\\ud83dx");
    check_decode("\\ud83d\\ud83d\\ude00",
                 span_str("\xed\xa0\xbd\xf0\x9f\x98\x80"),
                 "\\ud83d\xf0\x9f\x98\x80");
    check_decode("\\ude00", span_str("\xed\xb8\x80"), "\\ude00");
    check_decode("\\ud83d\\n", span_str("\xed\xa0\xbd\n"), "\\ud83d\\n");
}

static size_t
deltas_of(const char *text, struct json_deltas *d)
{
    struct json_scan s;
    struct json_token t;

    *d = (struct json_deltas){.count = 0};
    json_scan_init(&s, span_str(text));
    while (json_scan_next(&s, &t) != JSON_END) {
        assert_int_not_equal(t.kind, JSON_BAD);
        (void)json_deltas_token(d, &t);
    }
    json_deltas_end(d);
    return d->count;
}

static uint64_t
stream_of(const char *text)
{
    struct json_deltas d;

    assert_int_equal(deltas_of(text, &d), 1);
    check_span(d.items[0].raw, "X");
    return d.items[0].stream;
}

/* Shapes of the services and agents, as they stand in their streams. */
static const struct {
    const char *first;
    const char *same;
    const char *other;
} SHAPES[] = {
    {"{\"type\":\"response.output_text.delta\",\"sequence_number\":1,"
     "\"item_id\":\"a\",\"output_index\":0,\"delta\":\"X\"}",
     "{\"delta\":\"X\",\"type\":\"response.output_text.delta\","
     "\"item_id\":\"a\",\"output_index\":0,\"sequence_number\":2}",
     "{\"type\":\"response.output_text.delta\",\"item_id\":\"a\","
     "\"output_index\":1,\"delta\":\"X\"}"},
    {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
     "\"text_delta\",\"text\":\"X\"}}",
     "{\"index\":0,\"type\":\"content_block_delta\",\"delta\":{\"text\":"
     "\"X\",\"type\":\"text_delta\"}}",
     "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":"
     "\"text_delta\",\"text\":\"X\"}}"},
    {"{\"type\":\"stream_event\",\"event\":{\"type\":\"content_block_"
     "delta\""
     ",\"index\":1,\"delta\":{\"partial_json\":\"X\"}},\"session_id\":"
     "\"s\","
     "\"uuid\":\"1\"}",
     "{\"type\":\"stream_event\",\"event\":{\"type\":\"content_block_"
     "delta\""
     ",\"index\":1,\"delta\":{\"partial_json\":\"X\"}},\"session_id\":"
     "\"s\","
     "\"uuid\":\"2\"}",
     "{\"type\":\"stream_event\",\"event\":{\"type\":\"content_block_"
     "delta\""
     ",\"index\":1,\"delta\":{\"partial_json\":\"X\"}},\"session_id\":"
     "\"t\","
     "\"uuid\":\"2\"}"},
    {"{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"X\"}"
     "}]}",
     "{\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"X\"},\"index\":0"
     ",\"finish_reason\":null}]}",
     "{\"id\":\"c\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"X\"}"
     "}]}"},
    {"{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
     "\"function\":{\"arguments\":\"X\"}}]}}]}",
     "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
     "\"function\":{\"arguments\":\"X\"}}]}}]}",
     "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,"
     "\"function\":{\"arguments\":\"X\"}}]}}]}"},
    {"{\"timestamp\":\"1\",\"type\":\"event_msg\",\"payload\":{\"type\":"
     "\"agent_message_delta\",\"delta\":\"X\"}}",
     "{\"timestamp\":\"2\",\"type\":\"event_msg\",\"payload\":{\"type\":"
     "\"agent_message_delta\",\"delta\":\"X\"}}",
     "{\"timestamp\":\"2\",\"type\":\"event_msg\",\"payload\":{\"type\":"
     "\"agent_reasoning_delta\",\"delta\":\"X\"}}"},
    {"{\"method\":\"item/agentMessage/"
     "delta\",\"params\":{\"threadId\":\"t\""
     ",\"itemId\":\"i\",\"delta\":\"X\"}}",
     "{\"method\":\"item/agentMessage/"
     "delta\",\"params\":{\"threadId\":\"t\""
     ",\"itemId\":\"i\",\"delta\":\"X\"}}",
     "{\"method\":\"item/agentMessage/"
     "delta\",\"params\":{\"threadId\":\"t\""
     ",\"itemId\":\"j\",\"delta\":\"X\"}}"},
};

static void
test_parts_of_one_text(void **state)
{

    (void)state;
    for (size_t i = 0; i < AG_COUNT(SHAPES); i++) {
        uint64_t stream = stream_of(SHAPES[i].first);

        assert_true(stream == stream_of(SHAPES[i].same));
        assert_true(stream != stream_of(SHAPES[i].other));
    }
}

static void
test_several_choices_are_told_apart(void **state)
{
    struct json_deltas d;

    (void)state;
    assert_int_equal(
        deltas_of("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},"
                  "{\"delta\":{\"content\":\"b\"},\"index\":1}]}",
                  &d),
        2);
    assert_true(d.items[0].stream != d.items[1].stream);
    assert_int_equal(deltas_of("{\"content\":\"a\",\"payload\":{\"text\":"
                               "\"b\"},\"delta\":{\"x\":\"y\"}}",
                               &d),
                     0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_json),
        cmocka_unit_test(test_depth_has_a_limit),
        cmocka_unit_test(test_tokens_are_where_they_stand),
        cmocka_unit_test(test_strings_to_texts_and_back),
        cmocka_unit_test(test_parts_of_one_text),
        cmocka_unit_test(test_several_choices_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
