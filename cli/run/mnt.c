#include "run/mnt.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/fdx.h"

enum {
    PATH_TEXT_BYTES = 4096,
};

static enum ag_err
failed(const char *what, const char *path)
{
    int errno_value = errno;
    enum ag_err err =
        err_why(AG_EIO, "%s %s: %s", what, path, strerrordesc_np(errno_value));

    errno = errno_value;
    return err;
}

enum ag_err
mnt_new(const char *type, const struct mnt_option *options, uint64_t attributes,
        int *ret_fd)
{
    AG_AUTO(fd) int fs = fsopen(type, FSOPEN_CLOEXEC);
    int fd;

    if (fs < 0) {
        return failed("making a", type);
    }
    for (; options->key != NULL; options++) {
        unsigned int how =
            options->value == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;

        if (fsconfig(fs, how, options->key, options->value, 0) != 0) {
            return failed(options->key, type);
        }
    }
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) {
        return failed("making a", type);
    }
    fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attributes);
    if (fd < 0) {
        return failed("mounting a", type);
    }
    *ret_fd = fd;
    return AG_OK;
}

enum ag_err
mnt_copy(int dir_fd, const char *path, uint64_t attributes, int *ret_fd)
{
    struct mount_attr attr = {.attr_set = attributes};
    AG_AUTO(fd)
    int fd = open_tree(dir_fd, path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
                           AT_EMPTY_PATH);

    if (fd < 0) {
        return failed("taking", path);
    }
    if (attributes != 0 && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
                                         &attr, sizeof(attr)) != 0) {
        return failed("protecting", path);
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

enum ag_err
mnt_attach(int mnt_fd, int where_fd, const char *name)
{
    return move_mount(mnt_fd, "", where_fd, "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0
               ? AG_OK
               : failed("mounting at", name);
}

static int
find_as(int root_fd, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

int
mnt_find(int root_fd, const char *path)
{
    return find_as(root_fd, path, 0);
}

/* The directory that `path` is in, made with those above it, and where its
 * last segment begins. */
static enum ag_err
make_above(int root_fd, const char *path, int *ret_fd, const char **ret_last)
{
    char above[PATH_TEXT_BYTES];
    AG_AUTO(fd) int dir = find_as(root_fd, ".", O_DIRECTORY);
    const char *last = path + strspn(path, "/");

    while (dir >= 0 && last[strcspn(last, "/")] != '\0') {
        size_t len = (size_t)(last - path) + strcspn(last, "/");
        int next;

        if (len >= sizeof(above)) {
            errno = ENAMETOOLONG;
            return failed("finding", path);
        }
        memcpy(above, path, len);
        above[len] = '\0';
        next = find_as(root_fd, above, O_DIRECTORY);
        if (next < 0 && errno == ENOENT &&
            mkdirat(dir, above + (last - path), 0700) == 0) {
            next = find_as(root_fd, above, O_DIRECTORY);
        }
        fd_close(dir);
        dir = next;
        last = path + len + strspn(path + len, "/");
    }
    if (dir < 0) {
        return failed("making the way to", path);
    }
    *ret_fd = FD_TAKE(dir);
    *ret_last = last;
    return AG_OK;
}

/* The same where that directory is there, which is nearly always: at once. */
static int
find_above(int root_fd, const char *path, const char **ret_last)
{
    char above[PATH_TEXT_BYTES];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (len >= sizeof(above) || (slash != NULL && slash[1] == '\0')) {
        return -1;
    }
    memcpy(above, path, len);
    above[len] = '\0';
    *ret_last = slash == NULL ? path : slash + 1;
    return find_as(root_fd, len == 0 ? "." : above, O_DIRECTORY);
}

static int
make_last(int dir_fd, const char *name, enum mnt_kind kind)
{
    if (kind == MNT_DIR) {
        (void)mkdirat(dir_fd, name, 0700);
        return openat(dir_fd, name,
                      O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    return openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

enum ag_err
mnt_point(int root_fd, const char *path, enum mnt_kind kind, int *ret_fd)
{
    AG_AUTO(fd) int dir = -1;
    const char *last = NULL;
    int fd = mnt_find(root_fd, path);
    enum ag_err err = AG_OK;

    if (fd < 0) {
        dir = find_above(root_fd, path, &last);
        if (dir < 0) {
            err = make_above(root_fd, path, &dir, &last);
        }
        if (err != AG_OK) {
            return err;
        }
        fd = make_last(dir, last, kind);
    }
    if (fd < 0) {
        return failed("making", path);
    }
    *ret_fd = fd;
    return AG_OK;
}

enum ag_err
mnt_put(int mnt_fd, enum mnt_kind kind, int root_fd, const char *where)
{
    AG_AUTO(fd) int above = -1;
    AG_AUTO(fd) int point = -1;
    const char *name = where + strspn(where, "/");
    int dir = root_fd;
    enum ag_err err;

    if (strchr(name, '/') != NULL) {
        above = find_above(root_fd, where, &name);
        dir = above;
    }
    /* A name that was made just now is no link. */
    if (dir >= 0 &&
        (kind == MNT_DIR ? mkdirat(dir, name, 0700)
                         : mknodat(dir, name, S_IFREG | 0600, 0)) == 0) {
        return move_mount(mnt_fd, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) == 0
                   ? AG_OK
                   : failed("mounting at", where);
    }
    err = mnt_point(root_fd, where, kind, &point);
    return err == AG_OK ? mnt_attach(mnt_fd, point, where) : err;
}

enum ag_err
mnt_bind(int dir_fd, const char *path, uint64_t attributes, int root_fd,
         const char *where)
{
    AG_AUTO(fd) int mnt = -1;
    AG_AUTO(fd) int point = -1;
    struct stat st;
    enum ag_err err = mnt_copy(dir_fd, path, attributes, &mnt);

    if (err == AG_OK && fstatat(mnt, "", &st, AT_EMPTY_PATH) != 0) {
        err = failed("looking at", path);
    }
    if (err == AG_OK) {
        err = mnt_point(root_fd, where,
                        S_ISDIR(st.st_mode) ? MNT_DIR : MNT_FILE, &point);
    }
    return err == AG_OK ? mnt_attach(mnt, point, where) : err;
}
