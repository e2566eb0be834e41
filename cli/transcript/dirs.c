#include "transcript/dirs.h"

#include <sys/inotify.h>
#include <sys/queue.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "profile/expand.h"

enum {
    EVENTS_BYTES = 4096,
    BUCKETS_COUNT = 256,
    LINK_BYTES = 32, /* /proc/self/fd/N */
};

struct pattern {
    SLIST_ENTRY(pattern) link;
    char text[];
};

struct dir {
    SLIST_ENTRY(dir) link;
    int wd;
    char *path;
    bool whole;
    SLIST_HEAD(, pattern) patterns;
};

struct dirs {
    int fd;
    SLIST_HEAD(, dir) buckets[BUCKETS_COUNT];
};

enum ag_err
dirs_new(struct dirs **ret)
{
    AG_AUTO(dirs) struct dirs *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        return AG_ENOMEM;
    }
    d->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (d->fd < 0) {
        return errno == EMFILE
                   ? err_why(AG_ELIMIT, "this user has too many inotify "
                                        "instances already")
                   : err_from_errno(errno);
    }
    *ret = AG_TAKE(d);
    return AG_OK;
}

static void
free_dir(struct dir *dir)
{
    struct pattern *pattern;

    while ((pattern = SLIST_FIRST(&dir->patterns)) != NULL) {
        SLIST_REMOVE_HEAD(&dir->patterns, link);
        free(pattern);
    }
    free(dir->path);
    free(dir);
}

void
dirs_free(struct dirs *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS_COUNT; i++) {
        struct dir *dir;

        while ((dir = SLIST_FIRST(&d->buckets[i])) != NULL) {
            SLIST_REMOVE_HEAD(&d->buckets[i], link);
            free_dir(dir);
        }
    }
    fd_close(d->fd);
    free(d);
}

int
dirs_fd(const struct dirs *d)
{
    return d->fd;
}

static struct dir *
find(const struct dirs *d, int wd)
{
    struct dir *dir;

    SLIST_FOREACH(dir, &d->buckets[(unsigned)wd % BUCKETS_COUNT], link)
    {
        if (dir->wd == wd) {
            return dir;
        }
    }
    return NULL;
}

/* What is open, whatever its path leads to by now. */
static enum ag_err
watch(struct dirs *d, int dir_fd, const char *path, int *ret_wd)
{
    char link[LINK_BYTES];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
    *ret_wd = inotify_add_watch(
        d->fd, link, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
    if (*ret_wd >= 0) {
        return AG_OK;
    }
    return errno == ENOSPC
               ? err_why(AG_ELIMIT,
                         "%s: the system allows no more watched directories "
                         "(fs.inotify.max_user_watches)",
                         path)
               : err_why(err_from_errno(errno), "%s: %s", path,
                         strerrordesc_np(errno));
}

static enum ag_err
add_pattern(struct dir *dir, const char *text)
{
    struct pattern *pattern;

    SLIST_FOREACH(pattern, &dir->patterns, link)
    {
        if (strcmp(pattern->text, text) == 0) {
            return AG_OK;
        }
    }
    pattern = malloc(sizeof(*pattern) + strlen(text) + 1);
    if (pattern == NULL) {
        return AG_ENOMEM;
    }
    memcpy(pattern->text, text, strlen(text) + 1);
    SLIST_INSERT_HEAD(&dir->patterns, pattern, link);
    return AG_OK;
}

enum ag_err
dirs_add(struct dirs *d, int dir_fd, const char *path, const char *pattern)
{
    int wd = -1;
    struct dir *dir;
    char *copy;
    enum ag_err err = watch(d, dir_fd, path, &wd);

    if (err != AG_OK) {
        return err;
    }
    copy = strdup(path);
    if (copy == NULL) {
        return AG_ENOMEM;
    }
    dir = find(d, wd);
    if (dir == NULL) {
        dir = calloc(1, sizeof(*dir));
        if (dir == NULL) {
            free(copy);
            return AG_ENOMEM;
        }
        dir->wd = wd;
        SLIST_INIT(&dir->patterns);
        SLIST_INSERT_HEAD(&d->buckets[(unsigned)wd % BUCKETS_COUNT], dir, link);
    }
    free(dir->path);
    dir->path = copy;
    dir->whole = dir->whole || pattern == NULL;
    return pattern == NULL ? AG_OK : add_pattern(dir, pattern);
}

static bool
is_meant(const struct dir *dir, const char *name)
{
    const struct pattern *pattern;

    if (dir->whole) {
        return true;
    }
    SLIST_FOREACH(pattern, &dir->patterns, link)
    {
        if (glob_match(pattern->text, name)) {
            return true;
        }
    }
    return false;
}

static void
forget(struct dirs *d, struct dir *dir)
{
    SLIST_REMOVE(&d->buckets[(unsigned)dir->wd % BUCKETS_COUNT], dir, dir,
                 link);
    free_dir(dir);
}

static enum ag_err
tell_made(const struct dir *dir, const char *name, const struct dirs_told *told)
{
    AG_AUTO(buf) struct buf path = {0};

    buf_init(&path, PATH_MAX, BUF_PLAIN);
    return buf_fmt(&path, "%s/%s", strcmp(dir->path, "/") == 0 ? "" : dir->path,
                   name) == AG_OK &&
                   buf_cstr(&path) != NULL
               ? told->made(told->arg, buf_cstr(&path))
               : AG_OK; /* too long to name */
}

static enum ag_err
tell(struct dirs *d, const struct inotify_event *event,
     const struct dirs_told *told)
{
    struct dir *dir = find(d, event->wd);

    if (dir == NULL) {
        return AG_OK;
    }
    if ((event->mask & IN_IGNORED) != 0) {
        forget(d, dir); /* it is gone; the number may come again */
        return AG_OK;
    }
    if (event->len == 0 || !is_meant(dir, event->name)) {
        return AG_OK;
    }
    if ((event->mask & IN_ISDIR) != 0) {
        return dir->whole ? tell_made(dir, event->name, told) : AG_OK;
    }
    /* Made, and perhaps still being written: its writer closes it. */
    return (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0
               ? told->file(told->arg, dir->path, event->name)
               : AG_OK;
}

enum ag_err
dirs_read(struct dirs *d, const struct dirs_told *told, bool *ret_lost)
{
    union {
        struct inotify_event event; /* its alignment */
        char bytes[EVENTS_BYTES];
    } events;
    enum ag_err err = AG_OK;
    ssize_t n;

    *ret_lost = false;
    while (err == AG_OK &&
           (n = read(d->fd, events.bytes, sizeof(events.bytes))) > 0) {
        size_t at = 0;

        while (err == AG_OK && at < (size_t)n) {
            const void *here = events.bytes + at;
            const struct inotify_event *event = here;

            *ret_lost = *ret_lost || (event->mask & IN_Q_OVERFLOW) != 0;
            err = tell(d, event, told);
            at += sizeof(*event) + event->len;
        }
    }
    return err;
}
