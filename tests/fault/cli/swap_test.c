/*
 * One file changed in place under faults: the n-th call fails, it and all later
 * ones fail, or the process is killed before it, for every n. The name always
 * leads to the whole old or the whole new content, and once what lies beside it
 * is swept, no plaintext is anywhere else.
 */
// WRAP: openat fstat fstatat pread read write pwrite fsync renameat2 unlinkat
// WRAP: fchmod futimens flock lseek getrandom
#include <sys/file.h>
#include <sys/random.h>
#include <sys/wait.h>

#include <dirent.h>
#include <signal.h>
#include <time.h>

#include "common/fault.h"
#include "common/transcripts.h"
#include "transcript/swap.h"
#include "transcript/treat.h"

#define OLD "a " TRANSCRIPT_VALUE " b\n"
#define NEW "a [x] b\n"

enum {
    KILLED = 77, /* exit code of a child at its point */
};

static bool kill_instead; /* of failing: the process ends before the call */
static void (*after_exchange)(void);

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

/* Variadic in its declaration only. */
int __real_openat(int dir_fd, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir_fd, const char *path, int flags, mode_t mode);

int
__wrap_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return point() ? -1 : __real_openat(dir_fd, path, flags, mode);
}

int __real_renameat2(int a, const char *p, int b, const char *q,
                     unsigned flags);
int __wrap_renameat2(int a, const char *p, int b, const char *q,
                     unsigned flags);

int
__wrap_renameat2(int a, const char *p, int b, const char *q, unsigned flags)
{
    int rc = point() ? -1 : __real_renameat2(a, p, b, q, flags);

    if (rc == 0 && after_exchange != NULL) {
        after_exchange();
    }
    return rc;
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
WRAPPER(int, unlinkat, (int d, const char *p, int flags), (d, p, flags))
WRAPPER(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAPPER(int, futimens, (int fd, const struct timespec *t), (fd, t))
WRAPPER(int, flock, (int fd, int op), (fd, op))
WRAPPER(off_t, lseek, (int fd, off_t at, int from), (fd, at, from))
WRAPPER(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))

static struct treat_result result;

static enum ag_err
act(void)
{
    struct passage passage = {.run = transcript_pass};
    const struct treat t = {.passage = &passage};
    enum ag_err err = treat_file(&t, scratch.fd, "f", "f", &result);

    treat_result_done(&result);
    return err;
}

static void
set_up(void)
{
    scratch_write("f", OLD, strlen(OLD), 0640);
}

/* Whole, and alone once it is swept. */
static void
check_state(unsigned n, const char *how)
{
    struct dirent **entries = NULL;
    const char *text = transcript_read(scratch.fd, "f");
    int count;

    if (text == NULL || (strcmp(text, OLD) != 0 && strcmp(text, NEW) != 0)) {
        fail_msg("point %u, %s: %s", n, how, text == NULL ? "gone" : text);
    }
    count = scandirat(scratch.fd, ".", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        (void)swap_sweep(scratch.fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    count = scandirat(scratch.fd, ".", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    if (count != 3) {
        fail_msg("point %u, %s: %d names", n, how, count);
    }
}

static unsigned
fail_each(bool all)
{
    for (unsigned n = 1;; n++) {
        set_up();
        fault_arm(n);
        fault.all_later = all;
        fault.error = n % 2 == 0 ? ENOSPC : EIO;
        (void)!act();
        if (!fault_done()) {
            check_state(n, "no fault");
            assert_int_equal(result.state, TREAT_CHANGED);
            return n - 1;
        }
        check_state(n, all ? "all later calls failing" : "a failing call");
    }
}

static void
test_a_failing_call(void **state)
{
    unsigned one = fail_each(false);
    unsigned all = fail_each(true);

    (void)state;
    printf("%u points failing, %u with all later ones\n", one, all);
    assert_true(one >= 25);
}

static void
test_killed_at_every_call(void **state)
{
    int status = KILLED << 8;
    unsigned n;

    (void)state;
    for (n = 1; WEXITSTATUS(status) == KILLED; n++) {
        pid_t pid;

        set_up();
        pid = fork();
        if (pid == 0) {
            kill_instead = true;
            fault_arm(n);
            _exit(act() == AG_OK ? 0 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
        check_state(n, "killed");
    }
    printf("killed at %u points\n", n - 2);
    assert_true(n >= 25);
}

static pid_t opener;

/* By the name the old file has now: as if the name had been looked up before
 * the exchange. */
static void
open_old(void)
{
    struct dirent **entries = NULL;
    int count;

    after_exchange = NULL;
    count = scandirat(scratch.fd, ".", &entries, NULL, alphasort);
    opener = fork();
    if (opener == 0) {
        int fd = -1;

        for (int i = 0; i < count; i++) {
            if (swap_is_ours(entries[i]->d_name)) {
                fd = openat(scratch.fd, entries[i]->d_name,
                            O_WRONLY | O_APPEND | O_CLOEXEC);
            }
        }
        _exit(fd >= 0 && write(fd, "more\n", 5) == 5 ? 0 : 1);
    }
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    transcript_await(opener);
}

static void
test_who_came_before_the_exchange_loses_nothing(void **state)
{
    int status = 0;

    (void)state;
    set_up();
    after_exchange = open_old;
    check_ok(act());
    assert_int_equal(result.state, TREAT_LEFT);
    assert_int_equal(result.err, AG_EBUSY);
    assert_int_equal(waitpid(opener, &status, 0), opener);
    assert_int_equal(status, 0);
    assert_string_equal(transcript_read(scratch.fd, "f"), OLD "more\n");
}

static void
replace_new(void)
{
    after_exchange = NULL;
    /* Now `f` is the new content; the held one is to be under our name. */
    scratch_write("other", "else", 4, 0600);
    assert_int_equal(renameat(scratch.fd, "other", scratch.fd, "f"), 0);
}

static void
test_who_replaces_it_at_that_moment_wins(void **state)
{
    (void)state;
    set_up();
    after_exchange = replace_new;
    check_ok(act());
    assert_int_equal(result.state, TREAT_CHANGED);
    assert_string_equal(transcript_read(scratch.fd, "f"), "else");
}

static int
setup(void **state)
{
    (void)signal(SIGIO, SIG_IGN);
    return scratch_open(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_call),
        cmocka_unit_test(test_killed_at_every_call),
        cmocka_unit_test(test_who_came_before_the_exchange_loses_nothing),
        cmocka_unit_test(test_who_replaces_it_at_that_moment_wins),
    };

    return cmocka_run_group_tests(tests, setup, scratch_close);
}
