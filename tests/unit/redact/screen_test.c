/* What a terminal makes of a text, and masks of equal width. */
#include "redact/hide.h"
#include "redact/screen.h"
#include "unit/redact/rig.h"

#define VALUE "q7Xw9zKp2vLm4Rt8"
#define MASK  "****************"
#define NAME  "[redacted:n1]"

enum {
    VALUE_BYTES = sizeof(VALUE) - 1,
};

/* ---- the watcher ---- */

static bool
is_drawn(const char *text, size_t piece)
{
    struct screen s = {.state = SCREEN_TEXT};
    struct span rest = span_str(text);

    while (rest.len > 0) {
        screen_pass(&s, span_sub(rest, 0, piece));
        rest = span_sub(rest, piece, rest.len);
    }
    return screen_is_drawn(&s);
}

static const struct {
    const char *text;
    bool drawn;
} DRAWN[] = {
    {"plain \033[1;31mred\033[0m\033[K\n", false},
    {"a\r\nb\tc", false},
    {"\033[?1049h", true},
    {"\033[?47h", true},
    {"\033[?1047h", true},
    {"\033[?1;1049;25h", true},
    {"\033[?1049h\033[5;7Hx\033[?1049l", false},
    {"\033[1049h", false},
    {"\033[>1049h", false},
    {"\033[?2004h$ ", true},
    {"\033[?2004h$ ls\r\n\033[?2004l\r", false},
    {"\033[?2026h", true},
    {"\033[?2026h\033[?2026l", true}, /* what it drew is there */
    {"\033[H\033[2J", true},
    {"\033[3A", true},
    {"\033[2;10r", true},
    {"\033M", true},
    {"\0338", true},
    {"\033(8\033)M", false}, /* names of character sets */
    {"\033( c\033[H", true},
    {"\033[H\033( c", true},
    {"\033\r[H", true},                /* the \r is done within it */
    {"\033[?u\033[>7u\033[<u", false}, /* asks for keys */
    {"\033[Hx\033c", false},
    {"abc\b", true},
    {"abc\033[2D", true},
    {"\033[2C", false}, /* nothing was there */
    {"abc\r", true},
    {"abc\rx", true},
    {"abc\rx\n", false},
    {"abc\b\n", false},
    {"\033]0;\033[Hx\007", true}, /* broken off by it */
    {"\033]0;abc\bd\007", false},
    {"\033P1;2q abc\b\033\\", false},
    {"\033[12\0301A", false}, /* CAN */
    {"\033(Babc", false},
};

static void
test_where_columns_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(DRAWN); i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            assert_int_equal(is_drawn(DRAWN[i].text, piece), DRAWN[i].drawn);
        }
    }
}

static void
test_a_drawing_is_over_after_some_lines(void **state)
{
    struct screen s = {.state = SCREEN_TEXT};

    (void)state;
    screen_pass(&s, span_str("\033[2Ax"));
    for (size_t i = 0; i < SCREEN_LINES_COUNT; i++) {
        assert_true(screen_is_drawn(&s));
        screen_pass(&s, span_str("line\r\n"));
    }
    assert_false(screen_is_drawn(&s));
}

static void
test_columns(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
    } CASES[] = {
        {"abc", 3},
        {"a\033[1;31mb\033]0;title\007c\n", 3},
        {"\xc3\xa4\xe2\x82\xac", 2},
        {"\xe6\xbc\xa2\xf0\x9f\x98\x80", 4},
        {"e\xcc\x81\xe2\x80\x8b", 1},
        {"a\033(]bc\033#8d\033( Be", 5}, /* no string begins */
        {"\xff\x80\xc3", 2},             /* no characters; the last goes on */
    };
    const struct screen s = {.state = SCREEN_TEXT};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        assert_int_equal(screen_columns(&s, span_str(CASES[i].text)),
                         CASES[i].columns);
    }
}

/* ---- a terminal's stream ---- */

static void
begin(struct rig *rig, const char *value)
{
    const struct redactor_options options = {.is_terminal = true};
    const struct sink sink = {.ctx = &rig->out, .feed = take};

    RIG(rig, REDACTOR_OPERATOR, value);
    check_ok(redactor_restart(rig->redactor, &options, &sink));
    check_ok(redactor_use(rig->redactor, rig->set));
}

/* The same whatever the pieces. */
static void
expect_masked(const char *value, const char *text, const char *shown)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct span rest = span_str(text);
        struct rig rig;

        begin(&rig, value);
        while (rest.len > 0) {
            check_ok(redactor_feed(rig.redactor, span_sub(rest, 0, piece)));
            rest = span_sub(rest, piece, rest.len);
        }
        finish(&rig, shown);
    }
}

static void
test_a_name_or_as_many_columns(void **state)
{
    (void)state;
    expect_masked(VALUE, "a " VALUE " b\n", "a " NAME " b\n");
    expect_masked(VALUE, "\033[?1049h\033[2;3H" VALUE "|\033[?1049l" VALUE "\n",
                  "\033[?1049h\033[2;3H" MASK "|\033[?1049l" NAME "\n");
    expect_masked(VALUE, VALUE "\r" VALUE "\n" VALUE "\n",
                  NAME "\r" MASK "\n" NAME "\n");
    expect_masked(VALUE VALUE, "\033[H" VALUE VALUE ".",
                  "\033[H" MASK MASK ".");
}

