#include "run/sweep.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"

static const int FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/* A directory that is being emptied. */
struct sweep {
    int top_fd;
    unsigned moved; /* names given so far to what was moved up */
};

static DIR *
open_list(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, FLAGS);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        fd_close(fd);
    }
    return dir;
}

static const char *
next_name(DIR *dir)
{
    const struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            return entry->d_name;
        }
    }
    return NULL;
}

/* Directories in it move up to the top under names of ours: no depth needs
 * more descriptors or a deeper stack than another. */
static void
empty_into_top(struct sweep *s, const char *name)
{
    DIR *dir;
    const char *inner;

    /* A task may have taken its own bits away. */
    (void)!fchmodat(s->top_fd, name, 0700, 0);
    dir = open_list(s->top_fd, name);
    while (dir != NULL && (inner = next_name(dir)) != NULL) {
        char up[32];

        if (unlinkat(dirfd(dir), inner, 0) != 0) {
            (void)snprintf(up, sizeof(up), ".sweep-%u", s->moved++);
            (void)renameat(dirfd(dir), inner, s->top_fd, up);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

/* One pass over the top; false when it found nothing that it could remove. */
static bool
pass(struct sweep *s)
{
    DIR *dir = open_list(s->top_fd, ".");
    const char *name;
    bool removed = false;

    while (dir != NULL && (name = next_name(dir)) != NULL) {
        if (unlinkat(s->top_fd, name, 0) == 0) {
            removed = true;
            continue;
        }
        empty_into_top(s, name);
        removed = unlinkat(s->top_fd, name, AT_REMOVEDIR) == 0 || removed;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return removed;
}

void
sweep_dir(const char *path)
{
    struct sweep s = {.top_fd = open(path, FLAGS)};

    if (s.top_fd < 0) {
        return;
    }
    (void)fchmod(s.top_fd, 0700);
    while (pass(&s)) {
    }
    fd_close(s.top_fd);
    (void)rmdir(path);
}
