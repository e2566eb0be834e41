// WRAP: openat __openat_2 open fstat read write fsync renameat mkdir flock malloc realloc
/* Files with every call failing in turn, and reads and writes cut short: a
 * replaced file is the old one or the new one, never a mix, and no descriptor
 * or temporary file stays behind. */
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "common/fault.h"
#include "common/scratch.h"

static bool cut_short; /* reads and writes of one byte, EINTR between */
static bool interrupt;

static bool
interrupted(void)
{
    if (!cut_short) {
        return false;
    }
    interrupt = !interrupt;
    errno = EINTR;
    return interrupt;
}

int __real_openat(int dir, const char *name, int flags, mode_t mode);
int __wrap_openat(int dir, const char *name, int flags, mode_t mode);

int
__wrap_openat(int dir, const char *name, int flags, mode_t mode)
{
    return fault_now() ? -1 : __real_openat(dir, name, flags, mode);
}

/* What _FORTIFY_SOURCE makes of openat() where the flags are not constant. */
int __real___openat_2(int dir, const char *name, int flags);
int __wrap___openat_2(int dir, const char *name, int flags);

int
__wrap___openat_2(int dir, const char *name, int flags)
{
    return fault_now() ? -1 : __real___openat_2(dir, name, flags);
}

int __real_open(const char *name, int flags, mode_t mode);
int __wrap_open(const char *name, int flags, mode_t mode);

int
__wrap_open(const char *name, int flags, mode_t mode)
{
    return fault_now() ? -1 : __real_open(name, flags, mode);
}

ssize_t __real_read(int fd, void *out, size_t len);
ssize_t __wrap_read(int fd, void *out, size_t len);

ssize_t
__wrap_read(int fd, void *out, size_t len)
{
    if (interrupted() || fault_now()) {
        return -1;
    }
    return __real_read(fd, out, cut_short && len > 1 ? 1 : len);
}

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

ssize_t
__wrap_write(int fd, const void *bytes, size_t len)
{
    if (interrupted() || fault_now()) {
        return -1;
    }
    return __real_write(fd, bytes, cut_short && len > 1 ? 1 : len);
}

FAULT_WRAPPER(int, fstat, (int fd, struct stat *st), (fd, st), -1)
FAULT_WRAPPER(int, fsync, (int fd), (fd), -1)
FAULT_WRAPPER(int, renameat, (int a, const char *b, int c, const char *d),
              (a, b, c, d), -1)
FAULT_WRAPPER(int, mkdir, (const char *path, mode_t mode), (path, mode), -1)
FAULT_WRAPPER(int, flock, (int fd, int how), (fd, how), -1)
FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, realloc, (void *old, size_t len), (old, len), NULL)

static size_t
open_count(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 64; fd++) {
        n += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return n;
}

static bool
is_there(const char *name)
{
    return faccessat(scratch.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
check_content(const char *name, const char *one, const char *other)
{
    AG_AUTO(buf) struct buf b;

    buf_init(&b, 1000, BUF_PLAIN);
    check_ok(fs_read(scratch.fd, name, 1000, &b));
    assert_true(span_is(buf_view(&b), one) || span_is(buf_view(&b), other));
}

static void
test_replace_is_old_or_new(void **state)
{
    size_t before = open_count();

    (void)state;
    for (unsigned n = 1;; n++) {
        enum ag_err err;
        bool fired;

        check_ok(fs_replace(scratch.fd, "doc", span_str("old")));
        fault_arm(n);
        fault.error = n % 2 == 0 ? ENOSPC : EIO;
        err = fs_replace(scratch.fd, "doc", span_str("new content"));
        fired = fault_done();
        if (!fired) {
            check_ok(err);
            check_content("doc", "new content", "new content");
            assert_true(n > 5); /* the wrappers are in place */
            return;
        }
        assert_int_equal(err, fault.error == ENOSPC ? AG_ENOSPACE : AG_EIO);
        check_content("doc", "old", "new content");
        assert_false(is_there("doc.tmp"));
        assert_int_equal(open_count(), before);
    }
}

typedef enum ag_err (*operation)(void);

static enum ag_err
do_dir(void)
{
    AG_AUTO(fd) int fd = -1;
    char path[100];

    (void)snprintf(path, sizeof(path), "%s/a/b", scratch.path);
    return fs_private_dir(path, &fd);
}

static enum ag_err
do_open(void)
{
    AG_AUTO(fd) int fd = -1;

    return fs_open_private(scratch.fd, "doc", &fd);
}

static enum ag_err
do_read(void)
{
    AG_AUTO(buf) struct buf b;

    buf_init(&b, 100, BUF_WIPE);
    return fs_read(scratch.fd, "doc", 100, &b);
}

static enum ag_err
do_lock(void)
{
    AG_AUTO(fd) int fd = -1;

    return fs_lock(scratch.fd, "lock", &fd);
}

static enum ag_err
do_read_secret(void)
{
    AG_AUTO(secret) struct secret *s = NULL;
    AG_AUTO(fd)
    int fd = openat(scratch.fd, "doc", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);

    return fd < 0 ? AG_EIO : fd_read_secret(fd, 100, &s);
}

static void
test_each_call_fails_cleanly(void **state)
{
    static const operation OPERATIONS[] = {do_dir, do_open, do_read, do_lock,
                                           do_read_secret};
    size_t before = open_count();

    (void)state;
    check_ok(fs_replace(scratch.fd, "doc", span_str("content")));
    for (size_t i = 0; i < AG_COUNT(OPERATIONS); i++) {
        for (unsigned n = 1;; n++) {
            enum ag_err err;
            bool fired;

            fault_arm(n);
            err = OPERATIONS[i]();
            fired = fault_done();
            assert_int_equal(open_count(), before);
            assert_int_equal(secret_arena_used_bytes(), 0);
            if (!fired) {
                check_ok(err);
                assert_true(n > 2);
                break;
            }
            /* fstat only guesses the size in fd_read_secret() */
            assert_true(err == AG_EIO || err == AG_ENOMEM || err == AG_OK);
        }
    }
}

static void
test_short_and_interrupted_calls(void **state)
{
    AG_AUTO(secret) struct secret *s = NULL;
    AG_AUTO(fd) int fd = -1;

    (void)state;
    cut_short = true;
    check_ok(fs_replace(scratch.fd, "doc", span_str("byte by byte")));
    check_content("doc", "byte by byte", "byte by byte");
    fd = openat(scratch.fd, "doc", O_RDONLY | O_CLOEXEC, 0);
    check_ok(fd_read_secret(fd, 12, &s));
    check_span(secret_view(s), "byte by byte");
    cut_short = false;
}

static void
test_a_lock_somebody_else_has(void **state)
{
    int fd = -1;

    (void)state;
    fault_arm(2);
    fault.error = EWOULDBLOCK;
    check_err(fs_lock(scratch.fd, "lock", &fd), AG_EBUSY);
    assert_true(fault_done());
    assert_int_equal(fd, -1);
}

static int
set_up(void **state)
{
    check_ok(secret_arena_open((size_t)64 * 1024));
    return scratch_open(state);
}

static int
tear_down(void **state)
{
    secret_arena_close();
    return scratch_close(state);
}

int
main(void)
{
#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_replace_is_old_or_new),
        FILE_TEST(test_each_call_fails_cleanly),
        FILE_TEST(test_short_and_interrupted_calls),
        FILE_TEST(test_a_lock_somebody_else_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
