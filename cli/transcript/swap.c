#include "transcript/swap.h"

#include <sys/file.h>
#include <sys/xattr.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "move/erase.h"

#define PREFIX ".ag-inplace-"

enum {
    ID_CHARS = 16,
    TAIL_MAX_CHARS = 8, /* -journal: a database's own file beside one of ours */
    TRIES_COUNT = 8,
    XATTR_MAX_BYTES = 2048, /* of one, or of the names; more is left alone */
};

bool
swap_is_ours(const char *name)
{
    static const size_t PREFIX_CHARS = sizeof(PREFIX) - 1;
    const char *id = name + PREFIX_CHARS;

    return strncmp(name, PREFIX, PREFIX_CHARS) == 0 &&
           strspn(id, "0123456789abcdef") == ID_CHARS &&
           (id[ID_CHARS] == '\0' || id[ID_CHARS] == '-') &&
           strlen(id) <= ID_CHARS + TAIL_MAX_CHARS;
}

/* ---- holding ---- */

static enum ag_err
take_lease(int fd, const char *name)
{
    if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
        return AG_OK;
    }
    if (errno == EAGAIN || errno == EBUSY) {
        return err_why(AG_EBUSY, "%s: another process has it open", name);
    }
    if (errno == EACCES || errno == EPERM) {
        return err_why(AG_EFILE, "%s belongs to another user", name);
    }
    return err_why(AG_EUNSUPPORTED,
                   "%s: this file system can't tell whether another process "
                   "has it open",
                   name);
}

bool
swap_is_alone(const struct swap *s)
{
    return fcntl(s->old_fd, F_GETLEASE) == F_WRLCK;
}

static enum ag_err
check_kind(const struct stat *st, const char *name)
{
    if (!S_ISREG(st->st_mode)) {
        return err_why(AG_EFILE, "%s is not a regular file", name);
    }
    if (st->st_nlink > 1) {
        return err_why(AG_EFILE,
                       "%s has %ju names (hard links): under the others the "
                       "plaintext would stay; redact one of them after "
                       "removing the rest",
                       name, (uintmax_t)st->st_nlink);
    }
    if (st->st_uid != geteuid() && geteuid() != 0) {
        return err_why(AG_EFILE, "%s belongs to another user", name);
    }
    return AG_OK;
}

enum ag_err
swap_hold(int dir_fd, const char *name, struct swap *s)
{
    enum ag_err err;

    *s = (struct swap){
        .dir_fd = dir_fd, .name = name, .old_fd = -1, .new_fd = -1};
    s->old_fd =
        openat(dir_fd, name,
               O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (s->old_fd < 0) {
        return errno == ELOOP ? err_why(AG_EFILE, "%s is a symbolic link", name)
               : errno == EWOULDBLOCK
                   ? err_why(AG_EBUSY, "%s: another process holds it", name)
                   : err_why(err_from_errno(errno), "%s: %s", name,
                             strerrordesc_np(errno));
    }
    if (fstat(s->old_fd, &s->old) != 0) {
        return err_from_errno(errno);
    }
    err = check_kind(&s->old, name);
    if (err == AG_OK) {
        err = take_lease(s->old_fd, name);
    }
    /* Again: what was written before the lease was given counts. */
    if (err == AG_OK && fstat(s->old_fd, &s->old) != 0) {
        err = err_from_errno(errno);
    }
    return err == AG_OK ? check_kind(&s->old, name) : err;
}

/* ---- the new file ---- */

enum ag_err
swap_new_file(int dir_fd, char name[SWAP_NAME_BYTES], int *ret_fd)
{
    for (int i = 0; i < TRIES_COUNT; i++) {
        uint64_t id = 0;
        int fd;

        randombytes_buf(&id, sizeof(id));
        (void)snprintf(name, SWAP_NAME_BYTES, PREFIX "%016jx", (uintmax_t)id);
        fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) {
            return err_why(err_from_errno(errno),
                           "a new file can't be made beside it: %s",
                           strerrordesc_np(errno));
        }
        if (fd >= 0) {
            /* Another run's sweep may have it for a moment: then it goes. */
            (void)flock(fd, LOCK_EX | LOCK_NB);
            *ret_fd = fd;
            return AG_OK;
        }
    }
    return AG_EEXISTS;
}

enum ag_err
swap_make(struct swap *s)
{
    return swap_new_file(s->dir_fd, s->temp, &s->new_fd);
}

/* Who else may read it, and what else is kept with it. What a file system keeps
 * for itself (security.*, trusted.*) it gives the new one. */
static bool
is_to_keep(const char *name)
{
    return strcmp(name, "system.posix_acl_access") == 0 ||
           strncmp(name, "user.", 5) == 0;
}

static bool
copy_attribute(const struct swap *s, const char *name)
{
    char value[XATTR_MAX_BYTES];
    ssize_t len = fgetxattr(s->old_fd, name, value, sizeof(value));

    return len >= 0 && fsetxattr(s->new_fd, name, value, (size_t)len, 0) == 0;
}

