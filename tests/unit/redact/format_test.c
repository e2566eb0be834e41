/* Formats with known values, case by case; chunkings are a property test. */
#include "common/formats.h"
#include "redact/format_lines.h"
#include "redact/records.h"

#define VALUE  "q7RtWz90\"LmX\\cAb12"     /* needs escapes */
#define QUOTED "q7RtWz90\\\"LmX\\\\cAb12" /* in JSON */
#define NUMBER "84375834759921"
#define DIGITS "4711:q7RtWz90LmXcAb"
#define CODES  "codes-of-q7RtWz90\n4711) 48213) x\n12. first\n13. LmXc\n"
#define KEY                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "AK99NEec7c6jymIZNf6YTtburAhYX49WqoMcB5K5PBs2sD6crsh2d6OQm79+o36J\n"       \
    "kKV+0gHtNRu/d4j1/PMhDnz1inu9Z4MGyAKE/bsdV2IfEUs0hoKj9c1HNSssiiPE\n"       \
    "frxLcqh5t/8+GxDN\n"                                                       \
    "-----END PRIVATE KEY-----\n"
static const char *const VALUES[] = {VALUE, NUMBER, NULL};

static void
test_jsonl_keeps_what_it_need_not_change(void **state)
{
    (void)state;
    formats_check(VALUES, STREAM_JSONL,
                  "{\"a\" : \"\\u0041\\/\", \"n\":1.50}\n\n [\"x\"] \r\n",
                  "{\"a\" : \"\\u0041\\/\", \"n\":1.50}\n\n [\"x\"] \r\n");
    formats_check(VALUES, STREAM_JSONL,
                  "{\"a\": \"\\u0041 " QUOTED " \\u00e9\", \"b\":\"\\u0041\"}\n"
                  "{\"c\":1}",
                  "{\"a\": \"A [redacted:v1] \xc3\xa9\", \"b\":\"\\u0041\"}\n"
                  "{\"c\":1}");
}

static void
test_jsonl_keys_numbers_and_opaque_members(void **state)
{
    (void)state;
    formats_check(VALUES, STREAM_JSONL,
                  "{\"" QUOTED "\":1,\"id\":\"" QUOTED "\"}\n",
                  "{\"[redacted:v1]\":1,\"id\":\"[redacted:v1]\"}\n");
    formats_check(VALUES, STREAM_JSONL,
                  "{\"pin\":" NUMBER ",\"n\":843758347}\n",
                  "{\"pin\":\"[redacted:v2]\",\"n\":843758347}\n");
}

static void
test_jsonl_inside_of_strings(void **state)
{
    (void)state;
    formats_check(
        VALUES, STREAM_JSONL,
        "{\"o\":\"{\\\"k\\\":\\\"q7RtWz90\\\\\\\"LmX\\\\\\\\cAb12\\\"}\"}\n",
        "{\"o\":\"{\\\"k\\\":\\\"[redacted:v1]\\\"}\"}\n");
    /* Spelled as no form is: only the decoded text has it. */
    formats_check(VALUES, STREAM_JSONL,
                  "{\"o\":\"[\\\"\\\\u00717RtWz90\\\\\\\"LmX\\\\\\\\cAb12\\\"]"
                  "\"}\n",
                  "{\"o\":\"[\\\"[redacted:v1]\\\"]\"}\n");
}

static void
test_a_line_that_is_none(void **state)
{
    (void)state;
    formats_check(VALUES, STREAM_JSONL,
                  "warning: " VALUE "\n{\"a\":\"" QUOTED "\"\n{}\n",
                  "warning: [redacted:v1]\n{\"a\":\"[redacted:v1]\"\n{}\n");
    formats_check(VALUES, STREAM_JSONL, "{\"a\":\"" QUOTED "\"} \" trail\n",
                  "{\"a\":\"[redacted:v1]\"} \" trail\n");
}

