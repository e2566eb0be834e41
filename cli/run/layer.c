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
    PROC_PATH_BYTES = 64,
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

static enum ag_err
hide_last(int upper_fd, const char *name, const char *path)
{
    AG_AUTO(fd) int fd = -1;

    if (mknodat(upper_fd, name, S_IFCHR, 0) == 0) {
        return AG_OK;
    }
    if (errno != EEXIST) {
        return err_why(AG_EUNSUPPORTED, "hiding ~/%s: %s", path,
                       strerrordesc_np(errno));
    }
    fd =
        openat(upper_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fsetxattr(fd, OPAQUE, "y", 1, 0) != 0) {
        return err_why(AG_EUNSUPPORTED, "hiding ~/%s: %s", path,
                       strerrordesc_np(errno));
    }
    return AG_OK; /* a file, a link, a mark: nothing below shows through */
}

enum ag_err
layer_hide(int lower_fd, int upper_fd, bool early, const char *path)
{
    AG_AUTO(fd) int lower = fcntl(lower_fd, F_DUPFD_CLOEXEC, 3);
    AG_AUTO(fd) int upper = fcntl(upper_fd, F_DUPFD_CLOEXEC, 3);
    const char *at = path;

    while (upper >= 0) {
        char name[SEGMENT_BYTES];
        size_t len = strcspn(at, "/");
        int next;

        if (len == 0 || len >= sizeof(name)) {
            return err_why(AG_EUNSUPPORTED, "hiding ~/%s: no such name", path);
        }
        memcpy(name, at, len);
        name[len] = '\0';
        next = lower < 0
                   ? -1
                   : openat(lower, name,
                            O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (at[len] == '\0' || (next < 0 && early)) {
            fd_close(next);
            return hide_last(upper, name, path);
        }
        fd_close(lower);
        lower = next;
        next = open_level(lower, upper, name);
        fd_close(upper);
        upper = next;
        at += len + 1;
    }
    return AG_OK; /* the way to it is hidden already */
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
