/* Records and marked lines with values that are known by fingerprints. */
#include "common/check.h"
#include "redact/format.h"
#include "redact/lockmem.h"
#include "redact/prints.h"

#define VALUE  "B5nY8uE1aMxK9\"/\\vQ2&mT7+pL4<wZ8sR3"
#define QUOTED "B5nY8uE1aMxK9\\\"/\\\\vQ2&mT7+pL4<wZ8sR3"
#define HALF   "B5nY8uE1aMxK9"
#define REST   "\\\"/\\\\vQ2&mT7+pL4<wZ8sR3"

enum {
    OUT_BYTES = 1 << 20,
};

static struct prints *set;
static size_t hits;

static int
make(void **state)
{
    AG_AUTO(prints_maker) struct prints_maker *m = NULL;
    AG_AUTO(buf) struct buf file = {0};
    const struct matcher_value value = {.name = span_str("odd/one"),
                                        .value = span_str(VALUE)};
    enum prints_fate fate = PRINTS_SHORT;

    (void)state;
    buf_init(&file, PRINTS_FILE_MAX_BYTES, BUF_PLAIN);
    check_ok(prints_maker_new(&m));
    check_ok(prints_maker_add(m, &value, &fate));
    assert_int_equal(fate, PRINTS_TAKEN);
    check_ok(prints_maker_write(m, 1234, &file));
    check_ok(prints_load(buf_view(&file), &set));
    return 0;
}

static int
done(void **state)
{
    (void)state;
    prints_free(set);
    return 0;
}

static enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
count(void *ctx, const struct redactor_hit *hit)
{
    (void)ctx;
    check_span(hit->name, "odd/one");
    hits++;
}

/* In one part, and byte by byte. */
static void
check(enum format format, const char *in, const char *want, size_t want_hits)
{
    for (int turn = 0; turn < 2; turn++) {
        AG_AUTO(format_filter) struct format_filter *f = NULL;
        AG_AUTO(buf) struct buf out = {0};
        const struct scrub_terms terms = {.options = {.on_hit = count},
                                          .prints = set};
        const struct sink sink = {.ctx = &out, .feed = take};
        size_t step = turn == 0 ? strlen(in) : 1;

        hits = 0;
        buf_init(&out, OUT_BYTES, BUF_PLAIN);
        check_ok(format_new(format, &terms, &sink, &f));
        for (struct span rest = span_str(in); rest.len > 0;
             rest = span_sub(rest, step, rest.len)) {
            check_ok(format_feed(f, span_sub(rest, 0, step)));
            check_ok(format_settle(f));
            check_ok(format_idle(f));
            assert_false(format_is_holding(f));
        }
        check_ok(format_finish(f));
        check_span(buf_view(&out), want);
        assert_int_equal(hits, want_hits);
    }
    assert_int_equal(lockmem_used_bytes(), 0);
}

static void
test_records(void **state)
{
    (void)state;
    check(STREAM_JSONL,
          "{\"a\":\"x " QUOTED " y\",\"\\u0062\":[1,\"\\u0041\"]}\nand " VALUE
          "\n{}\n",
          "{\"a\":\"x [redacted:odd/one] y\",\"\\u0062\":[1,\"\\u0041\"]}\nand "
          "[redacted:odd/one]\n{}\n",
          2);
    check(STREAM_JSON, "{\n\"" QUOTED "\": [\"" QUOTED "\"]\n}",
          "{\n\"[redacted:odd/one]\": [\"[redacted:odd/one]\"]\n}", 2);
}

#define PART(id, text) "{\"item_id\":\"" id "\",\"delta\":\"" text "\"}\n"

static void
test_texts_in_parts(void **state)
{
    (void)state;
    check(STREAM_JSONL,
          PART("i", "is " HALF) PART("j", "b") PART("i", REST ".") "{}\n",
          PART("i", "is [redacted:odd/one]") PART("j", "b") PART("i", ".") "{}"
                                                                           "\n",
          1);
    check(
        STREAM_SSE,
        "data: " PART("i", HALF) "\n"
                                 "data: " PART("i", REST " b") "\n",
        "data: " PART("i", "[redacted:odd/one]") "\n"
                                                 "data: " PART("i", " b") "\n",
        1);
}

static void
test_a_text_that_ends_in_a_value(void **state)
{
    (void)state;
    check(STREAM_JSONL, PART("i", HALF) PART("i", REST) "{}\n",
          PART("i", "[redacted:odd/one]") PART("i", "") "{}\n", 1);
    check(STREAM_DIFF, "+a\n+" VALUE, "+a\n+[redacted:odd/one]", 1);
}

static void
test_marked_lines(void **state)
{
    (void)state;
    check(STREAM_DIFF, "-a\n+" VALUE "\n b\n", "-a\n+[redacted:odd/one]\n b\n",
          1);
    check(STREAM_MARKDOWN, "> a\r\n> - " VALUE " `c`\r\n12. d",
          "> a\r\n> - [redacted:odd/one] `c`\r\n12. d", 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_texts_in_parts),
        cmocka_unit_test(test_a_text_that_ends_in_a_value),
        cmocka_unit_test(test_marked_lines),
    };

    return cmocka_run_group_tests(tests, make, done);
}
