/* /proc/PID/stat as the kernel prints it, and as a process would like it. */
#include <unistd.h>

#include "base/proc.h"
#include "common/check.h"

static const char TAIL[] =
    " S 10 20 30 34816 40 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n";

static enum ag_err
parse(const char *name, const char *tail, struct proc_stat *ret)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "77 (%s)%s", name, tail);
    return proc_parse_stat(span_str(text), ret);
}

static void
test_the_fields_are_where_proc_says(void **state)
{
    struct proc_stat stat;

    (void)state;
    check_ok(parse("cat", TAIL, &stat));
    assert_int_equal(stat.self.pid, 77);
    assert_int_equal(stat.self.start_ticks, 98765);
    assert_int_equal(stat.ppid, 10);
    assert_int_equal(stat.sid, 30);
    assert_int_equal(stat.tty, 34816);
    assert_int_equal(stat.state, 'S');
    assert_string_equal(stat.name, "cat");
}

static void
test_a_name_cannot_pose_as_fields(void **state)
{
    struct proc_stat stat;

    (void)state;
    check_ok(parse(") S 1 1 1 0 (", TAIL, &stat));
    assert_int_equal(stat.ppid, 10);
    check_ok(parse("a b) c\n\x80", TAIL, &stat));
    assert_string_equal(stat.name, "a b) c??");
    check_ok(parse("a-name-of-many-letters", TAIL, &stat));
    assert_string_equal(stat.name, "a-name-of-many-");
    check_ok(parse("", TAIL, &stat));
    assert_string_equal(stat.name, "");
}

static void
test_what_is_not_stat_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "77",
        "77 (cat",
        "77 (cat)",
        "77 (cat) ",
        "(cat) S 1 2 3",
        "x (cat) S 10 20 30 34816 40 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n",
        "0 (cat) S 10 20 30 34816 40 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n",
        "77 (cat) SS 10 20 30 34816 40 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n",
        "77 (cat) S -1 20 30 34816 40 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n",
        "77 (cat) S 10 20 30 34816 40 0 1 2 3 4 5 6 7 8 20 0 1 0 98765",
        "77 (cat) S 10  20 30 34816 40 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n",
        "77 (cat) S 9999999999 2 3 4 5 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n",
    };
    struct proc_stat stat;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(proc_parse_stat(span_str(BAD[i]), &stat), AG_EINVAL);
    }
}

static void
test_a_process_that_was_reaped_meanwhile_is_gone(void **state)
{
    static const char LINE[] =
        "77 (cat) X 0 -1 -1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 98765 1\n";
    struct proc_stat stat;

    (void)state;
    check_err(proc_parse_stat(span_str(LINE), &stat), AG_ENOTFOUND);
}

static void
test_our_own_line_is_understood(void **state)
{
    char text[1024];
    struct proc_stat stat;
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len;

    (void)state;
    assert_non_null(file);
    len = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    check_ok(proc_parse_stat(span_of(text, len), &stat));
    assert_int_equal(stat.self.pid, getpid());
    assert_int_equal(stat.ppid, getppid());
    assert_int_equal(stat.sid, getsid(0));
    assert_true(stat.self.start_ticks > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fields_are_where_proc_says),
        cmocka_unit_test(test_a_name_cannot_pose_as_fields),
        cmocka_unit_test(test_what_is_not_stat_is_refused),
        cmocka_unit_test(test_a_process_that_was_reaped_meanwhile_is_gone),
        cmocka_unit_test(test_our_own_line_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