static void
test_values_over_lines_of_text(void **state)
{
    static const char *const KEYS[] = {KEY, NULL};
    struct formats_rig rig;

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, KEYS, NULL);
    formats_feed(&rig, "{}\n" KEY "end\n{}\n");
    check_ok(format_finish(rig.filter));
    formats_expect(&rig, "{}\n[redacted:v1]\nend\n{}\n");
    formats_done(&rig);
}

static void
test_json_is_one_text(void **state)
{
    (void)state;
    formats_check(VALUES, STREAM_JSON,
                  "{\n  \"a\": [\n    \"" QUOTED "\"\n  ]\n}\n",
                  "{\n  \"a\": [\n    \"[redacted:v1]\"\n  ]\n}\n");
    formats_check(VALUES, STREAM_JSON, "\"" QUOTED "\"", "\"[redacted:v1]\"");
    formats_check(VALUES, STREAM_JSON, "no " VALUE, "no [redacted:v1]");
}

#define DELTA(text)                                                            \
    "{\"type\":\"response.output_text.delta\",\"item_id\":\"i\",\"delta\":"    \
    "\"" text "\"}\n"
#define OTHER(text)                                                            \
    "{\"type\":\"response.output_text.delta\",\"item_id\":\"j\",\"delta\":"    \
    "\"" text "\"}\n"

static void
test_a_value_over_records(void **state)
{
    (void)state;
    formats_check(VALUES, STREAM_JSONL,
                  DELTA("is q7Rt") "{\"x\":1}\n" DELTA("Wz90\\\"Lm")
                      DELTA("X\\\\cAb12, yes") DELTA("done"),
                  DELTA("is [redacted:v1]") "{\"x\":1}\n" DELTA("")
                      DELTA(", yes") DELTA("done"));
    /* Two texts at once; what only looks like a beginning comes back whole. */
    formats_check(VALUES, STREAM_JSONL,
                  DELTA("q7RtWz90") OTHER("q7RtWz9") DELTA("\\\"LmX\\\\cAb12")
                      OTHER("\\u0041!"),
                  DELTA("[redacted:v1]") OTHER("q7RtWz9") DELTA("")
                      OTHER("\\u0041!"));
    /* Text in between waits too. */
    formats_check(VALUES, STREAM_JSONL,
                  DELTA("q7RtWz90\\\"") "note " VALUE
                                        "\n" DELTA("LmX\\\\cAb12"),
                  DELTA("[redacted:v1]") "note [redacted:v1]\n" DELTA(""));
}

static void
test_what_waits_comes_out_in_time(void **state)
{
    struct formats_rig rig;

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, NULL);
    formats_feed(&rig, DELTA("none: "));
    formats_expect(&rig, DELTA("none: "));
    formats_feed(&rig, DELTA("q"));
    formats_expect(&rig, "");
    assert_true(format_is_holding(rig.filter));
    check_ok(format_idle(rig.filter));
    formats_expect(&rig, DELTA("q"));
    assert_false(format_is_holding(rig.filter));
    /* Its beginning is out; the rest is not. */
    formats_feed(&rig, DELTA("7RtWz90\\\"LmX\\\\cAb12!"));
    formats_expect(&rig, DELTA("[redacted:v1]!"));
    assert_int_equal(rig.hits, 1);
    /* More of it than may be seen: nothing is, not the quarter either. */
    formats_feed(&rig, DELTA("say q7RtWz90"));
    check_ok(format_idle(rig.filter));
    formats_expect(&rig, "");
    assert_false(format_is_holding(rig.filter));
    formats_feed(&rig, DELTA("\\\"LmX\\\\cAb12."));
    formats_expect(&rig, DELTA("say [redacted:v1]") DELTA("."));
    /* Most of a value: it waits for the text to go on, and not for ever. */
    formats_feed(&rig, DELTA("q7RtWz90\\\"LmX"));
    check_ok(format_idle(rig.filter));
    formats_expect(&rig, "");
    for (int i = 0; i < RECORDS_SILENT_COUNT; i++) {
        formats_feed(&rig, "{}\n");
    }
    formats_expect(&rig, "");
    formats_feed(&rig, "{}\n");
    assert_true(span_starts(buf_view(&rig.out),
                            span_str(DELTA("q7RtWz90\\\"LmX") "{}\n")));
    formats_done(&rig);
}

