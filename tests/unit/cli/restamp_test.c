/* A file of placeholders into which a tool wrote: they come back at one blow,
 * and no content that is newer is lost. */
#include <sys/stat.h>

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "run/restamp.h"
#include "session.h"
#include "wire/json.h"

static struct fake broker;
static struct session *session;
static int dir_fd = -1;

static void
write_login(const char *text)
{
    int fd = -1;

    (void)unlinkat(dir_fd, "new", 0);
    fd = openat(dir_fd, "new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    assert_int_equal(renameat(dir_fd, "new", dir_fd, "login"), 0);
}

static void
check_login(const char *want)
{
    char text[128] = "";
    int fd = openat(dir_fd, "login", O_RDONLY | O_CLOEXEC);
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, want);
    (void)close(fd);
}

/* Nothing lies beside it. */
static void
check_alone(size_t want)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    size_t count = 0;

    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.' || strlen(e->d_name) > 2 ? 1 : 0;
    }
    (void)closedir(dir);
    assert_int_equal(count, want);
}

static struct restamp
what_of(void)
{
    struct restamp what = {
        .dir_fd = dir_fd, .name = "login", .ticket = "agx_marks"};

    (void)fstatat(dir_fd, "login", &what.taken, AT_SYMLINK_NOFOLLOW);
    return what;
}

static int
setup(void **state)
{
    static const struct fake_route none[] = {{NULL, NULL}};
    char path[160];

    (void)state;
    wjson_setup();
    fake_dir(&broker);
    fake_start(&broker, none);
    (void)snprintf(path, sizeof(path), "%s/fd.sock", broker.dir);
    assert_int_equal(session_open(path, &session), AG_OK);
    (void)snprintf(path, sizeof(path), "%s/files", broker.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd >= 0 ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    (void)unlinkat(dir_fd, "login", 0);
    (void)close(dir_fd);
    session_close(session);
    fake_stop(&broker);
    fake_remove(&broker);
    return 0;
}

static void
test_placeholders_come_in_place_of_values(void **state)
{
    struct restamp what = {0};
    struct stat now = {0};
    struct stat st = {0};
    bool newer = true;

    (void)state;
    write_login("mine, and longer than what comes instead of it");
    what = what_of();
    assert_int_equal(restamp_file(session, &what, &newer, &now), AG_OK);
    assert_false(newer);
    check_login("value of agx_marks");
    assert_int_equal(fstatat(dir_fd, "login", &st, 0), 0);
    assert_true(restamp_same(&st, &now));
    check_alone(1);
}

static void
test_what_is_newer_stays(void **state)
{
    struct restamp what = {0};
    struct stat now = {0};
    bool newer = false;

    (void)state;
    write_login("mine");
    what = what_of();
    write_login("mine again");
    assert_int_equal(restamp_file(session, &what, &newer, &now), AG_OK);
    assert_true(newer);
    check_login("mine again");
    check_alone(1);
    /* In place: the same file with other times. */
    what = what_of();
    what.taken.st_mtim.tv_nsec ^= 1;
    assert_int_equal(restamp_file(session, &what, &newer, &now), AG_OK);
    assert_true(newer);
    check_login("mine again");
    check_alone(1);
}

static void
test_a_file_that_is_gone_stays_gone(void **state)
{
    struct restamp what = {0};
    struct stat now = {0};
    bool newer = true;

    (void)state;
    write_login("mine");
    what = what_of();
    assert_int_equal(unlinkat(dir_fd, "login", 0), 0);
    assert_int_not_equal(restamp_file(session, &what, &newer, &now), AG_OK);
    check_alone(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placeholders_come_in_place_of_values),
        cmocka_unit_test(test_what_is_newer_stays),
        cmocka_unit_test(test_a_file_that_is_gone_stays_gone),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
