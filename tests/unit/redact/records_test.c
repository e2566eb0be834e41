/* Records at their limits: deep, long, cut anywhere, and what is none. */
#include "common/formats.h"
#include "redact/json_record.h"
#include "redact/json_text.h"

#define VALUE   "q7RtWz90\"LmX\\cAb12"           /* needs escapes */
#define SPELLED "\\u00717RtWz90\\\"LmX\\\\cAb12" /* as nobody does */

static const char *const VALUES[] = {VALUE, NULL};

/* `text` in a string that is JSON, `depth` times. */
static void
wrap(const char *text, int depth, struct buf *out)
{
    AG_AUTO(buf) struct buf inner = {0};

    if (depth == 0) {
        check_ok(buf_add_str(out, text));
        return;
    }
    buf_init(&inner, 4096, BUF_PLAIN);
    wrap(text, depth - 1, &inner);
    check_ok(buf_add_str(out, "[\""));
    check_ok(json_text_encode(buf_view(&inner), out));
    check_ok(buf_add_str(out, "\"]"));
}

/* Three deep strings are decoded, and searched; what is deeper is spelled. */
static void
test_jsonl_as_deep_as_it_goes(void **state)
{
    (void)state;
    for (int depth = 1; depth <= 5; depth++) {
        AG_AUTO(buf) struct buf in = {0};
        AG_AUTO(buf) struct buf out = {0};
        bool is_seen = depth <= 4; /* the record itself, and three in it */

        buf_init(&in, 8192, BUF_PLAIN);
        buf_init(&out, 8192, BUF_PLAIN);
        wrap("[\"\\u00717RtWz90\\\"LmX\\\\cAb12\"]", depth - 1, &in);
        wrap(is_seen ? "[\"[redacted:v1]\"]"
                     : "[\"\\u00717RtWz90\\\"LmX\\\\cAb12\"]",
             depth - 1, &out);
        check_ok(buf_add_byte(&in, 0));
        check_ok(buf_add_byte(&out, 0));
        formats_check(VALUES, STREAM_JSONL, (const char *)in.ptr,
                      (const char *)out.ptr);
    }
}

static void
test_text_does_not_wait_for_its_line(void **state)
{
    struct formats_rig rig;

    (void)state;
    formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, NULL);
    formats_feed(&rig, "\t{\"a\":1");
    formats_expect(&rig, "");
    formats_feed(&rig, "}\n  so far: ");
    formats_expect(&rig, "\t{\"a\":1}\n  so far: ");
    formats_feed(&rig, "17 %");
    formats_expect(&rig, "17 %");
    formats_done(&rig);
}

/* Searched for what it says, as text is, and not for what it stands for. */
static void
test_a_record_that_is_too_long_is_text(void **state)
{
    size_t len = (size_t)2 * JSON_RECORD_MAX_BYTES + 20000;
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf want = {0};
    uint8_t *room = NULL;

    (void)state;
    buf_init(&text, FORMATS_OUT_BYTES, BUF_PLAIN);
    buf_init(&want, FORMATS_OUT_BYTES, BUF_PLAIN);
    check_ok(buf_add_str(&text, "[\""));
    check_ok(buf_room(&text, len, &room));
    memset(room, 'x', len);
    buf_grew(&text, len);
    check_ok(buf_add_str(&text, "\", "));
    wrap("[\"" SPELLED "\"]", 1, &text);
    check_ok(buf_add_str(&text, "]\n"));
    check_ok(buf_add(&want, buf_view(&text)));
    wrap("[\"" SPELLED "\"]", 1, &text);
    wrap("[\"[redacted:v1]\"]", 1, &want);
    for (size_t step = text.len; step > 0; step = step == 60000 ? 0 : 60000) {
        struct formats_rig rig;

        formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, NULL);
        for (size_t at = 0; at < text.len; at += step) {
            check_ok(
                format_feed(rig.filter, span_sub(buf_view(&text), at, step)));
            check_ok(format_settle(rig.filter));
        }
        check_ok(format_finish(rig.filter));
        assert_true(span_equal(buf_view(&rig.out), buf_view(&want)));
        formats_done(&rig);
    }
}

