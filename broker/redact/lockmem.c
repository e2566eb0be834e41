#include "redact/lockmem.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <stdatomic.h>
#include <unistd.h>

#include "base/secret.h"

static atomic_size_t used_bytes;
static atomic_size_t text_bytes; /* of them */
static atomic_size_t unlocked_bytes;

/* As far as it is known: the broker, once confined, may not ask. */
static unsigned long long
limit_bytes(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 ? limit.rlim_cur
                                                  : RLIM_INFINITY;
}

static enum ag_err
lock_refused(size_t len)
{
    return err_why(AG_EMEMLOCK,
                   "%zu bytes more can't be locked (%zu in use, limit %llu); "
                   "raise the limit with: ulimit -l",
                   len, atomic_load(&used_bytes), limit_bytes());
}

/* Counts `len` bytes of text, if their share has room for them. */
static enum ag_err
take_share(size_t len)
{
    unsigned long long limit = limit_bytes();
    size_t texts = atomic_fetch_add(&text_bytes, len);
    size_t used = atomic_load(&used_bytes);
    size_t values = used > texts ? used - texts : 0;

    if (values < limit && texts + len <= (limit - values) / 3 * 2) {
        return AG_OK;
    }
    atomic_fetch_sub(&text_bytes, len);
    return err_why(AG_EMEMLOCK,
                   "the streams that run take %zu bytes of locked memory, and "
                   "the values %zu of %llu: %zu more would leave too little "
                   "for new values; end a stream, or raise the limit with: "
                   "ulimit -l",
                   texts, values, limit, len);
}

static enum ag_err
lock(const struct lockmem *m)
{
    enum ag_err err = m->is_text ? take_share(m->len) : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    if (mlock(m->ptr, m->len) != 0) {
        atomic_fetch_sub(&text_bytes, m->is_text ? m->len : 0);
        return lock_refused(m->len);
    }
    atomic_fetch_add(&used_bytes, m->len);
    return AG_OK;
}

/* Of `kind`, which is otherwise empty. */
static enum ag_err
map(size_t len, struct lockmem kind, bool is_late, struct lockmem *ret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct lockmem m = kind;
    enum ag_err err = AG_OK;

    if (__builtin_add_overflow(len, page - 1, &m.len)) {
        return AG_ENOMEM;
    }
    m.len -= m.len % page;
    if (m.len == 0) {
        m.len = page;
    }
    m.ptr = mmap(NULL, m.len, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m.ptr == MAP_FAILED) {
        return AG_ENOMEM;
    }
    if (madvise(m.ptr, m.len, MADV_DONTDUMP) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = lock(&m);
        m.is_unlocked = err != AG_OK;
        err = is_late ? AG_OK : err;
    }
    if (err != AG_OK) {
        (void)munmap(m.ptr, m.len);
        return err;
    }
    atomic_fetch_add(&unlocked_bytes, m.is_unlocked ? m.len : 0);
    *ret = m;
    return AG_OK;
}

enum ag_err
lockmem_init(size_t len, struct lockmem *ret)
{
    return map(len, (struct lockmem){.is_text = false}, false, ret);
}

enum ag_err
lockmem_init_text(size_t len, struct lockmem *ret)
{
    return map(len, (struct lockmem){.is_text = true}, false, ret);
}

enum ag_err
lockmem_init_late(size_t len, struct lockmem *ret)
{
    return map(len, (struct lockmem){.is_text = true}, true, ret);
}

void
lockmem_done(struct lockmem *m)
{
    if (m->ptr == NULL) {
        return;
    }
    wipe(m->ptr, m->len);
    (void)munmap(m->ptr, m->len);
    if (m->is_unlocked) {
        atomic_fetch_sub(&unlocked_bytes, m->len);
    } else {
        atomic_fetch_sub(&used_bytes, m->len);
        atomic_fetch_sub(&text_bytes, m->is_text ? m->len : 0);
    }
    *m = (struct lockmem){.ptr = NULL};
}

size_t
lockmem_used_bytes(void)
{
    return atomic_load(&used_bytes);
}

size_t
lockmem_unlocked_bytes(void)
{
    return atomic_load(&unlocked_bytes);
}
