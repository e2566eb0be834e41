#include "base/arena_map.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"

enum {
    STATUS_MAX_BYTES = 4096, /* VmLck stands in the first of
                                /proc/self/status */
};

/* VmLck of this process in KiB, or -1 where /proc doesn't say. */
static int64_t
locked_kib(void)
{
    static const char FIELD[] = "\nVmLck:";
    char status[STATUS_MAX_BYTES];
    AG_AUTO(fd) int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
    const char *at;
    struct span number;
    uint64_t kib;

    if (got <= 0) {
        return -1;
    }
    status[got] = '\0';
    at = strstr(status, FIELD);
    if (at == NULL) {
        return -1;
    }
    at += sizeof(FIELD) - 1;
    at += strspn(at, " \t");
    number = span_of(at, strspn(at, "0123456789"));
    if (parse_u64(number, INT64_MAX, &kib) != AG_OK) {
        return -1;
    }
    return (int64_t)kib;
}

static enum ag_err
lock_refused(size_t bytes)
{
    struct rlimit limit = {0};
    int64_t held_kib = locked_kib();
    size_t need_kib = bytes / 1024 + (held_kib > 0 ? (size_t)held_kib : 0);

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    return err_why(AG_EMEMLOCK,
                   "secrets need %zu KiB of locked memory, but the limit "
                   "(RLIMIT_MEMLOCK) is %llu KiB; raise it with: ulimit -l "
                   "%zu, or LimitMEMLOCK= in the service",
                   need_kib, (unsigned long long)limit.rlim_cur / 1024,
                   need_kib);
}

/* memfd_secret pages are locked, not dumped and not in the kernel's map. */
static bool
map_memfd(uint8_t *at, size_t bytes)
{
#ifdef SYS_memfd_secret
    AG_AUTO(fd) int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

    return fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
           mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                0) != MAP_FAILED;
#else
    (void)at;
    (void)bytes;
    return false;
#endif
}

/* ONFAULT: a page is locked when first used, so an idle broker stays small. */
static bool
map_mlock(uint8_t *at, size_t bytes)
{
    if (mmap(at, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        return false;
    }
    if (mlock2(at, bytes, MLOCK_ONFAULT) != 0 &&
        (errno != ENOSYS || mlock(at, bytes) != 0)) {
        return false;
    }
    return madvise(at, bytes, MADV_DONTDUMP) == 0;
}

static size_t
guard_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

enum ag_err
arena_map(size_t bytes, uint8_t **ret, enum secret_backing *ret_backing)
{
    size_t guard = guard_bytes();
    int64_t before_kib = locked_kib();
    uint8_t *whole = mmap(NULL, bytes + 2 * guard, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    enum secret_backing backing = SECRET_BACKING_MEMFD;
    int64_t after_kib;

    if (whole == MAP_FAILED) {
        return AG_ENOMEM;
    }
    if (!map_memfd(whole + guard, bytes)) {
        backing = SECRET_BACKING_MLOCK;
        if (!map_mlock(whole + guard, bytes)) {
            (void)munmap(whole, bytes + 2 * guard);
            return lock_refused(bytes);
        }
    }
    after_kib = locked_kib();
    if (madvise(whole + guard, bytes, MADV_DONTFORK) != 0 ||
        (before_kib >= 0 && after_kib >= 0 &&
         after_kib - before_kib < (int64_t)(bytes / 1024))) {
        (void)munmap(whole, bytes + 2 * guard);
        return err_why(AG_EMEMLOCK,
                       "the kernel took the lock on %zu KiB of "
                       "memory but did not keep it",
                       bytes / 1024);
    }
    *ret = whole + guard;
    *ret_backing = backing;
    return AG_OK;
}

void
arena_unmap(uint8_t *block, size_t bytes)
{
    size_t guard = guard_bytes();

    (void)munmap(block - guard, bytes + 2 * guard);
}

const uint8_t *
fork_mark_map(void)
{
    uint8_t *mark = mmap(NULL, guard_bytes(), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mark == MAP_FAILED) {
        return NULL;
    }
    if (madvise(mark, guard_bytes(), MADV_WIPEONFORK) != 0) {
        (void)munmap(mark, guard_bytes());
        return NULL;
    }
    *mark = 1;
    return mark;
}

void
fork_mark_unmap(const uint8_t *mark)
{
    if (mark != NULL) {
        (void)munmap((void *)(uintptr_t)mark, guard_bytes());
    }
}
