#include "run/layer.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/mnt.h"

enum {
    SEGMENT_BYTES = 256,
    PATH_TEXT_BYTES = 1024,
    PROC_PATH_BYTES = 64,
    LEVELS_MAX_COUNT = 64, /* two descriptors each */
};

static const char OPAQUE[] = "user.overlay.opaque";

/* A directory here must look like `lower_fd`, the one below it (-1: there is
 * none): what is merged has the attributes of the layer. */
static int
open_level(int lower_fd, int upper_fd, const char *name)
{
    struct stat st;

    if (mkdirat(upper_fd, name, 0700) == 0 && lower_fd >= 0 &&
        fstatat(lower_fd, "", &st, AT_EMPTY_PATH) == 0) {
        (void)!fchmodat(upper_fd, name, st.st_mode & 07777, 0);
    }
    return openat(upper_fd, name,
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

bool
layer_keeps_marks(int upper_fd)
{
    return fsetxattr(upper_fd, "user.auth-guard", "", 0, 0) == 0;
}

/* ---- what is hidden ---- */

/* One directory on the way, in the home and in the layer. */
struct level {
    size_t len; /* of the path that leads to it */
    int lower;  /* -1: not there */
    int upper;
};

struct marking {
    const struct layer_hiding *what;
    struct level levels[LEVELS_MAX_COUNT];
    size_t depth;     /* in use, the first are the roots */
    const char *mark; /* a whiteout that was made, or NULL */
    size_t mark_len;
    const char *hidden; /* the latest: nothing below it shows */
    size_t hidden_len;
};

static enum ag_err
failed(const char *path)
{
    return err_why(AG_EIO, "hiding ~/%s: %s", path, strerrordesc_np(errno));
}

/* Another name for the whiteout there is already costs half of a new one;
 * overlayfs shares its own the same way. */
static int
put_mark(const struct marking *m, int dir_fd, const char *name)
{
    char mark[PATH_TEXT_BYTES];

    if (m->mark != NULL && m->mark_len < sizeof(mark)) {
        memcpy(mark, m->mark, m->mark_len);
        mark[m->mark_len] = '\0';
        if (linkat(m->what->upper_fd, mark, dir_fd, name, 0) == 0) {
            return 0;
        }
    }
    return mknodat(dir_fd, name, S_IFCHR, 0);
}

/* path[0..len) ends with `name`, which is in the deepest level. */
static enum ag_err
hide_last(struct marking *m, const char *path, size_t len, const char *name)
{
    int dir_fd = m->levels[m->depth - 1].upper;
    AG_AUTO(fd) int fd = -1;

    m->hidden = path;
    m->hidden_len = len;
    if (put_mark(m, dir_fd, name) == 0) {
        m->mark = path;
        m->mark_len = len;
        return AG_OK;
    }
    if (errno != EEXIST) {
        return failed(path);
    }
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fsetxattr(fd, OPAQUE, "y", 1, 0) != 0) {
        return failed(path);
    }
    return AG_OK; /* a file, a link, a mark: nothing below shows through */
}

/* Down to one more level; false when the layer has no directory there. */
static bool
descend(struct marking *m, int lower_fd, size_t len, const char *name)
{
    int upper = open_level(lower_fd, m->levels[m->depth - 1].upper, name);

    if (upper < 0) {
        fd_close(lower_fd);
        return false;
    }
    m->levels[m->depth++] = (struct level){len, lower_fd, upper};
    return true;
}

/* Back to the deepest level that is on the way to `path`. */
static void
ascend(struct marking *m, const char *from, const char *path)
{
    while (m->depth > 1) {
        const struct level *level = &m->levels[m->depth - 1];

        if (path != NULL && strncmp(from, path, level->len) == 0 &&
            path[level->len] == '/') {
            return;
        }
        fd_close(level->lower);
        fd_close(level->upper);
        m->depth--;
    }
}

static enum ag_err
hide_one(struct marking *m, const char *path)
{
    for (;;) {
        const struct level *level = &m->levels[m->depth - 1];
        size_t begin = level->len + (m->depth > 1 ? 1 : 0);
        size_t len = strcspn(path + begin, "/");
        char name[SEGMENT_BYTES];
        int lower;

        if (len == 0 || len >= sizeof(name) || m->depth == LEVELS_MAX_COUNT) {
            return err_why(AG_EIO, "hiding ~/%s: no such name", path);
        }
        memcpy(name, path + begin, len);
        name[len] = '\0';
        len += begin;
        if (path[len] == '\0') {
            return hide_last(m, path, len, name);
        }
        lower = level->lower < 0
                    ? -1
                    : openat(level->lower, name,
                             O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (lower < 0 && m->what->early) {
            return hide_last(m, path, len, name);
        }
        if (!descend(m, lower, len, name)) {
            return AG_OK; /* the way to it is hidden already */
        }
    }
}

enum ag_err
layer_hide(const struct layer_hiding *what)
{
    struct marking m = {.what = what, .depth = 1};
    const char *from = "";
    enum ag_err err = AG_OK;

    m.levels[0] = (struct level){0, what->lower_fd, what->upper_fd};
    for (size_t i = 0; err == AG_OK && i < what->count; i++) {
        const char *path = what->paths[i];

        if (m.hidden != NULL && strncmp(path, m.hidden, m.hidden_len) == 0 &&
            path[m.hidden_len] == '/') {
            continue;
        }
        ascend(&m, from, path);
        err = hide_one(&m, path);
        from = path;
    }
    ascend(&m, from, NULL);
    return err;
}

enum ag_err
layer_mount(int lower_fd, int store_fd, int *ret_fd)
{
    char lower[PROC_PATH_BYTES];
    char upper[PROC_PATH_BYTES];
    char work[PROC_PATH_BYTES];
    const struct mnt_option options[] = {{"lowerdir", lower},
                                         {"upperdir", upper},
                                         {"workdir", work},
                                         {"userxattr", NULL},
                                         {NULL, NULL}};

    (void)snprintf(lower, sizeof(lower), "/proc/self/fd/%d", lower_fd);
    (void)snprintf(upper, sizeof(upper), "/proc/self/fd/%d/upper", store_fd);
    (void)snprintf(work, sizeof(work), "/proc/self/fd/%d/work", store_fd);
    return mnt_new("overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                   ret_fd);
}