static void
test_wide_characters_and_lines_keep_their_places(void **state)
{
    (void)state;
    expect_masked("\xe6\xbc\xa2\xe5\xad\x97pass\xc3\xa4word",
                  "\033[H\xe6\xbc\xa2\xe5\xad\x97pass\xc3\xa4word|",
                  "\033[H*************|");
    expect_masked("first-line-of-it\nsecond-line-of-it",
                  "\033[Hfirst-line-of-it\nsecond-line-of-it|",
                  "\033[H****************\n*****************|");
    expect_masked("first-line\twith-a-tab", "\033[Hfirst-line\twith-a-tab|",
                  "\033[H**********\t**********|");
}

/* In a title there are no columns. */
static void
test_a_title_has_a_name(void **state)
{
    (void)state;
    expect_masked(VALUE, "\033[?1049h\033]0;" VALUE "\007" VALUE,
                  "\033[?1049h\033]0;" NAME "\007" MASK);
}

/* What a hole cuts off, the terminal must not wait for. */
static void
test_a_sequence_that_is_cut_off(void **state)
{
    (void)state;
    expect_masked("31;" VALUE, "\033[?1049h\033[31;" VALUE,
                  "\033[?1049h\033[\030***" MASK);
}

/* ---- holes with sequences in them ---- */

static void
over(const char *hole, const char *shown, const char *behind)
{
    for (size_t piece = 1; piece <= strlen(hole); piece++) {
        struct span rest = span_str(hole);
        struct buf out;
        const struct sink next = {.ctx = &out, .feed = take};
        struct hide h;

        buf_init(&out, OUT_BYTES, BUF_PLAIN);
        check_ok(hide_init(&h, NULL, true));
        check_ok(hide_pass(&h, &next, span_str("\033[H")));
        check_ok(hide_begin(&h, &next, span_str("n1")));
        while (rest.len > 0) {
            check_ok(hide_over(&h, &next, span_sub(rest, 0, piece)));
            rest = span_sub(rest, piece, rest.len);
        }
        check_ok(hide_pass(&h, &next, span_str(behind)));
        check_span(buf_view(&out), shown);
        /* The next is one of the screen again. */
        buf_clear(&out);
        check_ok(hide_begin(&h, &next, span_str("n2")));
        check_ok(hide_over(&h, &next, span_str("xy")));
        check_span(buf_view(&out), "**");
        buf_done(&out);
    }
}

static void
test_colours_in_a_hole_stay(void **state)
{
    (void)state;
    over("abc\033[1;31mdef", "\033[H***\033[1;31m***.", ".");
    over("ab\bc\r\nd", "\033[H**\b*\r\n*.", ".");
    over("ab\033]0;title\007cd", "\033[H****.", ".");
    over("ab\033P1q\033\\cd\033[m", "\033[H****\033[m.", ".");
    over("ab\033]0;title\033[1mcd", "\033[H**\033[1m**.", ".");
    over("ab\033[3", "\033[H**\033[31m.", "1m.");
    over("ab\033]0;", "\033[H**left.", "left.");
    over("ab\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16mc", "\033[H***.", ".");
    over("ab\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16", "\033[H**m.", "m.");
    over("a\001b\177c", "\033[H***.", ".");
}

/* ---- a letter at a time ---- */

static void
pause_shows(struct rig *rig, const char *text, const char *shown)
{
    feed(rig, text);
    check_ok(redactor_pause(rig->redactor));
    expect(rig, shown);
}

static void
test_a_typed_letter_shows_at_once(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, VALUE "Jd3Hs6Bn");
    feed(&rig, "q");
    expect(&rig, "");
    check_ok(redactor_pause(rig.redactor));
    expect(&rig, "q");
    pause_shows(&rig, "7X", "7X");
    pause_shows(&rig, "w", "w");
    pause_shows(&rig, "9", ""); /* the fifth waits */
    assert_true(redactor_is_holding(rig.redactor));
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "9");
    feed(&rig, "zKp2vLm4Rt8Jd3Hs6Bn.");
    finish(&rig, NAME ".");
}

/* Of a longer piece nothing shows without the idle time. */
static void
test_a_pause_in_what_is_printed(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, VALUE "Jd3Hs6Bn");
    pause_shows(&rig, "x q7Xw9", "x ");
    feed(&rig, "zKp2vLm4Rt8Jd3Hs6Bn.");
    finish(&rig, NAME ".");
    /* A quarter, where that is less. */
    begin(&rig, "q7Xw9zKp");
    pause_shows(&rig, "q7X", "q7");
    finish(&rig, "X");
    /* What may be whole is not decided. */
    begin(&rig, "q7Xw");
    pause_shows(&rig, "q7Xw", "");
    feed(&rig, "efg");
    finish(&rig, "q7Xwefg");
}

static void
test_a_character_shows_whole(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, "\xe2\x82\xac\xc3\xa4q7Xw9zKp2vL"); /* a quarter: 4 of 16 */
    pause_shows(&rig, "\xe2\x82\xac\xc3\xa4", "\xe2\x82\xac");
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "");
    finish(&rig, "\xc3\xa4");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_columns_are_counted),
        cmocka_unit_test(test_a_drawing_is_over_after_some_lines),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_a_name_or_as_many_columns),
        cmocka_unit_test(test_wide_characters_and_lines_keep_their_places),
        cmocka_unit_test(test_a_title_has_a_name),
        cmocka_unit_test(test_a_sequence_that_is_cut_off),
        cmocka_unit_test(test_colours_in_a_hole_stay),
        cmocka_unit_test(test_a_typed_letter_shows_at_once),
        cmocka_unit_test(test_a_pause_in_what_is_printed),
        cmocka_unit_test(test_a_character_shows_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
