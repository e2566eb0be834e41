#include "move/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/secret.h"

/* The absolute path of a file, its directory resolved and the file itself not. */
static enum ag_err
absolute_path(const char *path, char **ret)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t dir_len = slash == NULL ? 0 : (size_t)(slash - path);
    char *dir = NULL;
    char *real = NULL;
    int len;

    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return err_why(AG_EINVAL, "%s names no file", path);
    }
    dir = slash == NULL ? strdup(".") : strndup(path, dir_len + (dir_len == 0));
    real = dir == NULL ? NULL : realpath(dir, NULL);
    free(dir);
    if (real == NULL) {
        return errno == ENOMEM
                   ? AG_ENOMEM
                   : err_why(AG_ENOTFOUND, "%s: no such directory", path);
    }
    len = asprintf(ret, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    free(real);
    return len < 0 ? AG_ENOMEM : AG_OK;
}

void
source_close(struct source *s)
{
    fd_close(s->fd);
    fd_close(s->dir_fd);
    free(s->path);
    *s = (struct source)SOURCE_NONE;
}

static enum ag_err
open_dir(struct source *s)
{
    char *slash = strrchr(s->path, '/');
    struct stat st;

    *slash = '\0';
    s->dir_fd = open(slash == s->path ? "/" : s->path,
                     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (s->dir_fd < 0 || fstat(s->dir_fd, &st) != 0) {
        return err_why(err_from_errno(errno), "%s: its directory: %s", s->path,
                       strerrordesc_np(errno));
    }
    if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0) {
        return err_why(AG_EFILE,
                       "%s: anybody can exchange files in its directory; "
                       "chmod o-w it first",
                       s->path);
    }
    return AG_OK;
}

static enum ag_err
refuse_link(const struct source *s)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(s->dir_fd, s->name, target, sizeof(target) - 1);

    target[len < 0 ? 0 : len] = '\0';
    return err_why(AG_EFILE,
                   "%s is a symbolic link; name the file it leads to: %s",
                   s->path, target);
}

static enum ag_err
check_kind(const struct source *s)
{
    if (S_ISLNK(s->st.st_mode)) {
        return refuse_link(s);
    }
    if (!S_ISREG(s->st.st_mode)) {
        return err_why(AG_EFILE, "%s is not a regular file", s->path);
    }
    if (s->st.st_uid != geteuid()) {
        return err_why(AG_EFILE, "%s belongs to another user (uid %u)", s->path,
                       (unsigned)s->st.st_uid);
    }
    if (s->st.st_nlink != 1) {
        return err_why(AG_EFILE,
                       "%s has %llu names (hard links); remove the others "
                       "first, or the plaintext stays under them",
                       s->path, (unsigned long long)s->st.st_nlink);
    }
    if (s->st.st_size == 0) {
        return err_why(AG_EFILE, "%s is empty: there is nothing to move",
                       s->path);
    }
    if (s->st.st_size > SOURCE_MAX_BYTES) {
        return err_why(AG_ELIMIT, "%s has %lld bytes; the limit is %d", s->path,
                       (long long)s->st.st_size, SOURCE_MAX_BYTES);
    }
    return AG_OK;
}

/* What could not be erased later is not taken now. A file that only lacks its
 * write bit is ours to change. */
