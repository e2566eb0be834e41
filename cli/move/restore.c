#include "move/restore.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"

void
restore_close(struct restore *r)
{
    fd_close(r->fd);
    fd_close(r->dir_fd);
    free(r->path);
    *r = (struct restore)RESTORE_NONE;
}

enum ag_err
restore_discard(struct restore *r)
{
    bool wiped = false;
    enum ag_err err;

    if (r->fd < 0 || r->placed) {
        return AG_OK;
    }
    err = erase_file(r->dir_fd, r->temp, &wiped);
    return err == AG_ENOTFOUND ? AG_OK : err;
}

static enum ag_err
check_path(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || slash[1] == '\0') {
        return err_why(AG_EINVAL, "%s is not the absolute path of a file",
                       path);
    }
    *ret_name = slash + 1;
    return AG_OK;
}

static enum ag_err
check_free(int dir_fd, const char *name, const char *path)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return err_why(AG_EEXISTS,
                       "%s exists%s; move it away first, it is never "
                       "overwritten",
                       path, S_ISLNK(st.st_mode) ? " (a link)" : "");
    }
    return errno == ENOENT ? AG_OK
                           : err_why(err_from_errno(errno), "%s: %s", path,
                                     strerrordesc_np(errno));
}

enum ag_err
restore_possible(const char *path)
{
    const char *name = NULL;
    enum ag_err err = check_path(path, &name);

    return err == AG_OK ? check_free(AT_FDCWD, path, path) : err;
}

/* A new directory must be in its parent for good before a file in it counts. */
static enum ag_err
sync_parent(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;
    enum ag_err err;

    *slash = '\0';
    fd = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    err = fd < 0 ? err_from_errno(errno) : fs_sync_dir(fd);
    fd_close(fd);
    return err;
}

/* Each missing directory is made private; those that are there stay as they
 * are. `path` is changed for the moment. */
static enum ag_err
make_dirs(char *path)
{
    for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        int failed;
        enum ag_err err = AG_OK;

        *p = '\0';
        failed = mkdir(path, 0700) != 0 ? errno : 0;
        if (failed == 0) {
            err = sync_parent(path);
        }
        *p = '/';
        if (err != AG_OK) {
            return err;
        }
        failed = failed == EEXIST ? 0 : failed;
        if (failed != 0) {
            return err_why(err_from_errno(failed),
                           "the directory of %s can't be made: %s", path,
                           strerrordesc_np(failed));
        }
    }
    return AG_OK;
}

static enum ag_err
open_temp(struct restore *r)
{
    r->fd = openat(r->dir_fd, r->temp,
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (r->fd < 0) {
        return err_why(err_from_errno(errno),
                       "no file can be made beside %s: %s", r->path,
                       strerrordesc_np(errno));
    }
    return AG_OK;
}

enum ag_err
restore_open(const char *path, const char *id, struct restore *ret)
{
    AG_AUTO(restore) struct restore r = RESTORE_NONE;
    struct erase_names names;
    char *slash;
    enum ag_err err = erase_names(id, &names);

    if (err == AG_OK) {
        err = check_path(path, &r.name);
    }
    if (err != AG_OK) {
        return err;
    }
    memcpy(r.temp, names.coming, sizeof(r.temp));
    r.path = strdup(path);
    if (r.path == NULL) {
        return AG_ENOMEM;
    }
    err = make_dirs(r.path);
    if (err != AG_OK) {
        return err;
    }
    slash = strrchr(r.path, '/');
    *slash = '\0';
    r.dir_fd = open(slash == r.path ? "/" : r.path,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    r.name = slash + 1;
    if (r.dir_fd < 0) {
        return err_why(err_from_errno(errno), "the directory of %s: %s", path,
                       strerrordesc_np(errno));
    }
    err = check_free(r.dir_fd, r.name, r.path);
    if (err == AG_OK) {
        err = open_temp(&r);
    }
    if (err == AG_OK) {
        *ret = r;
        r = (struct restore)RESTORE_NONE;
    }
    return err;
}

static struct timespec
to_timespec(int64_t ns)
{
    int64_t s = ns / 1000000000;
    int64_t rest = ns % 1000000000;

    if (rest < 0) {
        rest += 1000000000;
        s--;
    }
    return (struct timespec){.tv_sec = (time_t)s, .tv_nsec = (long)rest};
}

static enum ag_err
set_facts(const struct restore *r, const struct restore_facts *f)
{
    mode_t mode = f->mode == 0 ? 0600 : (mode_t)(f->mode & 07777);
    struct timespec times[2] = {to_timespec(f->atime_ns),
                                to_timespec(f->mtime_ns)};
    struct stat st;

    if (fstat(r->fd, &st) != 0) {
        return err_from_errno(errno);
    }
    if (f->size_bytes >= 0 && st.st_size != f->size_bytes) {
        return err_why(
            AG_ECORRUPT, "%lld bytes were written for %s instead of %lld",
            (long long)st.st_size, r->path, (long long)f->size_bytes);
    }
    if (f->gid >= 0 && (gid_t)f->gid != st.st_gid &&
        fchown(r->fd, (uid_t)-1, (gid_t)f->gid) != 0) {
        if (errno != EPERM) {
            return err_from_errno(errno);
        }
        mode &= ~(mode_t)S_IRWXG; /* we left that group: not another's now */
    }
    if (fchmod(r->fd, mode) != 0) {
        return err_from_errno(errno);
    }
    if (f->mtime_ns != 0 && futimens(r->fd, times) != 0) {
        return err_from_errno(errno);
    }
    return fsync(r->fd) == 0 ? AG_OK : err_from_errno(errno);
}

enum ag_err
restore_place(struct restore *r, const struct restore_facts *f)
{
    enum ag_err err = set_facts(r, f);

    if (err != AG_OK) {
        return err;
    }
    err = rename_new(r->dir_fd, r->temp, r->name);
    if (err == AG_EEXISTS) {
        return err_why(AG_EEXISTS,
                       "%s has come into being meanwhile; it was left as it is",
                       r->path);
    }
    if (err != AG_OK) {
        return err_why(err, "%s can't be named: %s", r->path, err_text(err));
    }
    r->placed = true;
    return fs_sync_dir(r->dir_fd);
}
