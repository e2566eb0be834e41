/*
 * shimvfs.h - SQLite's file system, watched: it fails the n-th call (fault.h),
 * or keeps a diary of every write, truncation, removal and sync (shimdisk.h
 * plays a power cut back from it).
 *
 * The diary also takes what the program writes itself, if the test wraps
 * pwrite, write, ftruncate and fdatasync (SHIM_WRAPPERS).
 */
#ifndef AG_TESTS_SHIMVFS_H
#define AG_TESTS_SHIMVFS_H

#include <sys/stat.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/fault.h"

enum {
    SHIM_FILES = 6,
    SHIM_HEAD = 2, /* places below */
    SHIM_NEW = 5,
    SHIM_SECTOR_BYTES = 512,
};

enum shim_op {
    SHIM_WRITE,
    SHIM_TRUNCATE,
    SHIM_REMOVE,
    SHIM_SYNC,
    SHIM_ACK, /* the test: the n-th step was answered */
};

struct shim_event {
    enum shim_op op;
    int file;
    int64_t at; /* offset, new length, or number of the step */
    size_t len;
    uint8_t *bytes;
};

static const char *const SHIM_NAMES[SHIM_FILES] = {
    "vault.db",     "vault.db-wal",  "vault.head",
    "uses.journal", "uses.journal2", "vault.db.new"};

static struct {
    pthread_mutex_t lock;
    bool on;
    struct shim_event *events;
    size_t count;
    size_t cap;
    sqlite3_vfs *real;
    int fail_code; /* what a failing call of SQLite's answers */
    bool no_disk;  /* a sync is noted, and not waited for */
    bool full;     /* only what wants space fails */
} shim = {.lock = PTHREAD_MUTEX_INITIALIZER, .fail_code = SQLITE_IOERR};

/* Does this call fail? Under the lock: the writer's thread asks. */
static inline bool
shim_fails(void)
{
    bool fails;

    (void)pthread_mutex_lock(&shim.lock);
    fails = fault_now();
    (void)pthread_mutex_unlock(&shim.lock);
    return fails;
}

/* Of a call that wants no space. */
static inline bool
shim_look_fails(void)
{
    return !shim.full && shim_fails();
}

static inline void
shim_arm(unsigned nth, bool all_later)
{
    (void)pthread_mutex_lock(&shim.lock);
    fault_arm(nth);
    fault.all_later = all_later;
    fault.error = shim.full ? ENOSPC : EIO;
    (void)pthread_mutex_unlock(&shim.lock);
}

/* Disarms; did a call fail? */
static inline bool
shim_done(void)
{
    bool fired;

    (void)pthread_mutex_lock(&shim.lock);
    fired = fault_done();
    (void)pthread_mutex_unlock(&shim.lock);
    return fired;
}

/* ---- the diary ---- */