static enum ag_err
check_erasable(const struct source *s)
{
    char path[64];
    int fd;

    if (faccessat(s->dir_fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return err_why(AG_EFILE, "%s can't be removed from its directory: %s",
                       s->path, strerrordesc_np(errno));
    }
    if ((s->st.st_mode & S_IWUSR) == 0) {
        return AG_OK;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_why(AG_EFILE, "%s can't be overwritten: %s", s->path,
                       strerrordesc_np(errno));
    }
    fd_close(fd);
    return AG_OK;
}

static enum ag_err
open_file(struct source *s)
{
    static const int FLAGS = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    struct stat named;
    enum ag_err err;

    if (fstatat(s->dir_fd, s->name, &s->st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_why(err_from_errno(errno), "%s: %s", s->path,
                       strerrordesc_np(errno));
    }
    named = s->st;
    err = check_kind(s); /* before open: a device or FIFO is not touched */
    if (err != AG_OK) {
        return err;
    }
    s->fd = openat(s->dir_fd, s->name, FLAGS | O_NOATIME);
    if (s->fd < 0 && errno == EPERM) {
        s->fd = openat(s->dir_fd, s->name, FLAGS);
    }
    if (s->fd < 0 || fstat(s->fd, &s->st) != 0) {
        return err_why(AG_EFILE, "%s can't be read: %s", s->path,
                       strerrordesc_np(errno));
    }
    if (named.st_ino != s->st.st_ino || named.st_dev != s->st.st_dev) {
        return err_why(AG_ECHANGED, "%s changed while it was opened", s->path);
    }
    err = check_kind(s);
    if (err == AG_OK) {
        err = check_erasable(s);
    }
    /* Opening for writing may have moved it (overlayfs copies it up). */
    if (err == AG_OK && fstat(s->fd, &s->st) != 0) {
        err = AG_EIO;
    }
    return err;
}

enum ag_err
source_open(const char *path, struct source *ret)
{
    AG_AUTO(source) struct source s = SOURCE_NONE;
    const char *name;
    enum ag_err err = absolute_path(path, &s.path);

    if (err != AG_OK) {
        return err;
    }
    name = strrchr(s.path, '/') + 1;
    if (strlen(name) >= sizeof(s.name)) {
        return err_why(AG_EINVAL, "%s: the name is too long", s.path);
    }
    memcpy(s.name, name, strlen(name) + 1);
    err = open_dir(&s);
    if (err == AG_OK) {
        err = open_file(&s);
    }
    if (err == AG_OK) {
        *ret = s;
        s = (struct source)SOURCE_NONE;
    }
    return err;
}

enum ag_err
source_read(const struct source *s, struct secret **ret)
{
    AG_AUTO(secret) struct secret *content = NULL;
    size_t size = (size_t)s->st.st_size;
    size_t done = 0;
    enum ag_err err = secret_new(size + 1, &content);

    while (err == AG_OK && done <= size) {
        ssize_t n = pread(s->fd, secret_bytes(content) + done, size + 1 - done,
                          (off_t)done);

        if (n < 0 && errno != EINTR) {
            return err_why(AG_EIO, "%s can't be read: %s", s->path,
                           strerrordesc_np(errno));
        }
        if (n == 0) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (err == AG_OK && done != size) {
        err = err_why(AG_ECHANGED, "%s changed while it was read", s->path);
    }
    if (err == AG_OK) {
        err = source_unchanged(s);
    }
    if (err == AG_OK) {
        secret_shrink(content, size);
        *ret = AG_TAKE(content);
    }
    return err;
}

static bool
same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

enum ag_err
source_unchanged(const struct source *s)
{
    struct stat open_st;
    struct stat named;

    if (fstat(s->fd, &open_st) != 0) {
        return err_why(AG_EIO, "%s: %s", s->path, strerrordesc_np(errno));
    }
    if (fstatat(s->dir_fd, s->name, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
        named.st_ino != s->st.st_ino || named.st_dev != s->st.st_dev) {
        return err_why(AG_ECHANGED,
                       "%s was replaced while it was being moved; nothing was "
                       "changed, try again",
                       s->path);
    }
    if (open_st.st_size != s->st.st_size || open_st.st_nlink != 1 ||
        !same_time(open_st.st_mtim, s->st.st_mtim) ||
        !same_time(open_st.st_ctim, s->st.st_ctim)) {
        return err_why(AG_ECHANGED,
                       "%s changed while it was being moved; nothing was "
                       "changed, try again",
                       s->path);
    }
    return AG_OK;
}
