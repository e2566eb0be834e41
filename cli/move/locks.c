#include "move/locks.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/parse.h"

enum {
    STEP_MS = 50,
    /* A lock directory that nobody has touched for so long is a dead process's:
     * its holder renews the time every few seconds, and the tools themselves
     * (npm's proper-lockfile) take it over after ten. */
    STALE_MS = 15 * 1000,
};

/* What we write into a lock file of our own, with our pid behind it. */
static const char MARK[] = "auth-guard ";

struct held {
    const struct profile_lock *lock;
    int fd; /* flock */
};

struct locks {
    int dir_fd;
    struct held held[LOCKS_MAX_COUNT];
    size_t count;
};

static void
let_go(const struct locks *l, const struct held *h)
{
    switch (h->lock->kind) {
    case LOCK_KIND_FLOCK:
        fd_close(h->fd); /* the file stays, as the tool leaves it */
        break;
    case LOCK_KIND_FILE:
        (void)unlinkat(l->dir_fd, h->lock->name, 0);
        break;
    case LOCK_KIND_DIRECTORY:
        (void)unlinkat(l->dir_fd, h->lock->name, AT_REMOVEDIR);
        break;
    }
}

void
locks_free(struct locks *l)
{
    if (l == NULL) {
        return;
    }
    while (l->count > 0) {
        let_go(l, &l->held[--l->count]);
    }
    fd_close(l->dir_fd);
    free(l);
}

/* A lock file of an auth-guard that is no more. */
static bool
is_leftover(int dir_fd, const char *name)
{
    AG_AUTO(fd)
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    char text[48];
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct span digits;
    uint64_t pid = 0;

    if (len <= (ssize_t)strlen(MARK) ||
        !span_starts(span_of(text, (size_t)len), span_str(MARK))) {
        return false;
    }
    digits = span_of(text + strlen(MARK), (size_t)len - strlen(MARK));
    digits.len = span_find(digits, '\n');
    return parse_u64(digits, INT32_MAX, &pid) == AG_OK && pid > 0 &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static enum ag_err
try_flock(int dir_fd, const char *name, int *ret_fd)
{
    int fd =
        openat(dir_fd, name,
               O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum ag_err err = errno == EWOULDBLOCK ? AG_EBUSY : AG_EIO;

        fd_close(fd);
        return err;
    }
    *ret_fd = fd;
    return AG_OK;
}

static enum ag_err
try_file(int dir_fd, const char *name)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    char text[48];
    int len;

    if (fd < 0) {
        if (errno != EEXIST) {
            return err_from_errno(errno);
        }
        if (is_leftover(dir_fd, name)) {
            (void)unlinkat(dir_fd, name, 0);
        }
        return AG_EBUSY;
    }
    len = snprintf(text, sizeof(text), "%s%d\n", MARK, (int)getpid());
    if (fd_write_all(fd, span_of(text, (size_t)len)) != AG_OK) {
        (void)unlinkat(dir_fd, name, 0);
        return AG_EIO;
    }
    return AG_OK;
}

/* An empty directory has no place for a mark of ours: its age tells. */
static bool
is_stale(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode) &&
           clock_wall_ms() - ((int64_t)st.st_mtim.tv_sec * 1000) > STALE_MS;
}

static enum ag_err
try_directory(int dir_fd, const char *name)
{
    if (mkdirat(dir_fd, name, 0700) == 0) {
        return AG_OK;
    }
    if (errno != EEXIST) {
        return err_from_errno(errno);
    }
    if (is_stale(dir_fd, name)) {
        (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
    }
    return AG_EBUSY;
}

static enum ag_err
try_one(int dir_fd, const struct profile_lock *lock, int *ret_fd)
{
    switch (lock->kind) {
    case LOCK_KIND_FLOCK:
        return try_flock(dir_fd, lock->name, ret_fd);
    case LOCK_KIND_FILE:
        return try_file(dir_fd, lock->name);
    case LOCK_KIND_DIRECTORY:
        return try_directory(dir_fd, lock->name);
    }
    return AG_EINTERNAL;
}

static enum ag_err
take_one(struct locks *l, const struct profile_lock *lock, int64_t until_ms)
{
    static const struct timespec STEP = {.tv_nsec = STEP_MS * 1000000L};
    struct held *h = &l->held[l->count];
    enum ag_err err;

    *h = (struct held){.lock = lock, .fd = -1};
    for (;;) {
        err = try_one(l->dir_fd, lock, &h->fd);
        if (err != AG_EBUSY || clock_steady_ms() >= until_ms) {
            break;
        }
        (void)nanosleep(&STEP, NULL);
    }
    if (err == AG_EBUSY) {
        return err_why(AG_EBUSY,
                       "the tool holds its lock %s; end it and try again",
                       lock->name);
    }
    if (err != AG_OK) {
        return err_why(err, "the lock %s can't be taken: %s", lock->name,
                       err_text(err));
    }
    l->count++;
    return AG_OK;
}

enum ag_err
locks_take(int dir_fd, const struct profile_file *file, int64_t wait_ms,
           struct locks **ret)
{
    AG_AUTO(locks) struct locks *l = calloc(1, sizeof(*l));
    int64_t until_ms = clock_steady_ms() + wait_ms;
    enum ag_err err = AG_OK;

    if (l == NULL) {
        return AG_ENOMEM;
    }
    l->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
    if (l->dir_fd < 0) {
        return AG_EIO;
    }
    if (file->locks.count > LOCKS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    for (size_t i = 0; err == AG_OK && i < file->locks.count; i++) {
        err = take_one(l, &file->locks.items[i], until_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(l);
    }
    return err;
}