static void
test_more_texts_than_there_is_room_for(void **state)
{
    static const char FORM[] = "{\"delta\":\"q7RtWz90\",\"id\":\"%d\"}\n";
    struct formats_rig rig;
    char text[128];

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, NULL);
    for (int i = 0; i < RECORDS_TEXTS_MAX_COUNT; i++) {
        (void)snprintf(text, sizeof(text), FORM, i);
        formats_feed(&rig, text);
    }
    formats_expect(&rig, "");
    (void)snprintf(text, sizeof(text), FORM, RECORDS_TEXTS_MAX_COUNT);
    formats_feed(&rig, text); /* the oldest ends */
    formats_expect(&rig, "{\"delta\":\"q7RtWz90\",\"id\":\"0\"}\n");
    formats_done(&rig);
}

static void
test_what_waits_has_a_limit(void **state)
{
    struct formats_rig rig;
    char text[4096];
    size_t fed = 0;

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_TASK, VALUES, NULL);
    memset(text, 'x', sizeof(text));
    memcpy(text, "{\"x\":\"", 6);
    memcpy(text + sizeof(text) - 4, "\"}\n", 4);
    while (rig.out.len == 0 && fed < (size_t)2 * RECORDS_WAITING_MAX_BYTES) {
        formats_feed(&rig, DELTA("abc")); /* a task's text waits for its line */
        formats_feed(&rig, text);
        fed += sizeof(text);
    }
    assert_true(fed > RECORDS_WAITING_MAX_BYTES / 2);
    assert_true(fed < (size_t)2 * RECORDS_WAITING_MAX_BYTES);
    formats_done(&rig);
}

#define EVENT(text)                                                            \
    "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\","   \
    "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text          \
    "\"}}\r\n\r\n"

static void
test_events(void **state)
{
    (void)state;
    formats_check(VALUES, STREAM_SSE,
                  ": hello\n\n" EVENT("q7RtWz90")
                      EVENT("\\\"LmX\\\\cAb12.") "data: [DONE]\n\n",
                  ": hello\n\n" EVENT("[redacted:v1]")
                      EVENT(".") "data: [DONE]\n\n");
    formats_check(VALUES, STREAM_SSE,
                  "data: plain " VALUE "\n\nid: 7\ndata:{\"a\":\"" QUOTED
                  "\"}\nretry: 3\n\n",
                  "data: plain [redacted:v1]\n\nid: 7\ndata:{\"a\":\""
                  "[redacted:v1]\"}\nretry: 3\n\n");
    /* Data in several lines is one text. */
    formats_check(VALUES, STREAM_SSE,
                  "data: {\ndata:   \"a\": \"\\u00717RtWz90\\\"LmX"
                  "\\\\cAb12\"\ndata: }\n\ndata: x",
                  "data: {\ndata:   \"a\": \"[redacted:v1]\"\ndata: }\n\n"
                  "data: x");
    formats_check(VALUES, STREAM_SSE, "event: " NUMBER "\ndata: {\"a\":1}\n\n",
                  "event: [redacted:v2]\ndata: {\"a\":1}\n\n");
    formats_check(VALUES, STREAM_SSE,
                  "data:\n\ndata: {}\nevent: x\ndata: {}\n\n",
                  "data:\n\ndata: {}\nevent: x\ndata: {}\n\n");
    /* What stands between lines of data is none of it. */
    formats_check(VALUES, STREAM_SSE,
                  "data: {\"a\":1\n,\"b\":\"" QUOTED "\"\ndata: }\n\n",
                  "data: {\"a\":1\n,\"b\":\"[redacted:v1]\"\ndata: }\n\n");
    /* What is no record leaves nothing to the one that waits before it. */
    formats_check(VALUES, STREAM_SSE,
                  "data: {\"delta\":\"q7RtWz90\",\"k\":\"" QUOTED
                  "\"}\n\ndata: [DONE]\n\ndata: {\"delta\":"
                  "\"\\\"LmX\\\\cAb12.\"}\n\n",
                  "data: {\"delta\":\"[redacted:v1]\",\"k\":\""
                  "[redacted:v1]\"}\n\ndata: [DONE]\n\ndata: {\"delta\":"
                  "\".\"}\n\n");
    /* Or an object in each, by who ends no event. */
    formats_check(VALUES, STREAM_SSE,
                  "data: {\"delta\":\"q7RtWz90\"}\n: x\r\ndata:{\"delta\":"
                  "\"\\\"LmX\\\\cAb12.\"}\n\n",
                  "data: {\"delta\":\"[redacted:v1]\"}\n: x\r\ndata:{"
                  "\"delta\":\".\"}\n\n");
    formats_check(VALUES, STREAM_SSE,
                  "data: {\"delta\":\"q7RtWz90\"}\ndata: and\ndata: {"
                  "\"delta\":\"\\\"LmX\\\\cAb12.\"}\n\n",
                  "data: {\"delta\":\"q7RtWz90\"}\ndata: and\ndata: {"
                  "\"delta\":\"\\\"LmX\\\\cAb12.\"}\n\n");
}

