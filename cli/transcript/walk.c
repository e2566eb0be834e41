#include "transcript/walk.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "transcript/swap.h"

static enum ag_err walk_dir(struct walk *w, int fd, const char *path,
                            unsigned depth);

static bool
is_dir(int dir_fd, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode);
}

static enum ag_err
visit_below(struct walk *w, int dir_fd, const char *name, const char *path,
            unsigned depth)
{
    AG_AUTO(fd)
    int fd =
        openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || depth == WALK_DEPTH_MAX) {
        w->unreadable_count++;
        return AG_OK;
    }
    return walk_dir(w, fd, path, depth + 1);
}

/* True: a name of ours, and so nobody's transcript. */
static bool
sweep(struct walk *w, int dir_fd, const char *name)
{
    if (!swap_is_ours(name)) {
        return false;
    }
    w->swept_count += !w->look_only && swap_sweep(dir_fd, name) ? 1 : 0;
    return true;
}

static enum ag_err
visit(struct walk *w, int dir_fd, const char *dir, const struct dirent *entry,
      unsigned depth)
{
    AG_AUTO(buf) struct buf path = {0};
    const char *name = entry->d_name;
    enum ag_err err;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        sweep(w, dir_fd, name)) {
        return AG_OK;
    }
    buf_init(&path, PATH_MAX, BUF_PLAIN);
    err = buf_fmt(&path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
    if (err != AG_OK || buf_cstr(&path) == NULL) {
        w->unreadable_count++; /* too long to name */
        return AG_OK;
    }
    if (!is_dir(dir_fd, entry)) {
        return w->each(w->arg, dir_fd, name, buf_cstr(&path));
    }
    return w->pass_over != NULL && w->pass_over(name)
               ? AG_OK
               : visit_below(w, dir_fd, name, buf_cstr(&path), depth);
}

/* All names first: what we make and exchange on the way is not met again. */
static enum ag_err
walk_dir(struct walk *w, int fd, const char *path, unsigned depth)
{
    struct dirent **entries = NULL;
    enum ag_err err = w->enter == NULL ? AG_OK : w->enter(w->arg, fd, path);
    int count = scandirat(fd, ".", &entries, NULL, alphasort);

    w->unreadable_count += count < 0 ? 1 : 0;
    for (int i = 0; i < count; i++) {
        if (err == AG_OK) {
            err = visit(w, fd, path, entries[i], depth);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

static void
sweep_beside(struct walk *w, int dir_fd)
{
    struct dirent **entries = NULL;
    int count =
        w->look_only ? 0 : scandirat(dir_fd, ".", &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        (void)sweep(w, dir_fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static enum ag_err
walk_file(struct walk *w, const char *path)
{
    AG_AUTO(fd) int dir_fd = -1;
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *dir = slash == NULL   ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));

    if (dir == NULL) {
        return AG_ENOMEM;
    }
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (dir_fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    sweep_beside(w, dir_fd);
    return w->each(w->arg, dir_fd, name, path);
}

enum ag_err
walk_path(struct walk *w, const char *path)
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd >= 0) {
        return walk_dir(w, fd, path, 0);
    }
    if (errno != ENOTDIR || lstat(path, &st) != 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    return walk_file(w, path);
}

enum ag_err
walk_open(struct walk *w, int dir_fd, const char *path)
{
    return walk_dir(w, dir_fd, path, 0);
}
