/* Streams in a format: records through the process, waiting and let out. */
#include "unit/privsep/filter_rig.h"

enum {
    FAR_COUNT = 4000, /* records: several reads, most of them without a hit */
};

static void
open_format(struct fixture *f, struct stream *s, enum format format)
{
    const struct filter_options options = {.format = format, .marker = "<%s>"};

    check_ok(try_open(f, s, &options));
}

static void
test_records(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", "q7RtWz90\"LmX\\cAb12");
    (void)commit(f);
    open_format(f, &s, STREAM_JSONL);
    say(&s, "{\"a\": \"\\u00717RtWz90\\\"LmX\\\\cAb12\"}\n{\"b\":1}\n");
    hear(&s, "{\"a\": \"<github/bot>\"}\n{\"b\":1}\n");
    fd_close(s.in);
    s.in = -1;
    hear_end(&s);
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 1);
    assert_string_equal(s.row_name, "github/bot");
}

#define DELTA(text) "{\"item_id\":\"i\",\"delta\":\"" text "\"}\n"

/* A part that may begin a value waits, and not for ever. */
static void
test_parts_wait(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_format(f, &s, STREAM_JSONL);
    say(&s, DELTA("it is gh"));
    hear(&s, DELTA("it is gh"));
    say(&s, DELTA("p_38aIBnYYURLgfB0eKJkwreHBIgJ") "{}\n");
    say(&s, DELTA("LVHKtP3sk!"));
    hear(&s, DELTA("<github/bot>") "{}\n" DELTA("!"));
    fd_close(s.in);
    s.in = -1;
    hear_end(&s);
    shut(&s, AG_OK);
}

/* Whatever the reads cut. */
static void
test_many_records(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    uint64_t bytes = 0;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_format(f, &s, STREAM_JSONL);
    for (int i = 0; i < FAR_COUNT; i++) {
        char line[256];

        (void)snprintf(line, sizeof(line), "{\"n\":%d,\"text\":\"%s %100d\"}\n",
                       i, i % 100 == 0 ? "Z2hwXzM4YUlC" : "x", i);
        say(&s, line);
        hear(&s, line);
        bytes += strlen(line);
    }
    say(&s, "{\"text\":\"" BASE64 "\"}\n");
    hear(&s, "{\"text\":\"<github/bot>w==\"}\n");
    fd_close(s.in);
    s.in = -1;
    hear_end(&s);
    shut(&s, AG_OK);
    assert_int_equal(s.bytes_in, bytes + strlen("{\"text\":\"" BASE64 "\"}\n"));
}

static void
test_events(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_format(f, &s, STREAM_SSE);
    say(&s, "event: x\ndata: {\"a\":\"" VALUE "\"}\n\n");
    hear(&s, "event: x\ndata: {\"a\":\"<github/bot>\"}\n\n");
    fd_close(s.in);
    s.in = -1;
    hear_end(&s);
    shut(&s, AG_OK);
}

/* Where the record begins, in whose string it is, or in which of its parts. */
static void
test_records_that_are_only_searched(void **state)
{
    const struct filter_options options = {.format = STREAM_JSONL,
                                           .places = true};
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, &options));
    say(&s, "{}\n{\"a\":\"\\u0067hp_38aIBnYYURLgfB0eKJkwreHBIgJLVHKtP3sk\"}\n");
    say(&s, DELTA("ghp_38aIBnYYURLgfB0e") DELTA("KJkwreHBIgJLVHKtP3sk"));
    fd_close(s.in);
    s.in = -1;
    hear(&s, "3 raw github/bot\n57 raw github/bot\n");
    hear_end(&s);
    shut(&s, AG_OK);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_records),
        RIG_ROW(test_parts_wait),
        RIG_ROW(test_many_records),
        RIG_ROW(test_events),
        RIG_ROW(test_records_that_are_only_searched),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
