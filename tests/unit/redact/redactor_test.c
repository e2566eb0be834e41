/* The streaming filter: holes, hold-back, idle, lines, pieces. */
// CPU: plain
#include "rig.h"

/* ---- hold-back ---- */

static void
test_nothing_is_held_that_cannot_begin_a_match(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "q7RtWz90LmXc");
    feed(&rig, "prompt> ");
    expect(&rig, "prompt> ");
    assert_int_equal(redactor_held_bytes(rig.redactor), 0);
    feed(&rig, "q7Rt");
    expect(&rig, "");
    assert_int_equal(redactor_held_bytes(rig.redactor), 4);
    feed(&rig, "W");
    assert_int_equal(redactor_held_bytes(rig.redactor), 5);
    feed(&rig, "?");
    expect(&rig, "q7RtW?");
    assert_false(redactor_is_holding(rig.redactor));
    feed(&rig, "q7Rtq7RtWz90LmXc");
    expect(&rig, "q7Rt[redacted:n1]");
    finish(&rig, "");
}

/* The four phrases on which a masker with one counter per phrase fails. */
static void
test_values_that_repeat_their_beginning(void **state)
{
    static const char *const CASES[][4] = {
        {"aab-secret", "aa", "ab-secret", "a[redacted:n1]"},
        {"akakcmxpz", "xxakak", "akcmxpz", "xxak[redacted:n1]"},
        {"ghp_ghp_x1y2", "ghp_ghp_", "ghp_x1y2", "ghp_[redacted:n1]"},
        {"--x--y--z9", "----x--", "y--z9", "--[redacted:n1]"},
    };
    struct rig rig;
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(CASES); i++) {
        RIG(&rig, REDACTOR_OPERATOR, CASES[i][0]);
        feed(&rig, CASES[i][1]);
        feed(&rig, CASES[i][2]);
        finish(&rig, CASES[i][3]);
    }
}

static void
test_overlapping_values_are_one_hole(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "acegikmo", "kmoqsuwy");
    feed(&rig, "<acegikmoqsuwy> <acegikmo> <kmoqsuwykmoqsuwy>");
    finish(&rig, "<[redacted:n1]> <[redacted:n1]> "
                 "<[redacted:n2][redacted:n2]>");
}

static void
test_the_longest_of_several_names_the_hole(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "hunter2xyz", "hunter2xyz-longer");
    feed(&rig, "hunter2xyz");
    expect(&rig, ""); /* it may become the other one */
    feed(&rig, "-longe!");
    expect(&rig, "[redacted:n1]-longe!");
    feed(&rig, "hunter2xyz-longer");
    expect(&rig, "[redacted:n2]");
    assert_int_equal(rig.hits, 2);
    assert_int_equal(rig.last.id, 101);
    assert_int_equal(rig.last.offset, 17);
    assert_int_equal(rig.last.form, VARIANT_RAW);
    finish(&rig, "");
}

/* ---- idle ---- */

static void
test_idle_lets_out_a_quarter_and_redacts_the_rest(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "q7RtWz90LmXcAb12");
    feed(&rig, "$ q7RtWz");
    expect(&rig, "$ ");
    assert_true(redactor_is_holding(rig.redactor));
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "q7Rt");
    assert_false(redactor_is_holding(rig.redactor));
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "");
    feed(&rig, "90");
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "");
    feed(&rig, "LmXcAb12 end");
    expect(&rig, "[redacted:n1] end");
    feed(&rig, "q7Rt");
    check_ok(redactor_idle(rig.redactor));
    feed(&rig, "!");
    finish(&rig, "q7Rt!");
}

static void
test_idle_at_a_value_that_may_go_on(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "hunter2xyz", "hunter2xyz-longer", "k3pz9");
    feed(&rig, "pw hunter2xyz");
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "pw [redacted:n1]");
    feed(&rig, "-longer\n"); /* the same hole, longer after all */
    expect(&rig, "\n");
    feed(&rig, "pin k3pz9");
    expect(&rig, "pin ");
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "[redacted:n3]");
    feed(&rig, " ok");
    finish(&rig, " ok");
}

/* ---- short values ---- */

