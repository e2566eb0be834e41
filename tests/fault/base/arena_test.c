// WRAP: syscall mmap mlock2 madvise calloc malloc ftruncate open read
/* Opening the arena with every call failing in turn: either a clean error, or
 * a locked block of the other backing; never unlocked memory. */
#include <sys/mman.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/secret.h"
#include "common/fault.h"
#include "common/smaps.h"

enum {
    ARENA_BYTES = 64 * 1024
};

static bool no_memfd;

/* syscall(2) takes what it takes; memfd_secret takes one argument. */
long __real_syscall(long number, long a);
long __wrap_syscall(long number, long a);

long
__wrap_syscall(long number, long a)
{
    if (no_memfd) {
        errno = ENOSYS;
        return -1;
    }
    return fault_now() ? -1 : __real_syscall(number, a);
}

int __real_open(const char *path, int flags);
int __wrap_open(const char *path, int flags);

int
__wrap_open(const char *path, int flags)
{
    return fault_now() ? -1 : __real_open(path, flags);
}

FAULT_WRAPPER(void *, mmap,
              (void *at, size_t len, int prot, int flags, int fd, off_t off),
              (at, len, prot, flags, fd, off), MAP_FAILED)
FAULT_WRAPPER(int, mlock2, (const void *at, size_t len, unsigned flags),
              (at, len, flags), -1)
FAULT_WRAPPER(int, madvise, (void *at, size_t len, int advice),
              (at, len, advice), -1)
FAULT_WRAPPER(void *, calloc, (size_t n, size_t len), (n, len), NULL)
FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(int, ftruncate, (int fd, off_t len), (fd, len), -1)
FAULT_WRAPPER(ssize_t, read, (int fd, void *out, size_t len), (fd, out, len),
              -1)

static void
check_locked(void)
{
    struct secret *s = NULL;

    check_ok(secret_new(100, &s));
    memset(secret_bytes(s), 'x', 100);
    smaps_check_private(secret_bytes(s));
    secret_free(s);
}

static void
open_with_faults(bool all_later)
{
    for (unsigned n = 1;; n++) {
        enum ag_err err;
        bool fired;

        fault_arm(n);
        fault.all_later = all_later;
        fault.error = n % 2 == 0 ? ENOMEM : EPERM;
        err = secret_arena_open(ARENA_BYTES);
        fired = fault_done();
        if (err == AG_OK) {
            check_locked();
            secret_arena_close();
        } else {
            assert_true(fired);
            assert_true(err == AG_EMEMLOCK || err == AG_ENOMEM);
            assert_int_equal(secret_arena_backing(), SECRET_BACKING_NONE);
        }
        check_ok(secret_arena_open(ARENA_BYTES)); /* nothing stuck */
        secret_arena_close();
        if (!fired) {
            assert_true(n > 5); /* the wrappers are in place */
            return;
        }
    }
}

static void
test_each_call_fails(void **state)
{
    (void)state;
    open_with_faults(false);
    open_with_faults(true);
}

static void
test_without_memfd_secret(void **state)
{
    (void)state;
    no_memfd = true;
    check_ok(secret_arena_open(ARENA_BYTES));
    assert_int_equal(secret_arena_backing(), SECRET_BACKING_MLOCK);
    check_locked();
    secret_arena_close();
    open_with_faults(false);
    no_memfd = false;
}

static void
test_no_memory_for_a_handle(void **state)
{
    struct secret *s = NULL;
    size_t used;

    (void)state;
    check_ok(secret_arena_open(ARENA_BYTES));
    used = secret_arena_used_bytes();
    fault_arm(1);
    check_err(secret_new(10, &s), AG_ENOMEM);
    assert_true(fault_done());
    assert_null(s);
    assert_int_equal(secret_arena_used_bytes(), used);
    secret_arena_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_without_memfd_secret),
        cmocka_unit_test(test_no_memory_for_a_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