static void
check_lines(enum format format, const char *in, const char *out)
{
    static const char *const KEYS[] = {KEY, VALUE, DIGITS, CODES, NULL};

    for (int turn = 0; turn < 2; turn++) {
        struct formats_rig rig;
        size_t len = strlen(in);

        formats_init(&rig, format, REDACTOR_OPERATOR, KEYS, NULL);
        for (size_t at = 0; at < len; at += turn == 0 ? len : 1) {
            check_ok(
                format_feed(rig.filter, span_of(in + at, turn == 0 ? len : 1)));
            check_ok(format_settle(rig.filter));
        }
        check_ok(format_finish(rig.filter));
        formats_expect(&rig, out);
        formats_done(&rig);
    }
}

#define L1 "AK99NEec7c6jymIZNf6YTtburAhYX49WqoMcB5K5PBs2sD6crsh2d6OQm79+o36J"
#define L2 "kKV+0gHtNRu/d4j1/PMhDnz1inu9Z4MGyAKE/bsdV2IfEUs0hoKj9c1HNSssiiPE"
#define M  "[redacted:v1]"

static void
test_lines_keep_their_marks(void **state)
{
    (void)state;
    check_lines(STREAM_DIFF,
                "@@ -1,1 +1,6 @@\n-old\n+-----BEGIN PRIVATE KEY-----\n+" L1
                "\n+" L2 "\n+frxLcqh5t/8+GxDN\n+-----END PRIVATE KEY-----\n"
                " same " VALUE "\n",
                "@@ -1,1 +1,6 @@\n-old\n+-----BEGIN PRIVATE KEY-----\n+" M
                "\n+" M "\n+frxLcqh5t/8+GxDN\n+-----END PRIVATE KEY-----\n"
                " same [redacted:v2]\n");
    check_lines(STREAM_MARKDOWN,
                "> key:\r\n> -----BEGIN PRIVATE KEY-----\r\n> " L1 "\r\n> " L2
                "\r\n> frxLcqh5t/8+GxDN\r\n> -----END PRIVATE KEY-----\r\n- x",
                "> key:\r\n> -----BEGIN PRIVATE KEY-----\r\n> " M "\r\n> " M
                "\r\n> frxLcqh5t/8+GxDN\r\n> -----END PRIVATE KEY-----\r\n"
                "- x");
    /* What looks like a line's number is a value's beginning. */
    check_lines(STREAM_MARKDOWN, "  " DIGITS "\n4711: x\n",
                "      :[redacted:v3]\n4711: x\n");
    /* Within one too, but for numbers that count lines. */
    check_lines(STREAM_MARKDOWN, "7. a\n" CODES "8. b\n",
                "7. a\n[redacted:v4]\n    )      ) [redacted:v4]\n"
                "  . [redacted:v4]\n13. [redacted:v4]\n8. b\n");
    check_lines(STREAM_MARKDOWN, "```\n" KEY "```\n1. " VALUE " and `x`\n",
                "```\n" M "\n" M "\n" M "\n" M "\n" M
                "\n```\n1. [redacted:v2] and `x`\n");
}