/* Each of its parts would be looked at by itself. */
static void
test_a_record_of_too_many_parts_is_text(void **state)
{
    struct formats_rig rig;
    AG_AUTO(buf) struct buf text = {0};

    (void)state;
    buf_init(&text, FORMATS_OUT_BYTES, BUF_PLAIN);
    check_ok(buf_add_str(&text, "["));
    for (int i = 0; i < 40000; i++) {
        check_ok(buf_add_str(&text, "1,"));
    }
    wrap("[\"" SPELLED "\"]", 1, &text);
    check_ok(buf_add_str(&text, "]\n"));
    formats_init(&rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, NULL);
    check_ok(format_feed(rig.filter, buf_view(&text)));
    check_ok(format_finish(rig.filter));
    assert_true(span_equal(buf_view(&rig.out), buf_view(&text)));
    formats_done(&rig);
}

/* The marker is in the record in which the value begins. */
static void
test_a_value_cut_anywhere(void **state)
{
    static const char VALUE_TEXT[] = VALUE;

    (void)state;
    for (size_t cut = 1; cut < strlen(VALUE_TEXT); cut++) {
        AG_AUTO(buf) struct buf in = {0};

        buf_init(&in, 4096, BUF_PLAIN);
        check_ok(buf_add_str(&in, "{\"delta\":\"x"));
        check_ok(json_text_encode(span_of(VALUE_TEXT, cut), &in));
        check_ok(buf_add_str(&in, "\"}\n{\"delta\":\""));
        check_ok(json_text_encode(span_str(VALUE_TEXT + cut), &in));
        check_ok(buf_add_str(&in, "y\"}\n"));
        check_ok(buf_add_byte(&in, 0));
        formats_check(VALUES, STREAM_JSONL, (const char *)in.ptr,
                      "{\"delta\":\"x[redacted:v1]\"}\n{\"delta\":\"y\"}\n");
    }
}

/* What is found behind the name it stands for is taken out, wherever it begins
 * or ends; what is not found stays as it was spelled. */
static void
test_a_value_around_a_text(void **state)
{
    static const char *const HEAD[] = {"ss\": \"q7RtWz90LmX", NULL};
    static const char *const TAIL[] = {"q7RtWz90LmX\"", NULL};
    static const char *const BOTH[] = {"ss\": \"q7RtWz9\"", NULL};
    static const char *const NAME[] = {"q7RtWz90LmX", NULL};

    (void)state;
    formats_check(HEAD, STREAM_JSONL,
                  "{\"pass\": \"q7RtWz90LmX.\", \"u\": \"\\u0041\"}\n",
                  "{\"pass\": \"[redacted:v1].\", \"u\": \"\\u0041\"}\n");
    formats_check(TAIL, STREAM_JSONL, "[\".q7RtWz90LmX\"]\n",
                  "[\".[redacted:v1]\"]\n");
    formats_check(BOTH, STREAM_JSONL, "{\"pass\":\"q7RtWz9\"}\n",
                  "{\"pass\":\"[redacted:v1]\"}\n");
    formats_check(NAME, STREAM_JSONL, "{\"q7RtWz90LmX\": \"\\u0041\"}\n",
                  "{\"[redacted:v1]\": \"\\u0041\"}\n");
}

#define PART(text) "{\"item_id\":\"i\",\"delta\":\"" text "\"}\n"

/* A short value counts as a word of its own, which it is in its part though not
 * in the text that the parts make; and the other way round. */
static void
test_a_word_in_a_part_or_in_the_text(void **state)
{
    static const char *const SHORT[] = {"q7Rt5", NULL};
    static const char *const TWO[] = {"q7Rt5", "Wz90LmXcAb12", NULL};

    (void)state;
    formats_check(SHORT, STREAM_JSONL,
                  PART("abc") PART("q7Rt5") PART("\\u0041"),
                  PART("abc") PART("[redacted:v1]") PART("\\u0041"));
    formats_check(SHORT, STREAM_JSONL, PART("abc q7") PART("Rt5 d"),
                  PART("abc [redacted:v1]") PART(" d"));
    /* One is found in the text, the other only when the part stands alone. */
    formats_check(TWO, STREAM_JSONL,
                  PART("abc") PART("q7Rt5 Wz90Lm") PART("XcAb12 d"),
                  PART("abc") PART("[redacted:v1] [redacted:v2]") PART(" d"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl_as_deep_as_it_goes),
        cmocka_unit_test(test_text_does_not_wait_for_its_line),
        cmocka_unit_test(test_a_record_that_is_too_long_is_text),
        cmocka_unit_test(test_a_record_of_too_many_parts_is_text),
        cmocka_unit_test(test_a_value_cut_anywhere),
        cmocka_unit_test(test_a_value_around_a_text),
        cmocka_unit_test(test_a_word_in_a_part_or_in_the_text),
    };

    matcher_enable_looks(false); /* whole forms are enough here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
