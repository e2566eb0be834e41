/*
 * The file's side of adopt and release under faults: the n-th call fails, it
 * and all later ones fail, or the process is killed before it, for every n.
 * After recovery there is exactly one authoritative copy and no plaintext in
 * any other file.
 */
// WRAP: line_lock line_begin line_take line_deliver line_commit line_done line_undo cli_call
// WRAP: open openat fstat fstatat pread read write pwrite fsync renameat2 linkat unlinkat
// WRAP: mkdir mkdirat fchmod fchown futimens flock scandirat fstatfs faccessat getrandom
#include <sys/file.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "common/fault.h"
#include "common/moves_fake.h"
#include "common/moves_scene.h"

enum {
    KILLED = 77, /* exit code of a child at its point */
};

static bool kill_instead; /* of failing: the process ends before the call */

static bool
point(void)
{
    if (!fault_now()) {
        return false;
    }
    if (kill_instead) {
        _exit(KILLED);
    }
    return true;
}

#define WRAPPER(type, name, params, args)                                      \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        return point() ? (type)-1 : __real_##name args;                        \
    }

/* open and openat are variadic in their declaration only. */
int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);

int
__wrap_open(const char *path, int flags, mode_t mode)
{
    return point() ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int dir_fd, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir_fd, const char *path, int flags, mode_t mode);

int
__wrap_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return point() ? -1 : __real_openat(dir_fd, path, flags, mode);
}

WRAPPER(int, fstat, (int fd, struct stat *st), (fd, st))
WRAPPER(int, fstatat, (int d, const char *p, struct stat *st, int f),
        (d, p, st, f))
WRAPPER(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAPPER(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
WRAPPER(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAPPER(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at),
        (fd, p, n, at))
WRAPPER(int, fsync, (int fd), (fd))
WRAPPER(int, renameat2,
        (int a, const char *p, int b, const char *q, unsigned flags),
        (a, p, b, q, flags))
WRAPPER(int, linkat, (int a, const char *p, int b, const char *q, int flags),
        (a, p, b, q, flags))
WRAPPER(int, unlinkat, (int d, const char *p, int flags), (d, p, flags))
WRAPPER(int, mkdir, (const char *p, mode_t mode), (p, mode))
WRAPPER(int, mkdirat, (int d, const char *p, mode_t mode), (d, p, mode))
WRAPPER(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAPPER(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAPPER(int, futimens, (int fd, const struct timespec *t), (fd, t))
WRAPPER(int, flock, (int fd, int op), (fd, op))
WRAPPER(int, fstatfs, (int fd, struct statfs *fs), (fd, fs))
WRAPPER(int, faccessat, (int d, const char *p, int mode, int flags),
        (d, p, mode, flags))
WRAPPER(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))

int __real_scandirat(int d, const char *p, struct dirent ***list,
                     int (*filter)(const struct dirent *),
                     int (*order)(const struct dirent **,
                                  const struct dirent **));
int __wrap_scandirat(int d, const char *p, struct dirent ***list,
                     int (*filter)(const struct dirent *),
                     int (*order)(const struct dirent **,
                                  const struct dirent **));

int
__wrap_scandirat(int d, const char *p, struct dirent ***list,
                 int (*filter)(const struct dirent *),
                 int (*order)(const struct dirent **, const struct dirent **))
{
    return point() ? -1 : __real_scandirat(d, p, list, filter, order);
}

/* The n-th call fails, then `all`: it and every later one. */
static unsigned
fail_each(const struct scene *scene, bool all)
{
    for (unsigned n = 1;; n++) {
        set_up(scene);
        fault_arm(n);
        fault.all_later = all;
        fault.error = n % 2 == 0 ? ENOSPC : EIO;
        (void)!scene->run();
        if (!fault_done()) {
            recover(scene, n, "no fault");
            return n - 1;
        }
        recover(scene, n, all ? "all later calls failing" : "a failing call");
    }
}

static enum ag_err
do_recover(void)
{
    return moves_recover(&place.cli, NULL);
}

/* Runs one act in a process that ends before its n-th call. True when it did;
 * false when the act ran to its end. */
static bool
run_killed(enum ag_err (*act)(void), unsigned n)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        /* The arena is not inherited; the child opens its own. */
        if (secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK) {
            _exit(1);
        }
        kill_instead = true;
        fault_arm(n);
        _exit(act() == AG_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != KILLED) {
        fail_msg("point %u: ended with %d", n, WEXITSTATUS(status));
    }
    return WEXITSTATUS(status) == KILLED;
}

static unsigned
kill_each(const struct scene *scene)
{
    for (unsigned n = 1;; n++) {
        bool killed;

        set_up(scene);
        killed = run_killed(scene->run, n);
        recover(scene, n, "killed");
        if (!killed) {
            return n - 1;
        }
    }
}

/* Recovery itself is killed at each of its own points, too. */
static unsigned
kill_recovery(const struct scene *scene, unsigned first)
{
    for (unsigned n = 1;; n++) {
        bool killed;

        set_up(scene);
        (void)run_killed(scene->run, first);
        killed = run_killed(do_recover, n);
        recover(scene, n, "killed again in recovery");
        if (!killed) {
            return n;
        }
    }
}

static void
test_a_failing_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(SCENES); i++) {
        unsigned one = fail_each(&SCENES[i], false);
        unsigned all = fail_each(&SCENES[i], true);

        printf("%s: %u points failing, %u with all later ones\n",
               SCENES[i].kind, one, all);
        assert_true(one >= 10);
    }
}

/* Every pair of points takes minutes; a fork of a sanitized program takes ten
 * times as long as another one. */
static unsigned
stride(void)
{
#ifdef AG_SANITIZED
    return 40;
#else
    return check_env("FAULT_DEEP", 0) != 0 ? 1 : 5;
#endif
}

static void
test_killed_at_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(SCENES); i++) {
        unsigned points = kill_each(&SCENES[i]);
        unsigned again = 0;

        for (unsigned first = 1; first <= points; first += stride()) {
            again += kill_recovery(&SCENES[i], first);
        }
        printf("%s: killed at %u points, and recovery at %u\n", SCENES[i].kind,
               points, again);
        assert_true(points >= 10);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_call),
        cmocka_unit_test(test_killed_at_every_call),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