static enum ag_err
copy_attributes(const struct swap *s)
{
    char names[XATTR_MAX_BYTES];
    ssize_t len = flistxattr(s->old_fd, names, sizeof(names));
    size_t step = 0;

    if (len < 0) {
        return errno == ENOTSUP ? AG_OK : err_from_errno(errno);
    }
    for (size_t at = 0; at < (size_t)len; at += step) {
        step = strlen(names + at) + 1;
        if (is_to_keep(names + at) && !copy_attribute(s, names + at)) {
            return err_why(AG_EDENIED, "%s: its attribute %s can't be kept: %s",
                           s->name, names + at, strerrordesc_np(errno));
        }
    }
    return AG_OK;
}

static enum ag_err
dress(const struct swap *s)
{
    const struct timespec times[2] = {s->old.st_atim, s->old.st_mtim};
    struct stat now;
    enum ag_err err;

    if (fstat(s->new_fd, &now) != 0) {
        return err_from_errno(errno);
    }
    if ((now.st_uid != s->old.st_uid || now.st_gid != s->old.st_gid) &&
        fchown(s->new_fd, s->old.st_uid, s->old.st_gid) != 0) {
        return err_why(AG_EDENIED, "%s: its owner and group can't be kept",
                       s->name);
    }
    if (fchmod(s->new_fd, s->old.st_mode & 07777) != 0) {
        return err_from_errno(errno);
    }
    err = copy_attributes(s); /* a list's mask is the mode's */
    if (err == AG_OK &&
        (futimens(s->new_fd, times) != 0 || fsync(s->new_fd) != 0)) {
        err = err_from_errno(errno);
    }
    return err;
}

/* ---- the exchange ---- */

static bool
is_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is it the held file, unchanged, that has its name? */
static bool
is_unchanged(const struct swap *s)
{
    struct stat now;

    return fstatat(s->dir_fd, s->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == s->old.st_dev && now.st_ino == s->old.st_ino &&
           now.st_size == s->old.st_size &&
           is_time(&now.st_mtim, &s->old.st_mtim) &&
           is_time(&now.st_ctim, &s->old.st_ctim);
}

/* Is it the held file that has our name now? */
static bool
is_put_aside(const struct swap *s)
{
    struct stat now;

    return fstatat(s->dir_fd, s->temp, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == s->old.st_dev && now.st_ino == s->old.st_ino &&
           now.st_nlink == 1;
}

static enum ag_err
exchange(const struct swap *s)
{
    if (renameat2(s->dir_fd, s->temp, s->dir_fd, s->name, RENAME_EXCHANGE) ==
        0) {
        return AG_OK;
    }
    if (errno == EINVAL || errno == ENOSYS) {
        return err_why(AG_EUNSUPPORTED,
                       "%s: this file system can't exchange two names in one "
                       "step",
                       s->name);
    }
    return err_from_errno(errno);
}

/* Undone when somebody came in between, or the step may not outlive a power
 * cut. */
static enum ag_err
exchange_alone(struct swap *s)
{
    enum ag_err err = exchange(s);

    if (err != AG_OK) {
        return err;
    }
    err = fs_sync_dir(s->dir_fd);
    if (err == AG_OK && !is_put_aside(s)) {
        err = err_why(AG_ECHANGED, "%s was replaced in the meantime", s->name);
    }
    if (err == AG_OK && !swap_is_alone(s)) {
        err = err_why(AG_EBUSY, "%s: another process is opening it", s->name);
    }
    if (err == AG_OK) {
        return AG_OK;
    }
    if (exchange(s) != AG_OK) {
        s->temp[0] = '\0'; /* whose content it is, nobody can say: it stays */
    }
    (void)!fs_sync_dir(s->dir_fd);
    return err;
}

static void
give_back(struct swap *s)
{
    if (s->old_fd >= 0) {
        (void)fcntl(s->old_fd, F_SETLEASE, F_UNLCK);
    }
    fd_close(FD_TAKE(s->old_fd));
}

enum ag_err
swap_commit(struct swap *s)
{
    bool wiped = false;
    enum ag_err err = dress(s);

    if (err == AG_OK && !swap_is_alone(s)) {
        return err_why(AG_EBUSY, "%s: another process is opening it", s->name);
    }
    if (err == AG_OK && !is_unchanged(s)) {
        return err_why(AG_ECHANGED, "%s changed in the meantime", s->name);
    }
    if (err == AG_OK) {
        err = exchange_alone(s);
    }
    if (err != AG_OK) {
        return err;
    }
    /* Our own opening would wait for the lease, which lives as long as the
     * filter's copy of the descriptor. */
    give_back(s);
    err = erase_file(s->dir_fd, s->temp, &wiped);
    s->not_wiped = !wiped;
    if (err == AG_OK) {
        s->temp[0] = '\0';
    }
    return err;
}

void
swap_done(struct swap *s)
{
    bool wiped;

    give_back(s);
    if (s->new_fd >= 0 && s->temp[0] != '\0') {
        (void)!erase_file(s->dir_fd, s->temp, &wiped);
    }
    fd_close(FD_TAKE(s->new_fd));
}

bool
swap_sweep(int dir_fd, const char *name)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;
    bool wiped;

    if (!swap_is_ours(name)) {
        return false;
    }
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        (st.st_uid != geteuid() && geteuid() != 0) ||
        flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    return erase_file(dir_fd, name, &wiped) == AG_OK;
}
