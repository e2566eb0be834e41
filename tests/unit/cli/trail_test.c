/* Links are followed as far as a path exists, the rest stays as written; below
 * what is not there nothing is looked up again. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "run/sweep.h"
#include "run/trail.h"

static char dir[64];
static struct trail trail;

static int
setup(void **state)
{
    char made[] = "/tmp/ag-trail-XXXXXX";
    char *real = NULL;

    (void)state;
    real = mkdtemp(made) != NULL ? realpath(made, NULL) : NULL;
    if (real == NULL || strlen(real) >= sizeof(dir)) {
        free(real);
        return -1;
    }
    memcpy(dir, real, strlen(real) + 1);
    free(real);
    return chdir(dir);
}

static int
teardown(void **state)
{
    (void)state;
    (void)!chdir("/");
    trail_done(&trail);
    sweep_dir(dir);
    return 0;
}

static void
leads(const char *from, const char *to)
{
    char path[512];
    char want[512];
    char *real = NULL;

    (void)snprintf(path, sizeof(path), "%s%s", dir, from);
    (void)snprintf(want, sizeof(want), "%s%s", dir, to);
    check_ok(trail_follow(&trail, path, &real));
    assert_string_equal(real, want);
    free(real);
}

static void
make_tree(void)
{
    assert_int_equal(mkdir("a", 0700), 0);
    assert_int_equal(mkdir("a/b", 0700), 0);
    assert_int_equal(symlink("a", "link"), 0);
    assert_int_equal(symlink("../a/b", "a/up"), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(close(creat("a/file", 0600)), 0);
}

static void
test_links_are_followed_as_far_as_there_is_something(void **state)
{
    static const char *const ways[][2] = {
        {"/a", "/a"},
        {"/a/b/c", "/a/b/c"},
        {"/none/x/y", "/none/x/y"},
        {"/link", "/a"},
        {"/link/b", "/a/b"},
        {"/link/b/none/c", "/a/b/none/c"},
        {"/link/up", "/a/b"},
        {"/link/up/c", "/a/b/c"},
        {"/dangling", "/dangling"},
        {"/dangling/x", "/dangling/x"},
        {"/loop/x", "/loop/x"},
        {"/a/file/x", "/a/file/x"},
        {"/", "/"},
    };

    (void)state;
    make_tree();
    /* Whatever was asked before: each first, and then each again. */
    for (size_t i = 0; i < 2 * (AG_COUNT(ways) - 1); i++) {
        const char *const *way = ways[i % (AG_COUNT(ways) - 1)];

        leads(way[0], way[1]);
    }
    for (size_t i = AG_COUNT(ways) - 1; i > 0; i--) {
        leads(ways[i - 1][0], ways[i - 1][1]);
    }
}

static void
test_the_root_is_nothing(void **state)
{
    char *real = NULL;

    (void)state;
    assert_int_equal(symlink("/", "top"), 0);
    check_ok(trail_follow(&trail, "/", &real));
    assert_string_equal(real, "");
    free(real);
    real = realpath("top", NULL);
    assert_string_equal(real, "/");
    free(real);
    {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/top/none-such", dir);
        check_ok(trail_follow(&trail, path, &real));
    }
    assert_string_equal(real, "/none-such");
    free(real);
}

static void
test_a_directory_is_looked_up_once(void **state)
{
    (void)state;
    leads("/later/x", "/later/x");
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    assert_int_equal(symlink("elsewhere", "later"), 0);
    assert_int_equal(symlink("..", "elsewhere/y"), 0);
    leads("/later/y", "/later/y"); /* as it was at the start */
    trail_done(&trail);
    leads("/later/y", "");
}

/* Of a directory that is asked about often the names are read. */
static void
ask_often(int there)
{
    char name[32];

    for (int i = 0; i < there; i++) {
        (void)snprintf(name, sizeof(name), "many/n%d", i);
        assert_int_equal(symlink("../many", name), 0);
    }
    for (int i = 0; i < there + 300; i++) {
        char way[64];

        (void)snprintf(name, sizeof(name), "/many/n%d", i);
        (void)snprintf(way, sizeof(way), "/many%s", i < there ? "" : name + 5);
        leads(name, way);
    }
}

static void
test_a_listed_directory_tells_the_same(void **state)
{
    (void)state;
    assert_int_equal(mkdir("many", 0700), 0);
    ask_often(40);
}

static void
test_a_large_directory_is_asked_name_by_name(void **state)
{
    (void)state;
    assert_int_equal(mkdir("many", 0700), 0);
    ask_often(1500);
}

static void
test_a_directory_nobody_may_list_is_asked(void **state)
{
    (void)state;
    assert_int_equal(mkdir("many", 0700), 0);
    assert_int_equal(symlink("..", "many/x"), 0);
    assert_int_equal(chmod("many", 0300), 0);
    for (int i = 0; i < 10; i++) {
        leads("/many/none", "/many/none");
        leads("/many/x", "");
    }
    assert_int_equal(chmod("many", 0700), 0);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_links_are_followed_as_far_as_there_is_something),
        T(test_the_root_is_nothing),
        T(test_a_directory_is_looked_up_once),
        T(test_a_listed_directory_tells_the_same),
        T(test_a_large_directory_is_asked_name_by_name),
        T(test_a_directory_nobody_may_list_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