static void
test_marks(void **state)
{
    static const struct {
        enum format format;
        const char *line;
        size_t len;
    } CASES[] = {
        {STREAM_DIFF, "+x", 1},
        {STREAM_DIFF, "++x", 1},
        {STREAM_DIFF, "x", 0},
        {STREAM_DIFF, "", 0},
        {STREAM_MARKDOWN, "> > x", 4},
        {STREAM_MARKDOWN, "  - x", 4},
        {STREAM_MARKDOWN, "-x", 0},
        {STREAM_MARKDOWN, "12. x", 4},
        {STREAM_MARKDOWN, "  12\tx", 5},
        {STREAM_MARKDOWN, "123456: x", 0},
        {STREAM_MARKDOWN, "12", 0},
        {STREAM_MARKDOWN, "| x", 2},
        {STREAM_MARKDOWN, "     7\xe2\x86\x92x", 9},
        {STREAM_MARKDOWN, ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>x",
         FORMAT_MARK_MAX_BYTES},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        assert_int_equal(
            format_mark_len(CASES[i].format, span_str(CASES[i].line)),
            CASES[i].len);
    }
}

static void
test_a_task_gets_records_whatever_they_resemble(void **state)
{
    struct formats_rig rig;

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_TASK, VALUES, NULL);
    formats_feed(&rig, "{\"a\":\"q7RtWz90\"}\n");
    formats_expect(&rig, "{\"a\":\"q7RtWz90\"}\n");
    formats_feed(&rig, "{\"a\":\"" QUOTED "\"}\n");
    formats_expect(&rig, "{\"a\":\"[redacted:v1]\"}\n");
    /* A text in parts up to its line's end, like a value or not. */
    formats_feed(&rig, DELTA("zzzz"));
    formats_expect(&rig, "");
    formats_feed(&rig, DELTA("yy\\nx"));
    formats_expect(&rig, DELTA("zzzz"));
    check_ok(format_finish(rig.filter));
    formats_expect(&rig, DELTA("yy\\nx"));
    formats_done(&rig);
}

/* As they are built for a vault. */
static void
test_fragments_too(void **state)
{
    (void)state;
    matcher_enable_looks(true);
    formats_check(VALUES, STREAM_JSONL, "{\"a\":\"q7RtWz90\\\"LmX.\"}\n",
                  "{\"a\":\"[redacted:v1].\"}\n");
    matcher_enable_looks(false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl_keeps_what_it_need_not_change),
        cmocka_unit_test(test_jsonl_keys_numbers_and_opaque_members),
        cmocka_unit_test(test_jsonl_inside_of_strings),
        cmocka_unit_test(test_a_line_that_is_none),
        cmocka_unit_test(test_values_over_lines_of_text),
        cmocka_unit_test(test_json_is_one_text),
        cmocka_unit_test(test_a_value_over_records),
        cmocka_unit_test(test_what_waits_comes_out_in_time),
        cmocka_unit_test(test_more_texts_than_there_is_room_for),
        cmocka_unit_test(test_what_waits_has_a_limit),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_lines_keep_their_marks),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_a_task_gets_records_whatever_they_resemble),
        cmocka_unit_test(test_fragments_too),
    };

    matcher_enable_looks(false); /* what a format does, by whole forms */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