static void
test_short_values_are_whole_tokens(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "k3pz9");
    feed(&rig, "k3pz9 xk3pz9 k3pz9x k3pz9_ _k3pz9 =k3pz9; \\nk3pz9\\n "
               "%20k3pz9%20 \x1b[1;31mk3pz9\x1b[0m \\u0022k3pz9\\u0022 "
               "\xc3\xa4k3pz9 /k3pz9");
    finish(&rig, "[redacted:n1] xk3pz9 k3pz9x k3pz9_ _k3pz9 =[redacted:n1]; "
                 "\\n[redacted:n1]\\n %20[redacted:n1]%20 "
                 "\x1b[1;31m[redacted:n1]\x1b[0m "
                 "\\u0022[redacted:n1]\\u0022 \xc3\xa4k3pz9 /[redacted:n1]");
}

static void
test_weak_values_are_left_out(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "abc", "password", "aaaaaaaa", "12345678");
    assert_int_equal(matcher_count(rig.set), 4);
    assert_int_equal(matcher_entry_count(rig.set), 0);
    feed(&rig, "abc password aaaaaaaa 12345678");
    finish(&rig, "abc password aaaaaaaa 12345678");
}

/* ---- several lines ---- */

static void
test_each_full_line_of_a_key_counts(void **state)
{
    static const char *const CASES[][2] = {
        {KEY, "[redacted:n1]\n"},
        {"+-----BEGIN PRIVATE KEY-----\r\n"
         "+AK99NEec7c6jymIZNf6YTtburAhYX49WqoMcB5K5PBs2sD6crsh2d6OQm79+o36J"
         "\r\n",
         "+-----BEGIN PRIVATE KEY-----\r\n+[redacted:n1]\r\n"},
        {"\xe2\x94\x82 12 "
         "kKV+0gHtNRu/d4j1/PMhDnz1inu9Z4MGyAKE/bsdV2IfEUs0hoKj9c1HNSssiiPE "
         "\xe2\x94\x82",
         "\xe2\x94\x82 12 [redacted:n1] \xe2\x94\x82"},
        {"-----BEGIN PRIVATE KEY-----\nother\n",
         "-----BEGIN PRIVATE KEY-----\nother\n"},
    };
    struct rig rig;
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(CASES); i++) {
        RIG(&rig, REDACTOR_OPERATOR, KEY);
        feed(&rig, CASES[i][0]);
        finish(&rig, CASES[i][1]);
    }
}

/* The first line of a key may be that of every other one too. */
static void
test_a_line_is_told_as_a_part_and_the_whole_as_itself(void **state)
{
    static const char LINE[] =
        "> AK99NEec7c6jymIZNf6YTtburAhYX49WqoMcB5K5PBs2sD6crsh2d6OQm79+o36J\n";
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, KEY);
    feed(&rig, LINE);
    assert_int_equal(rig.hits, 1);
    assert_int_equal(rig.last.form, VARIANT_FRAGMENT);
    feed(&rig, KEY);
    finish(&rig, "> [redacted:n1]\n[redacted:n1]\n");
    assert_int_equal(rig.hits, 2);
    assert_int_equal(rig.last.form, VARIANT_RAW);
}

static void
test_blanks_around_a_value_do_not_count(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "  q7RtWz90LmXc\n\n");
    feed(&rig, "[q7RtWz90LmXc]");
    finish(&rig, "[[redacted:n1]]");
}

