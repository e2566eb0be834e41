/* The tools' own locks: taken, found held, and taken over from the dead. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/check.h"
#include "move/locks.h"

static char dir[64];
static int dir_fd = -1;

static const struct profile_lock DIRECTORY = {"lock", LOCK_KIND_DIRECTORY};
static const struct profile_lock MARKED = {"lock", LOCK_KIND_FILE};

static int
setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-locks-XXXXXX");
    assert_non_null(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd >= 0 ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    (void)unlinkat(dir_fd, "lock", 0);
    (void)unlinkat(dir_fd, "lock", AT_REMOVEDIR);
    (void)close(dir_fd);
    return rmdir(dir);
}

static enum ag_err
take(const struct profile_lock *lock, int64_t wait_ms)
{
    const struct profile_file file = {.locks = {.items = lock, .count = 1}};
    AG_AUTO(locks) struct locks *l = NULL;
    enum ag_err err = locks_take(dir_fd, &file, wait_ms, &l);

    assert_int_equal(l != NULL, err == AG_OK);
    assert_int_equal(faccessat(dir_fd, "lock", F_OK, 0), 0);
    return err;
}

static void
make_lock_dir(int64_t age_s)
{
    const struct timespec then = {.tv_sec = clock_wall_ms() / 1000 - age_s};
    const struct timespec times[] = {then, then};

    assert_int_equal(mkdirat(dir_fd, "lock", 0755), 0);
    assert_int_equal(utimensat(dir_fd, "lock", times, 0), 0);
}

static void
test_a_lock_directory_is_made_and_removed(void **state)
{
    (void)state;
    check_ok(take(&DIRECTORY, 0));
    assert_int_not_equal(faccessat(dir_fd, "lock", F_OK, 0), 0);
}

static void
test_a_lock_directory_of_the_living_is_kept(void **state)
{
    (void)state;
    make_lock_dir(5);
    check_err(take(&DIRECTORY, 0), AG_EBUSY);
    assert_int_equal(faccessat(dir_fd, "lock", F_OK, 0), 0);
}

/* Killed in the middle of adopt, then run again. */
static void
test_a_lock_directory_of_the_dead_is_taken_over(void **state)
{
    (void)state;
    make_lock_dir(60);
    check_ok(take(&DIRECTORY, 1000));
    assert_int_not_equal(faccessat(dir_fd, "lock", F_OK, 0), 0);
}

static void
test_a_lock_file_of_a_dead_auth_guard_is_taken_over(void **state)
{
    char text[48];
    pid_t gone = fork();
    int fd;
    int len;

    (void)state;
    if (gone == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    len = snprintf(text, sizeof(text), "auth-guard %d\n", (int)gone);
    fd = openat(dir_fd, "lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, (size_t)len), len);
    assert_int_equal(close(fd), 0);
    check_ok(take(&MARKED, 1000));
    assert_int_not_equal(faccessat(dir_fd, "lock", F_OK, 0), 0);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_a_lock_directory_is_made_and_removed),
        CASE(test_a_lock_directory_of_the_living_is_kept),
        CASE(test_a_lock_directory_of_the_dead_is_taken_over),
        CASE(test_a_lock_file_of_a_dead_auth_guard_is_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
