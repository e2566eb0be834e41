/*
 * scratch.h - a private directory of a test's own, removed afterwards.
 */
#ifndef AG_TESTS_SCRATCH_H
#define AG_TESTS_SCRATCH_H

#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include <ftw.h>

#include "common/check.h"

static struct {
    char path[64];
    int fd;
} scratch = {.fd = -1};

static inline int
scratch_remove_one(const char *path, const struct stat *st, int type,
                   struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int
scratch_open(void **state)
{
    (void)state;
    (void)snprintf(scratch.path, sizeof(scratch.path), "/tmp/ag-test-XXXXXX");
    if (mkdtemp(scratch.path) == NULL) {
        return -1;
    }
    scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return scratch.fd < 0 ? -1 : 0;
}

static inline int
scratch_close(void **state)
{
    (void)state;
    (void)close(scratch.fd);
    scratch.fd = -1;
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    return nftw(scratch.path, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file of the directory with this mode. */
static inline void
scratch_write(const char *name, const void *bytes, size_t len, mode_t mode)
{
    int fd = openat(scratch.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

#endif
