/* What the person is told of a login that a tool did not simply rewrite. The
 * broker is gone throughout: nothing can be taken. */
#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/watch.h"

static char dir[64];

struct followed_login {
    struct watch *watch;
    int dir_fd; /* the test's own */
};

static void
put_login(int dir_fd, const char *text)
{
    int fd =
        openat(dir_fd, "login", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static int
setup(void **state)
{
    const struct watch_spill spill = {.home = dir, .key = "a key"};
    struct followed_login *l = calloc(1, sizeof(*l));
    struct watch_file file = {.name = "login", .ticket = "t", .spill_as = ""};

    assert_non_null(l);
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-watch-XXXXXX");
    assert_non_null(mkdtemp(dir));
    l->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    file.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_login(l->dir_fd, "the login");
    assert_int_equal(watch_new(&spill, &l->watch), AG_OK);
    assert_int_equal(watch_add(l->watch, &file), AG_OK);
    *state = l;
    return 0;
}

static int
teardown(void **state)
{
    struct followed_login *l = *state;

    watch_free(l->watch);
    (void)unlinkat(l->dir_fd, "login", 0);
    (void)close(l->dir_fd);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left there */
    free(l);
    return 0;
}

static void
check_told(struct followed_login *l, const char *part)
{
    watch_finish(l->watch, NULL);
    if (part == NULL) {
        assert_null(watch_trouble(l->watch));
        return;
    }
    assert_non_null(watch_trouble(l->watch));
    assert_non_null(strstr(watch_trouble(l->watch), part));
}

static void
test_an_untouched_login_is_no_news(void **state)
{
    check_told(*state, NULL);
}

static void
test_a_removed_login_is_told(void **state)
{
    struct followed_login *l = *state;

    assert_int_equal(unlinkat(l->dir_fd, "login", 0), 0);
    check_told(l, "login was removed");
}

static void
test_a_link_or_pipe_in_its_place_is_told(void **state)
{
    struct followed_login *l = *state;

    assert_int_equal(unlinkat(l->dir_fd, "login", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", l->dir_fd, "login"), 0);
    check_told(l, "no plain file");
    assert_int_equal(unlinkat(l->dir_fd, "login", 0), 0);
    assert_int_equal(mkfifoat(l->dir_fd, "login", 0600), 0);
    check_told(l, "no plain file");
}

/* One whose lease is not known has no name to be kept under. */
static void
test_a_login_without_a_lease_is_not_kept_nameless(void **state)
{
    struct followed_login *l = *state;

    assert_int_equal(unlinkat(l->dir_fd, "login", 0), 0);
    put_login(l->dir_fd, "another login");
    check_told(l, "no lease");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_untouched_login_is_no_news,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_login_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_link_or_pipe_in_its_place_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_login_without_a_lease_is_not_kept_nameless, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
