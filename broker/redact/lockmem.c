#include "redact/lockmem.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <stdatomic.h>
#include <unistd.h>

#include "base/secret.h"

static atomic_size_t used_bytes;

static enum ag_err
lock_refused(size_t len)
{
    struct rlimit limit = {.rlim_cur = 0};

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    return err_why(AG_EMEMLOCK,
                   "%zu bytes more can't be locked (%zu in use, limit %llu); "
                   "raise the limit with: ulimit -l",
                   len, atomic_load(&used_bytes),
                   (unsigned long long)limit.rlim_cur);
}

enum ag_err
lockmem_init(size_t len, struct lockmem *ret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole;
    void *ptr;

    if (__builtin_add_overflow(len, page - 1, &whole)) {
        return AG_ENOMEM;
    }
    whole -= whole % page;
    if (whole == 0) {
        whole = page;
    }
    ptr = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0);
    if (ptr == MAP_FAILED) {
        return AG_ENOMEM;
    }
    if (mlock(ptr, whole) != 0 || madvise(ptr, whole, MADV_DONTDUMP) != 0) {
        (void)munmap(ptr, whole);
        return lock_refused(whole);
    }
    atomic_fetch_add(&used_bytes, whole);
    *ret = (struct lockmem){.ptr = ptr, .len = whole};
    return AG_OK;
}

void
lockmem_done(struct lockmem *m)
{
    if (m->ptr == NULL) {
        return;
    }
    wipe(m->ptr, m->len);
    (void)munmap(m->ptr, m->len);
    atomic_fetch_sub(&used_bytes, m->len);
    *m = (struct lockmem){.ptr = NULL};
}

size_t
lockmem_used_bytes(void)
{
    return atomic_load(&used_bytes);
}
