/*
 * A database changed in place under faults, with a log that a killed writer
 * left: the n-th call fails, it and all later ones fail, memory runs out, or the
 * process is killed before the call, for every n. The name always leads to a
 * whole database with every row, the old or the new, and once what lies beside
 * it is swept, no plaintext is anywhere else.
 */
// WRAP: openat fstat fstatat pread pwrite write fsync renameat2 unlinkat linkat
// WRAP: fchmod futimens flock lseek mmap memfd_create readlink malloc calloc
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <dirent.h>
#include <signal.h>
#include <time.h>

#include "common/databases.h"
#include "common/fault.h"
#include "transcript/swap.h"

#define VALUE TRANSCRIPT_VALUE

enum {
    KILLED = 77, /* exit code of a child at its point */
    FILE_MAX_BYTES = 64 * 1024,
    /* Allocations are many: SQLite's are among them. */
    MEMORY_STEP = 23,
};

static bool kill_instead; /* of failing: the process ends before the call */
static bool memory;       /* allocations count, and nothing else */

static bool
point(bool is_memory)
{
    if (is_memory != memory || !fault_now()) {
        return false;
    }
    if (kill_instead) {
        _exit(KILLED);
    }
    return true;
}

#define WRAPPER(type, name, params, args, bad)                                 \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        return point(false) ? (bad) : __real_##name args;                      \
    }

/* Variadic in its declaration only. */
int __real_openat(int dir_fd, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir_fd, const char *path, int flags, mode_t mode);

int
__wrap_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return point(false) ? -1 : __real_openat(dir_fd, path, flags, mode);
}

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);

void *
__wrap_malloc(size_t len)
{
    return point(true) ? NULL : __real_malloc(len);
}

void *__real_calloc(size_t count, size_t len);
void *__wrap_calloc(size_t count, size_t len);

void *
__wrap_calloc(size_t count, size_t len)
{
    return point(true) ? NULL : __real_calloc(count, len);
}

WRAPPER(int, fstat, (int fd, struct stat *st), (fd, st), -1)
WRAPPER(int, fstatat, (int d, const char *p, struct stat *st, int f),
        (d, p, st, f), -1)
WRAPPER(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at),
        -1)
WRAPPER(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), -1)
WRAPPER(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at),
        (fd, p, n, at), -1)
WRAPPER(int, fsync, (int fd), (fd), -1)
WRAPPER(int, renameat2,
        (int a, const char *p, int b, const char *q, unsigned f),
        (a, p, b, q, f), -1)
WRAPPER(int, unlinkat, (int d, const char *p, int flags), (d, p, flags), -1)
WRAPPER(int, linkat, (int a, const char *p, int b, const char *q, int f),
        (a, p, b, q, f), -1)
WRAPPER(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAPPER(int, futimens, (int fd, const struct timespec *t), (fd, t), -1)
WRAPPER(int, flock, (int fd, int op), (fd, op), -1)
WRAPPER(off_t, lseek, (int fd, off_t at, int from), (fd, at, from), -1)
WRAPPER(void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t at),
        (a, n, p, f, fd, at), MAP_FAILED)
WRAPPER(int, memfd_create, (const char *name, unsigned flags), (name, flags),
        -1)
WRAPPER(ssize_t, readlink, (const char *p, char *out, size_t n), (p, out, n),
        -1)

/* What the killed writer left. */
static struct {
    char bytes[FILE_MAX_BYTES];
    size_t len;
} left[2];

static const char *const LEFT_NAMES[] = {"d", "d-wal"};

static void
make_left(void)
{
    static const char *const SQL[] = {
        "PRAGMA journal_mode = WAL", "CREATE TABLE t (a TEXT)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "INSERT INTO t VALUES ('one " VALUE "'), ('two'), ('three " VALUE "')",
        NULL};
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        database_run(database_open("d"), SQL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < AG_COUNT(left); i++) {
        int fd = openat(scratch.fd, LEFT_NAMES[i], O_RDONLY | O_CLOEXEC, 0);
        ssize_t n = read(fd, left[i].bytes, FILE_MAX_BYTES);

        assert_true(n > 0 && n < FILE_MAX_BYTES);
        left[i].len = (size_t)n;
        assert_int_equal(close(fd), 0);
    }
}

static void
set_up(void)
{
    (void)unlinkat(scratch.fd, "d", 0);
    (void)unlinkat(scratch.fd, "d-shm", 0);
    for (size_t i = 0; i < AG_COUNT(left); i++) {
        scratch_write(LEFT_NAMES[i], left[i].bytes, left[i].len, 0600);
    }
}

static struct treat_result result;

static enum ag_err
act(void)
{
    struct passage passage = {.run = database_pass};
    const struct treat t = {.passage = &passage};
    enum ag_err err = treat_file(&t, scratch.fd, "d", "d", &result);

    treat_result_done(&result);
    return err;
}

/* Whole, and alone once it is swept. */
static void
check_state(unsigned n, const char *how)
{
    struct dirent **entries = NULL;
    const char *rows;
    int count = scandirat(scratch.fd, ".", &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        (void)swap_sweep(scratch.fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    rows = database_ask("d", "SELECT group_concat(a, ',') FROM t");
    if (strcmp(rows, "one " VALUE ",two,three " VALUE) != 0 &&
        strcmp(rows, "one [x],two,three [x]") != 0) {
        fail_msg("point %u, %s: %s", n, how, rows);
    }
    if (strchr(rows, '[') != NULL && database_has_bytes("d", VALUE)) {
        fail_msg("point %u, %s: plaintext in the new database", n, how);
    }
    assert_string_equal(database_ask("d", "PRAGMA integrity_check"), "ok");
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
fail_each(bool all, unsigned step)
{
    for (unsigned n = 1;; n += step) {
        bool fired;

        set_up();
        fault_arm(n);
        fault.all_later = all;
        fault.error = n % 2 == 0 ? ENOSPC : EIO;
        (void)!act();
        fired = fault_done();
        check_state(n, all ? "all later calls failing" : "a failing call");
        if (!fired) {
            assert_int_equal(result.state, TREAT_CHANGED);
            return n - 1;
        }
    }
}

static void
test_a_failing_call(void **state)
{
    unsigned one = fail_each(false, 1);
    unsigned all = fail_each(true, 1);

    (void)state;
    printf("%u points failing, %u with all later ones\n", one, all);
    assert_true(one >= 40);
}

static void
test_no_memory(void **state)
{
    unsigned one;
    unsigned all;

    (void)state;
    memory = true;
    one = fail_each(false, MEMORY_STEP);
    all = fail_each(true, MEMORY_STEP);
    memory = false;
    printf("%u allocations, %u with all later ones\n", one, all);
    assert_true(one >= 500);
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
    assert_true(n >= 40);
}

static int
setup(void **state)
{
    int rc = scratch_open(state);

    (void)signal(SIGIO, SIG_IGN);
    if (rc == 0) {
        make_left();
    }
    return rc;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_call),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_killed_at_every_call),
    };

    return cmocka_run_group_tests(tests, setup, scratch_close);
}
