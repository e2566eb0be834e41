/* What is hidden is marked in the layer, whether it is there or comes later;
 * what the layer has there already is cut off from what is below. */
#include <sys/stat.h>
#include <sys/xattr.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "common/check.h"
#include "run/layer.h"
#include "run/sweep.h"

static char dir[] = "/tmp/ag-layer-XXXXXX";

static int
setup(void **state)
{
    (void)state;
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
    return mkdtemp(dir) == NULL || chdir(dir) != 0 ||
                   mkdir("lower", 0700) != 0 || mkdir("upper", 0700) != 0
               ? -1
               : 0;
}

static int
teardown(void **state)
{
    (void)state;
    (void)!chdir("/");
    sweep_dir(dir);
    return 0;
}

static bool
is_mark(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool
is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static enum ag_err
hide(const char *const *paths, size_t count, bool early)
{
    AG_AUTO(fd) int lower = open("lower", O_PATH | O_DIRECTORY | O_CLOEXEC);
    AG_AUTO(fd) int upper = open("upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct layer_hiding what = {lower, upper, paths, count, early};

    return layer_hide(&what);
}

static void
test_each_is_marked_where_it_is(void **state)
{
    static const char *const paths[] = {
        ".a",     ".b/c",    ".b/d/e",   ".b/d/f", ".b/d/f/g",
        ".b/d-x", ".b/none", ".new/x/y", ".new/z", "last"};
    struct stat st;

    (void)state;
    assert_int_equal(mkdir("lower/.b", 0750), 0);
    assert_int_equal(mkdir("lower/.b/d", 0711), 0);
    check_ok(hide(paths, AG_COUNT(paths), true));
    assert_true(is_mark("upper/.a"));
    assert_true(is_mark("upper/.b/c"));
    assert_true(is_mark("upper/.b/d/e"));
    assert_true(is_mark("upper/.b/d/f"));
    assert_true(is_mark("upper/.b/d-x"));
    assert_true(is_mark("upper/.b/none"));
    assert_true(is_mark("upper/.new")); /* all of it: it is not there yet */
    assert_true(is_mark("upper/last"));
    /* On the way a directory looks like the one below. */
    assert_int_equal(stat("upper/.b", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(stat("upper/.b/d", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0711);
}

static void
test_late_marks_are_at_the_end(void **state)
{
    static const char *const paths[] = {".new/x/y", ".new/z"};

    (void)state;
    check_ok(hide(paths, AG_COUNT(paths), false));
    assert_true(is_mark("upper/.new/x/y"));
    assert_true(is_mark("upper/.new/z"));
}

static void
test_links_below_are_not_followed(void **state)
{
    static const char *const paths[] = {".l/secret"};

    (void)state;
    assert_int_equal(mkdir("lower/real", 0700), 0);
    assert_int_equal(symlink("real", "lower/.l"), 0);
    check_ok(hide(paths, AG_COUNT(paths), true));
    assert_true(is_mark("upper/.l"));
    assert_false(is_there("upper/real"));
}

/* A kept layer: the task has made things where something is hidden. */
static void
test_what_the_layer_has_stays_cut_off(void **state)
{
    static const char *const paths[] = {".dir", ".dir/x", ".file", ".file/x",
                                        ".gone/x"};
    char value[4] = "";

    (void)state;
    assert_int_equal(mkdir("lower/.dir", 0700), 0);
    assert_int_equal(mkdir("upper/.dir", 0700), 0);
    assert_int_equal(close(creat("upper/.dir/own", 0600)), 0);
    assert_int_equal(close(creat("upper/.file", 0600)), 0);
    check_ok(hide(paths, AG_COUNT(paths), true));
    assert_true(is_there("upper/.dir/own"));
    assert_int_equal(
        getxattr("upper/.dir", "user.overlay.opaque", value, sizeof(value)), 1);
    assert_int_equal(value[0], 'y');
    assert_true(is_there("upper/.file"));
    assert_false(is_mark("upper/.file"));
    assert_true(is_mark("upper/.gone"));
    check_ok(hide(paths, AG_COUNT(paths), true)); /* and the next time */
    assert_true(is_mark("upper/.gone"));
}

static void
test_no_name_is_too_much(void **state)
{
    char deep[256] = "";
    const char *const paths[] = {deep};

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        memcpy(deep + 2 * i, i == 99 ? "d" : "d/", 2);
    }
    check_ok(hide(paths, 1, true)); /* marked at its beginning */
    assert_true(is_mark("upper/d"));
    assert_int_equal(unlink("upper/d"), 0);
    check_err(hide(paths, 1, false), AG_EIO);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_each_is_marked_where_it_is),
        T(test_late_marks_are_at_the_end),
        T(test_links_below_are_not_followed),
        T(test_what_the_layer_has_stays_cut_off),
        T(test_no_name_is_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