static void
test_a_long_value_counts_by_pieces(void **state)
{
    static char value[20000];
    AG_AUTO(buf) struct buf text = {0};
    struct rig rig;
    struct variant_gen gen;
    uint8_t out[512];
    uint32_t x = 1;
    size_t n;
    size_t i;

    (void)state;
    for (i = 0; i + 1 < sizeof(value); i++) {
        x = x * 1664525 + 1013904223;
        value[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[x >> 27];
    }
    RIG(&rig, REDACTOR_OPERATOR, value);
    assert_true(matcher_longest_bytes(rig.set) <=
                (size_t)MATCHER_PIECE_MAX_BYTES * VARIANT_GROWTH_MAX);
    feed(&rig, "<");
    for (i = 0; i + 1 < sizeof(value); i += 1000) {
        check_ok(
            redactor_feed(rig.redactor, span_sub(span_str(value), i, 1000)));
    }
    feed(&rig, ">");
    expect(&rig, "<[redacted:n1]>");
    assert_int_equal(rig.hits, 1);
    buf_init(&text, 2 * sizeof(value), BUF_PLAIN); /* and in base64 */
    variant_begin(&gen, VARIANT_B64_1, span_str(value));
    while ((n = variant_next(&gen, out, sizeof(out))) > 0) {
        check_ok(buf_add(&text, span_of(out, n)));
    }
    check_ok(redactor_feed(rig.redactor, buf_view(&text)));
    finish(&rig, "[redacted:n1]");
}

/* ---- the rest ---- */

static void
test_another_set_from_the_next_part_on(void **state)
{
    const struct matcher_value late = {
        .id = 5, .name = span_str("late"), .value = span_str("q7RtXy77KmPd")};
    struct matcher *set = NULL;
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "q7RtWz90LmXc");
    feed(&rig, "q7RtXy77KmPd q7Rt");
    expect(&rig, "q7RtXy77KmPd ");
    check_ok(matcher_build(&late, 1, &set));
    check_ok(redactor_use(rig.redactor, set));
    matcher_unref(rig.set);
    rig.set = set;
    feed(&rig, "Xy77KmPd q7RtWz90LmXc");
    finish(&rig, "[redacted:late] q7RtWz90LmXc");
}

static enum ag_err
refuse(void *ctx, struct span part)
{
    (void)ctx;
    (void)part;
    return AG_EIO;
}

static void
test_errors_of_the_next_sink_come_back(void **state)
{
    const struct redactor_options options = {.marker = NULL};
    const struct sink sink = {.feed = refuse};
    const char *value[] = {"q7RtWz90LmXc"};
    struct redactor *r = NULL;
    struct rig rig;

    (void)state;
    rig_init(&rig, REDACTOR_OPERATOR, value, 1);
    check_ok(redactor_new(&options, &sink, &r));
    check_ok(redactor_use(r, rig.set));
    check_ok(redactor_feed(r, span_str("q7Rt")));
    check_err(redactor_feed(r, span_str("q7Rt ")), AG_EIO);
    redactor_free(r);
    finish(&rig, "");
}

static void
test_as_a_sink_in_a_chain(void **state)
{
    const struct redactor_options options = {.marker = "<%s>"};
    struct rig rig;
    struct redactor *outer = NULL;
    struct sink inner;
    struct sink chain;

    (void)state;
    RIG(&rig, REDACTOR_OPERATOR, "q7RtWz90LmXc");
    inner = redactor_sink(rig.redactor);
    check_ok(redactor_new(&options, &inner, &outer));
    check_ok(redactor_use(outer, rig.set));
    chain = redactor_sink(outer);
    check_ok(sink_feed(&chain, span_str("a q7RtWz90LmXc q7Rt")));
    check_ok(sink_finish(&chain));
    expect(&rig, "a <n1> q7Rt");
    redactor_free(outer);
    rig_done(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_held_that_cannot_begin_a_match),
        cmocka_unit_test(test_values_that_repeat_their_beginning),
        cmocka_unit_test(test_overlapping_values_are_one_hole),
        cmocka_unit_test(test_the_longest_of_several_names_the_hole),
        cmocka_unit_test(test_idle_lets_out_a_quarter_and_redacts_the_rest),
        cmocka_unit_test(test_idle_at_a_value_that_may_go_on),
        cmocka_unit_test(test_short_values_are_whole_tokens),
        cmocka_unit_test(test_weak_values_are_left_out),
        cmocka_unit_test(test_each_full_line_of_a_key_counts),
        cmocka_unit_test(test_a_line_is_told_as_a_part_and_the_whole_as_itself),
        cmocka_unit_test(test_blanks_around_a_value_do_not_count),
        cmocka_unit_test(test_a_long_value_counts_by_pieces),
        cmocka_unit_test(test_another_set_from_the_next_part_on),
        cmocka_unit_test(test_errors_of_the_next_sink_come_back),
        cmocka_unit_test(test_as_a_sink_in_a_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
