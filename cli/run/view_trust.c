/* The roots that an isolated task trusts, over the system's (view.h). */
#include <sys/mount.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/mnt.h"
#include "run/view_impl.h"

/* The file itself, empty still, and the directory it is in. */
static enum ag_err
make_file(const char *path)
{
    AG_AUTO(fd) int fd = -1;
    char dir[VIEW_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    int n = snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);

    if (n < 0 || (size_t)n >= sizeof(dir) ||
        (mkdir(dir, 0700) != 0 && errno != EEXIST)) {
        return view_failed("making", dir);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 ? AG_OK : view_failed("making", path);
}

/* Two of the places may be one file by a link. */
static bool
is_covered(int where, const char *path)
{
    struct stat ours;
    struct stat there;

    return stat(path, &ours) == 0 && fstat(where, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

enum ag_err
view_trust(const struct view *v)
{
    enum ag_err err = AG_OK;

    if (v->trust_file == NULL) {
        return AG_OK;
    }
    err = make_file(v->trust_file);
    for (size_t i = 0; err == AG_OK && v->trust_places[i] != NULL; i++) {
        AG_AUTO(fd)
        int where = open(v->trust_places[i], O_PATH | O_CLOEXEC);
        AG_AUTO(fd) int mnt = -1;

        /* What this view does not show needs no cover. */
        if (where < 0 || is_covered(where, v->trust_file)) {
            continue;
        }
        err = mnt_copy(AT_FDCWD, v->trust_file, VIEW_READ_ONLY, &mnt);
        if (err == AG_OK) {
            err = mnt_attach(mnt, where, v->trust_places[i]);
        }
    }
    return err;
}
