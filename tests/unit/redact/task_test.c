/* The streaming filter for a task: it tells nothing but of whole values. */
#include "rig.h"

static void
test_a_task_sees_whole_lines_only(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_TASK, "q7RtWz90LmXc", "k3pz9");
    feed(&rig, "some text without an end");
    expect(&rig, "");
    check_ok(redactor_idle(rig.redactor));
    expect(&rig, "");
    feed(&rig, " q7RtWz90LmX");
    feed(&rig, "c k3pz9\nnext");
    expect(&rig, "some text without an end [redacted:n1] k3pz9\n");
    feed(&rig, "\n");
    expect(&rig, "next\n");
    feed(&rig, "tail q7Rt");
    finish(&rig, "tail q7Rt");
}

/* What comes out when is the same for a text with the beginning of a value and
 * one without, wherever it is cut: an echoing service that pauses would tell a
 * task, byte by byte. */
static void
check_same_pace(const char *value, const char *text, const char *guess,
                const char *miss)
{
    struct rig rig;
    size_t paces[2][3];
    size_t i;

    for (i = 0; i < 2; i++) {
        RIG(&rig, REDACTOR_TASK, value);
        feed(&rig, text);
        paces[i][0] = rig.out.len;
        feed(&rig, i == 0 ? guess : miss);
        paces[i][1] = rig.out.len;
        feed(&rig, "\n\n");
        paces[i][2] = rig.out.len;
        check_ok(redactor_finish(rig.redactor));
        assert_int_equal(rig.hits, 0);
        rig_done(&rig);
    }
    assert_memory_equal(paces[0], paces[1], sizeof(paces[0]));
}

static void
test_a_task_cannot_tell_the_beginning_of_a_value(void **state)
{
    enum {
        FILL_BYTES = REDACTOR_TASK_LINE_MAX_BYTES + 300,
    };

    static char fill[FILL_BYTES + 1];
    size_t at;

    (void)state;
    check_same_pace("q7RtWz90LmXc", "", "q7RtWz90LmX", "q7RtWz90Lm?");
    check_same_pace("q7RtWz90LmXc", "", "q7RtWz90LmX\n", "q7RtWz90Lm?\n");
    /* A value of several lines: none of its lines is told alone. */
    check_same_pace(KEY, "", "-----BEGIN PRIVATE KEY-----\n",
                    "-----BEGIN PUBLICX KEY-----\n");
    check_same_pace("hunter2-one\nhunter2-two", "x\n", "hunter2-one\n",
                    "hunter2-0ne\n");
    check_same_pace("hunter2-one\n\nhunter2-two", "x\n\n", "hunter2-one\n\n",
                    "hunter2-0ne\n\n");
    check_same_pace("hunter2-one\r\nhunter2-two", "x\n", "hunter2-one\r\n",
                    "hunter2-0ne\r\n");
    /* Behind nearly a buffer without any line end, and more than one: the
     * guess ends at the buffer's end in some of them. */
    memset(fill, '.', FILL_BYTES);
    for (at = REDACTOR_TASK_LINE_MAX_BYTES - 20; at < FILL_BYTES; at++) {
        fill[at] = '\0';
        check_same_pace("q7RtWz90LmXc", fill, "q7RtWz9", "q7RtWz?");
        check_same_pace("q7RtWz90LmXc", fill, "q", "?");
        fill[at] = '.';
    }
}

static void
test_a_task_gets_lines_as_they_come(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_TASK, "q7RtWz90LmXc");
    feed(&rig, "data: q7RtWz90LmXc\r\n");
    expect(&rig, "data: [redacted:n1]\r\n");
    feed(&rig, "one\ntwo");
    expect(&rig, "one\n");
    finish(&rig, "two");
    /* With a value of several lines, events. */
    RIG(&rig, REDACTOR_TASK, KEY);
    feed(&rig, "data: 1\n");
    expect(&rig, "");
    feed(&rig, "\r\ndata: 2\r\n\r");
    expect(&rig, "data: 1\n\r\n");
    feed(&rig, "\n");
    expect(&rig, "data: 2\r\n\r\n");
    feed(&rig, KEY "\n.");
    expect(&rig, "[redacted:n1]\n\n");
    finish(&rig, ".");
    /* With an empty line inside, at none. */
    RIG(&rig, REDACTOR_TASK, "hunter2-one\n\nhunter2-two");
    feed(&rig, "hunter2-one\n\n");
    expect(&rig, "");
    feed(&rig, "hunter2-two\n");
    expect(&rig, "[redacted:n1]");
    feed(&rig, "\n");
    expect(&rig, "");
    finish(&rig, "\n\n");
}

