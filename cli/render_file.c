#include "render_file.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/parse.h"
#include "base/secret.h"

enum {
    NAME_BYTES = NAME_MAX + 1,
    NEW_BYTES = NAME_MAX + 32,
    PID_CHARS = 12,
    PIECE_BYTES = 1024,
    MODES = 0777, /* what is kept of an old file's mode */
};

#define MARK ".ag-render-" /* .NAME.ag-render-PID: one that is being written */

struct place {
    const char *path;
    char name[NAME_BYTES];
    char fresh[NEW_BYTES];
    int dir_fd;
    bool made; /* `fresh` is there */
    bool old;  /* `then` is of a file that is there */
    struct stat then;
};

static void
place_done(struct place *p)
{
    if (p->made) {
        (void)unlinkat(p->dir_fd, p->fresh, 0);
    }
    fd_close(p->dir_fd);
}

AG_DEFINE_CLEANUP_INPLACE(place, place_done)

static enum ag_err
fails(const struct place *p, const char *what)
{
    return err_why(AG_EFILE, "%s: %s: %s", p->path, what,
                   strerrordesc_np(errno));
}

/* The directory of `path`, of which `dir_len` bytes name it. */
static enum ag_err
open_dir(struct place *p, const char *path, size_t dir_len)
{
    char *dir = dir_len > 0 ? strndup(path, dir_len) : strdup(".");

    if (dir == NULL) {
        return AG_ENOMEM;
    }
    p->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    return p->dir_fd >= 0 ? AG_OK : fails(p, "its directory");
}

static enum ag_err
open_place(const char *path, struct place *p)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    enum ag_err err = AG_OK;

    p->path = path;
    if (name[0] == '\0' || strlen(name) + sizeof(MARK) + PID_CHARS > NAME_MAX) {
        return err_why(AG_EFILE, "%s is no name for a file", path);
    }
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    (void)snprintf(p->fresh, sizeof(p->fresh), ".%s" MARK "%ld", p->name,
                   (long)getpid());
    err = open_dir(p, path, (size_t)(name - path));
    if (err != AG_OK) {
        return err;
    }
    if (fstatat(p->dir_fd, p->name, &p->then, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? AG_OK : fails(p, "can't be looked at");
    }
    p->old = true;
    return S_ISREG(p->then.st_mode)
               ? AG_OK
               : err_why(AG_EFILE, "%s is a link, or no file", path);
}

/* One whose process is gone was left by a kill, with values in it. */
static bool
is_left(const struct place *p, const char *name)
{
    char prefix[NEW_BYTES];
    size_t len = (size_t)snprintf(prefix, sizeof(prefix), ".%s" MARK, p->name);
    uint64_t pid = 0;

    return strncmp(name, prefix, len) == 0 &&
           parse_u64(span_str(name + len), INT_MAX, &pid) == AG_OK && pid > 0 &&
           ((pid_t)pid == getpid() ||
            (kill((pid_t)pid, 0) != 0 && errno == ESRCH));
}

static void
sweep(const struct place *p)
{
    int fd = openat(p->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry = NULL;

    if (dir == NULL) {
        fd_close(fd);
        return;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread, its own stream */
    while ((entry = readdir(dir)) != NULL) {
        if (is_left(p, entry->d_name)) {
            (void)unlinkat(p->dir_fd, entry->d_name, 0);
        }
    }
    (void)closedir(dir);
}

static bool
same_content(int fd, struct span want)
{
    uint8_t piece[PIECE_BYTES];
    size_t at = 0;
    ssize_t got = 1;
    bool same = true;

    while (same && got > 0) {
        got = read(fd, piece, sizeof(piece));
        same = got >= 0 && (size_t)got <= want.len - at &&
               span_equal(span_of(piece, (size_t)(got > 0 ? got : 0)),
                          span_sub(want, at, (size_t)(got > 0 ? got : 0)));
        at += got > 0 ? (size_t)got : 0;
    }
    wipe(piece, sizeof(piece));
    return same && at == want.len;
}

static bool
has_it(const struct place *p, const struct secret *content)
{
    AG_AUTO(fd) int fd = -1;

    if (!p->old || p->then.st_size != (off_t)secret_len(content)) {
        return false;
    }
    fd = openat(p->dir_fd, p->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && same_content(fd, secret_view(content));
}

static enum ag_err
keep_owner(const struct place *p, int fd)
{
    struct stat now;

    if (!p->old) {
        return AG_OK;
    }
    if (fstat(fd, &now) != 0) {
        return fails(p, "can't be looked at");
    }
    if ((now.st_uid != p->then.st_uid || now.st_gid != p->then.st_gid) &&
        fchown(fd, p->then.st_uid, p->then.st_gid) != 0) {
        return fails(p, "its owner can't be kept");
    }
    return fchmod(fd, p->then.st_mode & MODES) == 0
               ? AG_OK
               : fails(p, "its mode can't be kept");
}

static enum ag_err
write_fresh(struct place *p, struct span content)
{
    AG_AUTO(fd)
    int fd = openat(p->dir_fd, p->fresh,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum ag_err err = AG_OK;

    if (fd < 0) {
        return fails(p, "nothing can be written beside it");
    }
    p->made = true;
    if (fd_write_all(fd, content) != AG_OK) {
        return fails(p, "can't be written");
    }
    err = keep_owner(p, fd);
    return err == AG_OK && fsync(fd) != 0 ? fails(p, "can't be written") : err;
}

enum ag_err
render_file(const char *path, const struct secret *content, bool *ret_changed)
{
    AG_AUTO(place) struct place p = {.dir_fd = -1};
    enum ag_err err = open_place(path, &p);

    if (err != AG_OK) {
        return err;
    }
    sweep(&p);
    if (has_it(&p, content)) {
        *ret_changed = false;
        return AG_OK;
    }
    err = write_fresh(&p, secret_view(content));
    if (err == AG_OK && renameat(p.dir_fd, p.fresh, p.dir_fd, p.name) != 0) {
        return fails(&p, "can't be replaced");
    }
    if (err == AG_OK) {
        p.made = false;
        err = fs_sync_dir(p.dir_fd);
    }
    if (err == AG_OK) {
        *ret_changed = true;
    }
    return err;
}
