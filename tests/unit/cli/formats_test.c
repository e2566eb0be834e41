/* Which format a text is read in, as said and by its name. */
#include "common/check.h"
#include "formats.h"

static void
test_as_it_was_said(void **state)
{
    (void)state;
    for (enum format f = STREAM_TEXT; f < STREAM_COUNT; f++) {
        struct format_wish wish = {.by_name = true};

        check_ok(format_wish_parse(format_name(f), &wish));
        assert_int_equal(format_wish_of(&wish, "x.jsonl"), f);
    }
}

static void
test_what_is_no_format(void **state)
{
    static const char *const BAD[] = {"", "JSON", "jsonlines", "tex"};
    struct format_wish wish = {.format = STREAM_SSE};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(format_wish_parse(BAD[i], &wish), AG_EUSAGE);
    }
    assert_int_equal(wish.format, STREAM_SSE);
}

static void
test_by_its_name(void **state)
{
    static const struct {
        const char *name;
        enum format format;
    } CASES[] = {
        {"rollout-1.jsonl", STREAM_JSONL},
        {"/a/b.JSONL.zst", STREAM_JSONL},
        {"x.ndjson.gz", STREAM_JSONL},
        {"a.json", STREAM_JSON},
        {"a.sse", STREAM_SSE},
        {"README.md", STREAM_MARKDOWN},
        {"notes.markdown", STREAM_MARKDOWN},
        {"0001-x.patch", STREAM_DIFF},
        {"x.diff.gz", STREAM_DIFF},
        {"-", STREAM_TEXT},
        {"", STREAM_TEXT},
        {"log", STREAM_TEXT},
        {".json", STREAM_TEXT},
        {"json", STREAM_TEXT},
        {"a.jsonx", STREAM_TEXT},
        {"a.gz", STREAM_TEXT},
        {"a.json.bak", STREAM_TEXT},
        {"a.json.gz.gz", STREAM_TEXT},
    };
    struct format_wish wish = {.format = STREAM_TEXT};

    (void)state;
    check_ok(format_wish_parse("auto", &wish));
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        if (format_wish_of(&wish, CASES[i].name) != CASES[i].format) {
            fail_msg("%s", CASES[i].name);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_was_said),
        cmocka_unit_test(test_what_is_no_format),
        cmocka_unit_test(test_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
