/* Which files a task can read back: by where it is shown something. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "run/isolate.h"
#include "run/readback.h"
#include "run/sweep.h"

static char dir[64];
static char tree[80];
static char home[80];
static char given[80];
static char hidden[96];
static char shown[80];
static char *system_items[] = {shown};
static char *hidden_items[] = {hidden};
static struct preset preset = {.system = {system_items, 1}};
static struct view view = {
    .preset = &preset,
    .home_real = home,
    .tree = tree,
    .given = {{given, VIEW_READ}},
    .given_count = 1,
    .hidden = hidden_items,
    .hidden_count = 1,
};

static void
make(char *path, size_t cap, const char *name)
{
    (void)snprintf(path, cap, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int
setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-readback-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    make(home, sizeof(home), "home");
    make(tree, sizeof(tree), "home/tree");
    make(hidden, sizeof(hidden), "home/hidden");
    make(given, sizeof(given), "given");
    make(shown, sizeof(shown), "shown");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    sweep_dir(dir);
    return 0;
}

static bool
can(const struct isolation *is, const char *name)
{
    char path[160];
    int fd = -1;
    bool ret = false;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    ret = readback_can(is, fd);
    (void)close(fd);
    return ret;
}

static void
test_what_the_view_shows_can_be_read(void **state)
{
    const struct isolation is = {.view = &view, .keep_lock = -1};
    const struct isolation fenced = {.fence = &view, .keep_lock = -1};

    (void)state;
    preset.home = PRESET_HOME_LAYER;
    assert_true(can(&is, "home/tree/f"));
    assert_true(can(&is, "home/f"));
    assert_true(can(&is, "given/f"));
    assert_true(can(&is, "shown/f"));
    assert_true(can(&fenced, "home/tree/f"));
    assert_false(can(&is, "home/hidden/f"));
    assert_false(can(&is, "f"));
    assert_false(can(&fenced, "f"));
    preset.home = PRESET_HOME_EMPTY;
    assert_false(can(&is, "home/f"));
    assert_true(can(&is, "home/tree/f"));
}

static void
test_a_second_name_may_be_anywhere(void **state)
{
    const struct isolation is = {.view = &view, .keep_lock = -1};
    char from[160];
    char to[160];

    (void)state;
    assert_false(can(&is, "twice"));
    (void)snprintf(from, sizeof(from), "%s/twice", dir);
    (void)snprintf(to, sizeof(to), "%s/twice", tree);
    assert_int_equal(link(from, to), 0);
    assert_true(can(&is, "twice"));
}

static void
test_without_isolation_every_file_can_be_read(void **state)
{
    const struct isolation none = {.keep_lock = -1};

    (void)state;
    assert_true(can(&none, "f"));
}

static void
test_pipes_and_devices_are_the_persons_own(void **state)
{
    const struct isolation none = {.keep_lock = -1};
    const struct isolation is = {.view = &view, .keep_lock = -1};
    char path[160];
    int ends[2];
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_false(readback_can(&none, fd));
    (void)close(fd);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_false(readback_can(&none, ends[1]));
    (void)close(ends[0]);
    (void)close(ends[1]);
    /* One with a name in the tree is like a file there. */
    (void)snprintf(path, sizeof(path), "%s/fifo", tree);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(readback_can(&is, fd));
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_false(readback_can(&is, fd));
    (void)close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_view_shows_can_be_read),
        cmocka_unit_test(test_a_second_name_may_be_anywhere),
        cmocka_unit_test(test_without_isolation_every_file_can_be_read),
        cmocka_unit_test(test_pipes_and_devices_are_the_persons_own),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
