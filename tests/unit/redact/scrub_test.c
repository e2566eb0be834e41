/* One text after another, in pieces with borders. */
#include "redact/scrub.h"
#include "unit/redact/rig.h"

enum {
    PIECES_MAX_COUNT = 70000,
    EMPTY_COUNT = 20000, /* borders under one value that is open */
};

/* What came out, and where the borders were in it. */
struct pieces {
    struct buf out;
    size_t borders[PIECES_MAX_COUNT];
    size_t count;
    size_t hits;
};

static struct pieces got;

static enum ag_err
out(void *ctx, struct span part)
{
    struct pieces *p = ctx;

    return buf_add(&p->out, part);
}

static enum ag_err
border(void *ctx)
{
    struct pieces *p = ctx;

    assert_in_range(p->count, 0, PIECES_MAX_COUNT - 1);
    p->borders[p->count++] = p->out.len;
    return AG_OK;
}

static void
hit(void *ctx, const struct redactor_hit *hit)
{
    struct pieces *p = ctx;

    (void)hit;
    p->hits++;
}

static struct matcher *
set_of(const char *name, const char *value)
{
    const struct matcher_value values[] = {
        {.id = 1, .name = span_str(name), .value = span_str(value)}};
    struct matcher *set = NULL;

    check_ok(matcher_build(values, 1, &set));
    return set;
}

static struct scrub *
scrub_of(const struct matcher *set, const char *marker, bool repeats)
{
    const struct scrub_terms terms = {
        .options = {.audience = REDACTOR_OPERATOR,
                    .marker = marker,
                    .hit_ctx = &got,
                    .on_hit = hit},
        .is_known = true,
        .repeats = repeats,
        .on_border = border,
        .border_ctx = &got,
    };
    const struct sink sink = {.ctx = &got, .feed = out};
    struct scrub *s = NULL;

    got.count = 0;
    got.hits = 0;
    buf_init(&got.out, OUT_BYTES, BUF_PLAIN);
    check_ok(scrub_new(&terms, &sink, &s));
    check_ok(scrub_use(s, set));
    return s;
}

static void
check_out(struct span text, const char *want)
{
    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.ptr, want, text.len);
}

/* A marker of nothing but the name, and the value has none. */
static void
test_a_hole_that_leaves_nothing(void **state)
{
    static const char *const MARKERS[] = {"%s", ""};
    char tail[400];

    (void)state;
    memset(tail, 'x', sizeof(tail) - 1);
    tail[sizeof(tail) - 1] = '\0'; /* longer than any marker */
    for (size_t i = 0; i < AG_COUNT(MARKERS); i++) {
        struct matcher *set = set_of("", "q7RtWz90LmXcAb12");
        struct scrub *s = scrub_of(set, MARKERS[i], false);

        check_ok(scrub_feed(s, span_str("a q7RtWz90")));
        check_ok(scrub_border(s));
        check_ok(scrub_feed(s, span_str("LmXcAb12")));
        check_ok(scrub_border(s));
        check_ok(scrub_feed(s, span_str(tail)));
        check_ok(scrub_border(s));
        check_ok(scrub_finish(s));
        assert_int_equal(got.hits, 1);
        assert_int_equal(got.count, 3);
        assert_int_equal(got.borders[0], 2);
        assert_int_equal(got.borders[1], 2);
        check_out(span_sub(buf_view(&got.out), 0, 2), "a ");
        check_out(span_sub(buf_view(&got.out), 2, OUT_BYTES), tail);
        scrub_free(s);
        matcher_unref(set);
        buf_done(&got.out);
    }
}

/* Each keeps its place, however many wait for one value to be decided. */
static void
test_many_borders(void **state)
{
    struct matcher *set = set_of("n", "q7RtWz90LmXcAb12");
    struct scrub *s = scrub_of(set, NULL, false);
    size_t count = 0;

    (void)state;
    check_ok(scrub_feed(s, span_str("q7RtWz90")));
    for (; count < EMPTY_COUNT; count++) {
        check_ok(scrub_border(s));
    }
    check_ok(scrub_feed(s, span_str("LmX!")));
    assert_int_equal(got.count, EMPTY_COUNT);
    for (size_t i = 0; i < EMPTY_COUNT; i++) {
        assert_int_equal(got.borders[i], 8);
    }
    check_ok(scrub_finish(s));
    assert_int_equal(got.count, EMPTY_COUNT);
    scrub_free(s);
    matcher_unref(set);
    buf_done(&got.out);
}

/* The first are passed while those behind them wait. */
static void
test_borders_come_and_go(void **state)
{
    struct matcher *set = set_of("n", "q7Rtq7RtWz90LmXc");
    struct scrub *s = scrub_of(set, NULL, false);
    size_t most = 0;

    (void)state;
    for (size_t i = 0; i < EMPTY_COUNT; i++) {
        check_ok(scrub_feed(s, span_str(i % 2 == 0 ? "q7" : "Rt")));
        check_ok(scrub_border(s));
        most = i + 1 - got.count > most ? i + 1 - got.count : most;
    }
    assert_in_range(most, 3, 8);
    check_ok(scrub_finish(s));
    assert_int_equal(got.count, EMPTY_COUNT);
    for (size_t i = 0; i < EMPTY_COUNT; i++) {
        assert_int_equal(got.borders[i], 2 * (i + 1));
    }
    scrub_free(s);
    matcher_unref(set);
    buf_done(&got.out);
}

/* What a hole takes of the pieces behind the one where it begins is told in
 * each. */
static void
test_a_marker_in_each_piece(void **state)
{
    struct matcher *set = set_of("n", "q7RtWz90LmXcAb12");
    struct scrub *s = scrub_of(set, "<%s>", true);

    (void)state;
    check_ok(scrub_feed(s, span_str("a q7Rt")));
    check_ok(scrub_border(s));
    check_ok(scrub_feed(s, span_str("Wz90")));
    check_ok(scrub_border(s));
    check_ok(scrub_feed(s, span_str("LmXcAb12 b")));
    check_ok(scrub_finish(s));
    check_out(buf_view(&got.out), "a <n><n><n> b");
    assert_int_equal(got.borders[0], 5);
    assert_int_equal(got.borders[1], 8);
    assert_int_equal(got.hits, 1);
    scrub_free(s);
    matcher_unref(set);
    buf_done(&got.out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hole_that_leaves_nothing),
        cmocka_unit_test(test_many_borders),
        cmocka_unit_test(test_borders_come_and_go),
        cmocka_unit_test(test_a_marker_in_each_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
