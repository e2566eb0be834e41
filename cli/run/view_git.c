/* What of the working tree's repository a task may not change (view_impl.h):
 * the names by which programs outside are run with the next git command. */
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/gitconf.h"
#include "run/mnt.h"
#include "run/view_impl.h"

enum {
    /* Each costs a few mounts; those beyond are looked at when the task has
     * ended (run/gitcheck.h), as are new ones. */
    GIT_DIRS_MAX_COUNT = 64,
    GIT_DEPTH_MAX = 8,
    INCLUDE_DEPTH_MAX = 4,
};

struct guarding {
    const struct building *b;
    enum ag_err err;
    int count;       /* of git's own directories */
    int depth;       /* of included files */
    const char *dir; /* the one whose file is read */
    size_t len;
    char path[VIEW_PATH_BYTES]; /* what is looked at */
};

/* The mode of what is there; 0: nothing, or a link. */
static mode_t
kind_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 || S_ISLNK(st.st_mode) ? 0 : st.st_mode;
}

/* One step down; `before` is where to return to by up(). */
static bool
down(struct guarding *g, const char *name, size_t *before)
{
    int n = snprintf(g->path + g->len, sizeof(g->path) - g->len, "/%s", name);

    *before = g->len;
    if (n <= 0 || (size_t)n >= sizeof(g->path) - g->len) {
        g->path[g->len] = '\0';
        g->err = g->err == AG_OK ? view_failed("guarding", g->path) : g->err;
        return false;
    }
    g->len += (size_t)n;
    return true;
}

static void
up(struct guarding *g, size_t before)
{
    g->len = before;
    g->path[before] = '\0';
}

/* A place mounted on itself: it can't be renamed away and made anew. */
static void
pin(struct guarding *g, const char *path, uint64_t attributes)
{
    if (g->err == AG_OK && kind_of(path) != 0) {
        g->err = mnt_bind(AT_FDCWD, path, attributes, g->b->root, path);
    }
}

static void
pin_in(struct guarding *g, const char *name)
{
    size_t before = 0;

    if (down(g, name, &before)) {
        pin(g, g->path, VIEW_READ_ONLY);
        up(g, before);
    }
}

/* ---- what a configuration leads to ---- */

static void pin_named(struct guarding *g, const char *dir, const char *name);

/* Included files and a directory of hooks that lie in the working tree. */
static void
on_setting(void *arg, const char *key, const char *value)
{
    struct guarding *g = arg;
    char *real = gitconf_leads_to(key, value, g->dir, g->b->view->tree);
    char *slash = NULL;

    if (real == NULL) {
        return;
    }
    pin(g, real, VIEW_READ_ONLY);
    if (g->depth < INCLUDE_DEPTH_MAX) {
        slash = strrchr(real, '/');
        *slash = '\0';
        pin_named(g, real, slash + 1); /* of a directory nothing comes */
    }
    free(real);
}

static void
pin_named(struct guarding *g, const char *dir, const char *name)
{
    const char *before = g->dir;
    AG_AUTO(fd) int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    g->dir = dir;
    g->depth++;
    (void)!gitconf_each(fd, name, on_setting, g);
    g->depth--;
    g->dir = before;
}

/* ---- git's own directories: g->path is one ---- */

static void
pin_git_dir(struct guarding *g)
{
    size_t before = 0;

    pin(g, g->path, VIEW_TAME);
    if (down(g, "hooks", &before)) {
        (void)!mkdir(g->path, 0755); /* else the task could make it */
        up(g, before);
    }
    pin_in(g, "hooks");
}

static void pin_below(struct guarding *g, int depth);

/*
 * A submodule's, or a directory on the way to some: their names have slashes.
 * Its `config` stays open to the task: `git submodule update` writes it anew
 * each time. What it says is judged at the end (run/gitcheck.h).
 */
static void
pin_module(struct guarding *g, int depth)
{
    size_t before = 0;
    bool is_one = false;

    if (down(g, "HEAD", &before)) {
        is_one = kind_of(g->path) != 0;
        up(g, before);
    }
    if (!is_one) {
        pin(g, g->path, VIEW_TAME);
        pin_below(g, depth);
        return;
    }
    pin_git_dir(g);
    if (down(g, "modules", &before)) {
        if (S_ISDIR(kind_of(g->path))) {
            pin(g, g->path, VIEW_TAME);
            pin_below(g, depth);
        }
        up(g, before);
    }
}

static void
pin_worktree(struct guarding *g, int depth)
{
    (void)depth;
    pin(g, g->path, VIEW_TAME);
    pin_in(g, "commondir");
    pin_in(g, "config.worktree");
}

static void
each_below(struct guarding *g, void (*each)(struct guarding *g, int depth),
           int depth)
{
    DIR *list = depth < GIT_DEPTH_MAX ? opendir(g->path) : NULL;
    const struct dirent *entry = NULL;
    size_t before = 0;

    while (list != NULL && g->err == AG_OK && g->count < GIT_DIRS_MAX_COUNT &&
           (entry = readdir(list)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (entry->d_name[0] == '.' || !down(g, entry->d_name, &before)) {
            continue;
        }
        if (S_ISDIR(kind_of(g->path))) {
            g->count++;
            each(g, depth + 1);
        }
        up(g, before);
    }
    if (list != NULL) {
        (void)closedir(list);
    }
}

static void
pin_below(struct guarding *g, int depth)
{
    each_below(g, pin_module, depth);
}

static void
pin_tree_git(struct guarding *g)
{
    char dir[VIEW_PATH_BYTES];
    size_t before = 0;

    (void)stpcpy(dir, g->path);
    pin_git_dir(g);
    pin_in(g, "config");
    pin_in(g, "config.worktree");
    pin_named(g, dir, "config");
    if (down(g, "modules", &before)) {
        if (S_ISDIR(kind_of(g->path))) {
            pin(g, g->path, VIEW_TAME);
            pin_below(g, 0);
        }
        up(g, before);
    }
    if (down(g, "worktrees", &before)) {
        each_below(g, pin_worktree, 0);
        up(g, before);
    }
}

enum ag_err
view_git(const struct building *b)
{
    struct guarding *g = calloc(1, sizeof(*g));
    size_t before = 0;
    enum ag_err err = AG_OK;

    if (g == NULL) {
        return AG_ENOMEM;
    }
    g->b = b;
    if (down(g, b->view->tree + 1, &before) && down(g, ".git", &before)) {
        if (S_ISDIR(kind_of(g->path))) {
            pin_tree_git(g);
        } else {
            pin(g, g->path, VIEW_READ_ONLY); /* where a linked one's is */
        }
    }
    err = g->err;
    free(g);
    return err;
}
