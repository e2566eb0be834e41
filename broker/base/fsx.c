#include "base/fsx.h"

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"

enum {
    PRIVATE_DIR_MODE = 0700,
    PRIVATE_FILE_MODE = 0600,
    OPEN_TO_OTHERS = 077,
    FILE_NAME_BYTES = NAME_MAX + 1,
    PART_BYTES = 4096, /* of one read */
};

static enum ag_err
check_private(const struct stat *st, const char *name)
{
    if (st->st_uid != geteuid()) {
        return err_why(AG_EMODE, "%s belongs to another user (uid %u)", name,
                       (unsigned)st->st_uid);
    }
    if ((st->st_mode & OPEN_TO_OTHERS) != 0) {
        return err_why(AG_EMODE,
                       "%s is open to others (mode %04o); run: chmod go= %s",
                       name, (unsigned)(st->st_mode & 07777), name);
    }
    return AG_OK;
}

/* Makes each missing directory on the way, the last one too. */
static enum ag_err
make_parents(const char *path)
{
    char part[PATH_MAX];
    size_t len = strnlen(path, sizeof(part));

    if (len == 0 || len >= sizeof(part)) {
        return err_why(AG_EINVAL, "a path is empty or too long");
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        char at = part[i];

        if (at != '/' && at != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, PRIVATE_DIR_MODE) != 0 && errno != EEXIST &&
            errno != EISDIR && !(errno == EROFS && access(part, F_OK) == 0)) {
            int number = errno;

            return err_why(err_from_errno(number), "%s can't be made: %s", part,
                           strerrordesc_np(number));
        }
        part[i] = at;
    }
    return AG_OK;
}

enum ag_err
fs_private_dir(const char *path, int *ret_fd)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;
    enum ag_err err = make_parents(path);

    if (err != AG_OK) {
        return err;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        return err_why(AG_EMODE, "%s is not a directory, or is a link", path);
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        int number = errno;

        return err_why(err_from_errno(number), "%s can't be opened: %s", path,
                       strerrordesc_np(number));
    }
    err = check_private(&st, path);
    if (err != AG_OK) {
        return err;
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

/* Opens a regular file for reading; O_NONBLOCK so that a FIFO put in its place
 * can't hold us. */
static enum ag_err
open_regular(int dir_fd, const char *name, int extra_flags, int *ret_fd,
             struct stat *st)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, name,
                    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | extra_flags);

    if (fd < 0 && errno == ELOOP) {
        return err_why(AG_EMODE, "%s is a link", name);
    }
    if (fd < 0 || fstat(fd, st) != 0) {
        int number = errno;

        return err_why(err_from_errno(number), "%s can't be opened: %s", name,
                       strerrordesc_np(number));
    }
    if (!S_ISREG(st->st_mode)) {
        return err_why(AG_EMODE, "%s is not a regular file", name);
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

enum ag_err
fs_open_private(int dir_fd, const char *name, int *ret_fd)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;
    enum ag_err err = open_regular(dir_fd, name, O_NOFOLLOW, &fd, &st);

    if (err != AG_OK) {
        return err;
    }
    err = check_private(&st, name);
    if (err != AG_OK) {
        return err;
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

/* The content under `temporary`, durable but not yet in its place. */
static enum ag_err
write_beside(int dir_fd, const char *temporary, struct span content)
{
    AG_AUTO(fd) int fd = -1;
    enum ag_err err;

    if (unlinkat(dir_fd, temporary, 0) != 0 && errno != ENOENT) {
        return err_from_errno(errno);
    }
    fd = openat(dir_fd, temporary,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                PRIVATE_FILE_MODE);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = fd_write_all(fd, content);
    if (err != AG_OK) {
        return err;
    }
    return fsync(fd) == 0 ? AG_OK : err_from_errno(errno);
}

enum ag_err
fs_replace(int dir_fd, const char *name, struct span content)
{
    char temporary[FILE_NAME_BYTES];
    int len = snprintf(temporary, sizeof(temporary), "%s.tmp", name);
    enum ag_err err;

    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        return err_why(AG_EINVAL, "a file name is too long");
    }
    err = write_beside(dir_fd, temporary, content);
    if (err == AG_OK && renameat(dir_fd, temporary, dir_fd, name) != 0) {
        err = err_from_errno(errno);
    }
    if (err != AG_OK) {
        (void)unlinkat(dir_fd, temporary, 0);
        return err;
    }
    return fs_sync_dir(dir_fd);
}

/* read() with EINTR retried, into the buffer; at its cap one byte is tried, to
 * tell a file that just fits from a larger one. *ret_len is 0 at the end. */
static enum ag_err
read_part(int fd, size_t room, struct buf *out, size_t *ret_len)
{
    size_t left = out->max - out->len;
    size_t want = room < left ? room : left;
    uint8_t probe;
    uint8_t *to = &probe;
    ssize_t n;

    if (want > 0) {
        enum ag_err err =
            buf_room(out, want < PART_BYTES ? want : PART_BYTES, &to);

        if (err != AG_OK) {
            return err;
        }
    }
    do {
        n = read(fd, to, want == 0 ? 1 : want < PART_BYTES ? want : PART_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return err_from_errno(errno);
    }
    if (n > 0 && want == 0) {
        return AG_ELIMIT;
    }
    buf_grew(out, (size_t)n);
    *ret_len = (size_t)n;
    return AG_OK;
}

enum ag_err
fs_read(int dir_fd, const char *name, size_t max_bytes, struct buf *out)
{
    AG_AUTO(fd) int fd = -1;
    size_t before = out->len;
    size_t n = 0;
    struct stat st;
    enum ag_err err = open_regular(dir_fd, name, 0, &fd, &st);

    while (err == AG_OK) {
        err = read_part(fd, max_bytes - (out->len - before), out, &n);
        if (err == AG_OK && n == 0) {
            return AG_OK;
        }
    }
    buf_truncate(out, before);
    return err == AG_ELIMIT ? err_why(AG_ELIMIT, "%s is larger than %zu bytes",
                                      name, max_bytes)
                            : err;
}

enum ag_err
fs_sync_dir(int dir_fd)
{
    return fsync(dir_fd) == 0 ? AG_OK : err_from_errno(errno);
}

enum ag_err
fs_lock(int dir_fd, const char *name, int *ret_fd)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                    PRIVATE_FILE_MODE);

    if (fd < 0) {
        return errno == ELOOP ? AG_EMODE : err_from_errno(errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? err_why(AG_EBUSY, "%s is held by another process", name)
                   : err_from_errno(errno);
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}