/* Not for an empty line: behind so many ends of lines no value is open. */
static void
test_lines_wait_for_as_many_as_a_value_has(void **state)
{
    struct rig rig;

    (void)state;
    RIG(&rig, REDACTOR_TASK, "hunter2-one\nhunter2-two\nhunter2-three");
    feed(&rig, "1\n2\n3");
    expect(&rig, "");
    feed(&rig, "\n");
    expect(&rig, "1\n");
    feed(&rig, "hunter2-one\n");
    expect(&rig, "2\n");
    feed(&rig, "hunter2-two\n");
    expect(&rig, "3\n");
    feed(&rig, "hunter2-three, hunter2-one\n");
    expect(&rig, "[redacted:n1]");
    feed(&rig, "hunter2-two\nhunter2-thre");
    expect(&rig, "");
    feed(&rig, "e");
    expect(&rig, "");
    feed(&rig, "\n4\n5\n");
    expect(&rig, ", [redacted:n1]\n");
    finish(&rig, "4\n5\n");
    /* As many as of five, six or seven. */
    RIG(&rig, REDACTOR_TASK, "a\nb\nc\nd\ne\nhunter2-six");
    feed(&rig, "1\n2\n3\n4\n5\n6\n7\n8\n");
    expect(&rig, "");
    feed(&rig, "9\n");
    expect(&rig, "1\n");
    finish(&rig, "2\n3\n4\n5\n6\n7\n8\n9\n");
}

enum {
    LINE_BYTES = 64,
    LINES_COUNT = 512,
    VALUE_AT = 2 * LINE_BYTES,
};

/* Lines of which every second is empty, the value in one of them. */
static size_t
many_lines(char *text, const char *value)
{
    for (size_t i = 0; i < LINES_COUNT; i++) {
        char *line = text + i * LINE_BYTES;

        memset(line, 'x', LINE_BYTES);
        line[LINE_BYTES - 2] = '\n';
        line[LINE_BYTES - 1] = '\n';
    }
    memcpy(text + VALUE_AT, value, strlen(value));
    return (size_t)LINES_COUNT * LINE_BYTES - 10;
}

/* The end of a line that goes on is joined to it, what follows is not: no more
 * is locked than for what was begun. */
static void
line_goes_on(const char *value)
{
    static char text[LINES_COUNT * LINE_BYTES];
    const char *list[] = {value};
    size_t len = many_lines(text, value);
    struct rig rig;
    size_t locked_bytes = 0;

    rig_init(&rig, REDACTOR_TASK, list, 1);
    feed(&rig, "begins ");
    locked_bytes = lockmem_used_bytes();
    check_ok(redactor_feed(rig.redactor, span_of(text, len)));
    assert_int_equal(lockmem_used_bytes(), locked_bytes);
    assert_int_equal(rig.hits, 1);
    assert_memory_equal(rig.out.ptr, "begins xxx", 10);
    assert_int_equal(redactor_held_bytes(rig.redactor), LINE_BYTES - 10);
    assert_int_equal(rig.out.len + redactor_held_bytes(rig.redactor),
                     7 + len - strlen(value) + strlen("[redacted:n1]"));
    rig_done(&rig);
}

static void
test_a_line_that_goes_on_locks_no_more(void **state)
{
    (void)state;
    line_goes_on("q7RtWz90LmXc");
    line_goes_on("q7RtWz90LmXc\nand-of-two-lines");
}

static void
test_a_tasks_endless_line_is_bounded(void **state)
{
    static char block[REDACTOR_TASK_LINE_MAX_BYTES];
    struct rig rig;
    size_t longest;

    (void)state;
    memset(block, 'x', sizeof(block));
    RIG(&rig, REDACTOR_TASK, "q7RtWz90LmXc");
    longest = matcher_longest_bytes(rig.set);
    check_ok(redactor_feed(rig.redactor, span_of(block, sizeof(block) - 6)));
    feed(&rig, "q7RtWz");
    assert_int_equal(rig.out.len, 0);
    check_ok(redactor_feed(rig.redactor, span_of(block, longest - 1)));
    assert_int_equal(rig.out.len, 0);
    assert_int_equal(redactor_held_bytes(rig.redactor),
                     sizeof(block) + longest - 1);
    feed(&rig, "x");
    assert_int_equal(rig.out.len, sizeof(block));
    feed(&rig, "q7RtWz90LmXc");
    assert_int_equal(rig.out.len, sizeof(block));
    check_ok(redactor_finish(rig.redactor));
    assert_int_equal(rig.out.len, sizeof(block) + longest + 13);
    assert_int_equal(rig.hits, 1);
    rig_done(&rig);
}

/* A value across the place where a full buffer is cut is found, once. */
static void
test_a_value_at_the_cut_of_a_full_buffer(void **state)
{
    static char block[REDACTOR_TASK_LINE_MAX_BYTES];
    struct rig rig;
    size_t back;

    (void)state;
    memset(block, 'x', sizeof(block));
    for (back = 0; back <= 14; back++) {
        RIG(&rig, REDACTOR_TASK, "q7RtWz90LmXc");
        check_ok(
            redactor_feed(rig.redactor, span_of(block, sizeof(block) - back)));
        feed(&rig, "q7RtWz90LmXc");
        check_ok(redactor_feed(rig.redactor, span_of(block, sizeof(block))));
        check_ok(redactor_finish(rig.redactor));
        assert_int_equal(rig.hits, 1);
        assert_int_equal(rig.out.len, 2 * sizeof(block) - back + 13);
        rig_done(&rig);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_sees_whole_lines_only),
        cmocka_unit_test(test_a_task_cannot_tell_the_beginning_of_a_value),
        cmocka_unit_test(test_a_task_gets_lines_as_they_come),
        cmocka_unit_test(test_lines_wait_for_as_many_as_a_value_has),
        cmocka_unit_test(test_a_line_that_goes_on_locks_no_more),
        cmocka_unit_test(test_a_tasks_endless_line_is_bounded),
        cmocka_unit_test(test_a_value_at_the_cut_of_a_full_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
