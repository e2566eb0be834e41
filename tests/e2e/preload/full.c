/*
 * full - a disk that is full from a write on, until it is not.
 *
 *   AG_FULL=FILE LD_PRELOAD=e2e_full.so auth-guardd
 *
 * FILE has two numbers of 64 bits: `left`, 0 for a disk with space, else the
 * left-th write from now, and every one after it, fails with ENOSPC; and how
 * many have failed. Counted is what wants space of a file that has a name:
 * writes, lengths and syncs; not the descriptors 0 to 2.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <dlfcn.h>

struct disk {
    _Atomic int64_t left;
    _Atomic int64_t failed;
};

static struct disk *disk;

__attribute__((constructor)) static void
open_disk(void)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet
    const char *path = getenv("AG_FULL");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd >= 0) {
        disk = mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                    0);
        (void)close(fd);
        disk = disk == MAP_FAILED ? NULL : disk;
    }
}

static int
is_full(int fd)
{
    struct stat st;
    int64_t left = disk == NULL ? 0 : atomic_load(&disk->left);

    if (left == 0 || fd <= STDERR_FILENO || fstat(fd, &st) != 0 ||
        !S_ISREG(st.st_mode) || st.st_nlink == 0) {
        return 0;
    }
    while (left > 1 &&
           !atomic_compare_exchange_weak(&disk->left, &left, left - 1)) {
    }
    if (left != 1) {
        return 0;
    }
    (void)atomic_fetch_add(&disk->failed, 1);
    errno = ENOSPC;
    return 1;
}

#define WATCHED(type, name, params, args, bad)                                 \
    type name params;                                                          \
    type name params                                                           \
    {                                                                          \
        type(*real) params = NULL; /* NOLINT(bugprone-macro-parentheses) */    \
                                                                               \
        if (is_full(fd)) {                                                     \
            return bad;                                                        \
        }                                                                      \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                             \
        return real args;                                                      \
    }

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
WATCHED(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n), -1)
WATCHED(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at),
        (fd, b, n, at), -1)
WATCHED(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t at),
        (fd, b, n, at), -1)
WATCHED(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), -1)
WATCHED(ssize_t, pwritev2,
        (int fd, const struct iovec *v, int n, off_t at, int flags),
        (fd, v, n, at, flags), -1)
WATCHED(int, ftruncate, (int fd, off_t len), (fd, len), -1)
WATCHED(int, ftruncate64, (int fd, off64_t len), (fd, len), -1)
WATCHED(int, fsync, (int fd), (fd), -1)
WATCHED(int, fdatasync, (int fd), (fd), -1)
WATCHED(int, posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len),
        ENOSPC)
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