static inline int
shim_file_of(const char *path)
{
    const char *base = path == NULL ? NULL : strrchr(path, '/');

    for (int i = 0; base != NULL && i < SHIM_FILES; i++) {
        if (strcmp(base + 1, SHIM_NAMES[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static inline void
shim_note(enum shim_op op, int file, int64_t at, const void *bytes, size_t len)
{
    (void)pthread_mutex_lock(&shim.lock);
    if (shim.on && (file >= 0 || op == SHIM_ACK)) {
        if (shim.count == shim.cap) {
            shim.cap = shim.cap == 0 ? 1024 : shim.cap * 2;
            shim.events = realloc(shim.events, shim.cap * sizeof(*shim.events));
        }
        shim.events[shim.count] =
            (struct shim_event){.op = op, .file = file, .at = at, .len = len};
        if (len > 0) {
            shim.events[shim.count].bytes = malloc(len);
            memcpy(shim.events[shim.count].bytes, bytes, len);
        }
        shim.count++;
    }
    (void)pthread_mutex_unlock(&shim.lock);
}

static inline void
shim_forget(void)
{
    for (size_t i = 0; i < shim.count; i++) {
        free(shim.events[i].bytes);
    }
    free(shim.events);
    shim.events = NULL;
    shim.count = 0;
    shim.cap = 0;
}

/* ---- the VFS ---- */

struct shim_handle {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    int file;
};

static inline sqlite3_file *
shim_real(sqlite3_file *f)
{
    return ((struct shim_handle *)(void *)f)->real;
}

static inline int
shim_number(sqlite3_file *f)
{
    return ((struct shim_handle *)(void *)f)->file;
}

static inline int
shim_close(sqlite3_file *f)
{
    return shim_real(f)->pMethods->xClose(shim_real(f));
}

static inline int
shim_read(sqlite3_file *f, void *out, int len, sqlite3_int64 at)
{
    return shim_look_fails()
               ? shim.fail_code
               : shim_real(f)->pMethods->xRead(shim_real(f), out, len, at);
}

static inline int
shim_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 at)
{
    if (shim_fails()) {
        return shim.fail_code;
    }
    shim_note(SHIM_WRITE, shim_number(f), at, bytes, (size_t)len);
    return shim_real(f)->pMethods->xWrite(shim_real(f), bytes, len, at);
}

static inline int
shim_truncate(sqlite3_file *f, sqlite3_int64 len)
{
    if (shim_fails()) {
        return shim.fail_code;
    }
    shim_note(SHIM_TRUNCATE, shim_number(f), len, NULL, 0);
    return shim_real(f)->pMethods->xTruncate(shim_real(f), len);
}

static inline int
shim_sync(sqlite3_file *f, int flags)
{
    if (shim_fails()) {
        return shim.fail_code;
    }
    shim_note(SHIM_SYNC, shim_number(f), 0, NULL, 0);
    return shim.no_disk ? SQLITE_OK
                        : shim_real(f)->pMethods->xSync(shim_real(f), flags);
}

static inline int
shim_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return shim_look_fails()
               ? shim.fail_code
               : shim_real(f)->pMethods->xFileSize(shim_real(f), ret);
}

static inline int
shim_lock(sqlite3_file *f, int level)
{
    return shim_look_fails()
               ? shim.fail_code
               : shim_real(f)->pMethods->xLock(shim_real(f), level);
}

static inline int
shim_unlock(sqlite3_file *f, int level)
{
    return shim_real(f)->pMethods->xUnlock(shim_real(f), level);
}

static inline int
shim_reserved(sqlite3_file *f, int *ret)
{
    return shim_real(f)->pMethods->xCheckReservedLock(shim_real(f), ret);
}

static inline int
shim_control(sqlite3_file *f, int op, void *arg)
{
    return shim_real(f)->pMethods->xFileControl(shim_real(f), op, arg);
}

static inline int
shim_sector(sqlite3_file *f)
{
    (void)f;
    return SHIM_SECTOR_BYTES;
}

static inline int
shim_traits(sqlite3_file *f)
{
    (void)f;
    return 0; /* the worst disk: no promise at all */
}

static inline int
shim_shm_map(sqlite3_file *f, int page, int len, int extend,
             volatile void **ret)
{
    return shim_fails() ? shim.fail_code
                        : shim_real(f)->pMethods->xShmMap(shim_real(f), page,
                                                          len, extend, ret);
}

static inline int
shim_shm_lock(sqlite3_file *f, int at, int count, int flags)
{
    return shim_real(f)->pMethods->xShmLock(shim_real(f), at, count, flags);
}

/* A barrier is all it is within one process; SQLite's own ends in a jump to
 * pthread_mutex_unlock(), which ThreadSanitizer would take for ours. */
static inline void
shim_shm_barrier(sqlite3_file *f)
{
    (void)f;
    __sync_synchronize();
}

static inline int
shim_shm_unmap(sqlite3_file *f, int remove_it)
{
    return shim_real(f)->pMethods->xShmUnmap(shim_real(f), remove_it);
}

static const sqlite3_io_methods SHIM_METHODS = {
    .iVersion = 2, /* no memory mapping */
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_traits,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static inline int
shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
          int *ret_flags)
{
    struct shim_handle *h = (struct shim_handle *)(void *)f;
    int rc;

    (void)vfs;
    memset(h, 0, sizeof(*h));
    h->real = (sqlite3_file *)(void *)(h + 1);
    h->file = shim_file_of(name);
    rc = shim_fails()
             ? SQLITE_CANTOPEN
             : shim.real->xOpen(shim.real, name, h->real, flags, ret_flags);
    h->base.pMethods = rc == SQLITE_OK ? &SHIM_METHODS : NULL;
    return rc;
}

static inline int
shim_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    if (shim_fails()) {
        return shim.fail_code;
    }
    shim_note(SHIM_REMOVE, shim_file_of(name), 0, NULL, 0);
    return shim.real->xDelete(shim.real, name, sync_dir);
}

/* Becomes the default; once, before SQLite is used. */
static inline void
shim_install(void)
{
    static sqlite3_vfs vfs;

    shim.real = sqlite3_vfs_find(NULL);
    vfs = *shim.real;
    vfs.zName = "shim";
    vfs.szOsFile += (int)sizeof(struct shim_handle);
    vfs.xOpen = shim_open;
    vfs.xDelete = shim_delete;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* ---- what the program writes itself ---- */

static inline int
shim_file_of_fd(int fd)
{
    char link[64];
    char path[256];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    if (len <= 0) {
        return -1;
    }
    path[len] = '\0';
    return shim_file_of(path);
}

/* Not a pipe, nor a socket: those know no disk. */
static inline bool
shim_is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

#define SHIM_WRAPPERS                                                          \
    ssize_t __real_pwrite(int fd, const void *b, size_t n, off_t at);          \
    ssize_t __wrap_pwrite(int fd, const void *b, size_t n, off_t at);          \
    ssize_t __wrap_pwrite(int fd, const void *b, size_t n, off_t at)           \
    {                                                                          \
        if (shim_fails()) {                                                    \
            return -1;                                                         \
        }                                                                      \
        if (shim.on) {                                                         \
            shim_note(SHIM_WRITE, shim_file_of_fd(fd), at, b, n);              \
        }                                                                      \
        return __real_pwrite(fd, b, n, at);                                    \
    }                                                                          \
    ssize_t __real_write(int fd, const void *b, size_t n);                     \
    ssize_t __wrap_write(int fd, const void *b, size_t n);                     \
    ssize_t __wrap_write(int fd, const void *b, size_t n)                      \
    {                                                                          \
        if (shim_is_file(fd) && shim_fails()) {                                \
            return -1;                                                         \
        }                                                                      \
        if (shim.on) {                                                         \
            shim_note(SHIM_WRITE, shim_file_of_fd(fd), lseek(fd, 0, SEEK_END), \
                      b, n);                                                   \
        }                                                                      \
        return __real_write(fd, b, n);                                         \
    }                                                                          \
    int __real_ftruncate(int fd, off_t len);                                   \
    int __wrap_ftruncate(int fd, off_t len);                                   \
    int __wrap_ftruncate(int fd, off_t len)                                    \
    {                                                                          \
        if (shim_fails()) {                                                    \
            return -1;                                                         \
        }                                                                      \
        if (shim.on) {                                                         \
            shim_note(SHIM_TRUNCATE, shim_file_of_fd(fd), len, NULL, 0);       \
        }                                                                      \
        return __real_ftruncate(fd, len);                                      \
    }                                                                          \
    int __real_fdatasync(int fd);                                              \
    int __wrap_fdatasync(int fd);                                              \
    int __wrap_fdatasync(int fd)                                               \
    {                                                                          \
        if (shim_fails()) {                                                    \
            return -1;                                                         \
        }                                                                      \
        if (shim.on) {                                                         \
            shim_note(SHIM_SYNC, shim_file_of_fd(fd), 0, NULL, 0);             \
        }                                                                      \
        return shim.no_disk ? 0 : __real_fdatasync(fd);                        \
    }

#endif
