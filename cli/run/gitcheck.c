#include "run/gitcheck.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "run/gitconf.h"
#include "run/view.h"

enum {
    ASIDE_MAX_COUNT = 9, /* names tried */
};

#define SUFFIX ".from-task"

struct walk {
    const struct gitcheck *what; /* NULL: what is there is noted */
    struct gitnotes *notes;      /* then */
    size_t dir_count;
    size_t len;
    char path[PATH_MAX];
};

static bool
is_new(const struct walk *w, int dir_fd, const char *name, struct stat *ret)
{
    const struct timespec *since = &w->what->since;

    if (fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    return ret->st_ctim.tv_sec > since->tv_sec ||
           (ret->st_ctim.tv_sec == since->tv_sec &&
            ret->st_ctim.tv_nsec > since->tv_nsec);
}

static void
say(struct walk *w, enum gitcheck_kind kind, const char *name, const char *to)
{
    char path[PATH_MAX];

    int n = snprintf(path, sizeof(path), "%s%s%s", w->path,
                     name[0] == '\0' ? "" : "/", name);

    w->what->found(w->what->arg, kind,
                   n > 0 && (size_t)n < sizeof(path) ? path : w->path, to);
}

/* What an earlier task left under that name stays, too: it may be looked at. */
static void
put_aside(struct walk *w, int dir_fd, const char *prefix, const char *name)
{
    char to[NAME_MAX + 1];
    char said[NAME_MAX + 16];

    (void)snprintf(said, sizeof(said), "%s%s", prefix, name);
    for (int i = 1; i <= ASIDE_MAX_COUNT; i++) {
        int n = i == 1 ? snprintf(to, sizeof(to), "%s" SUFFIX, name)
                       : snprintf(to, sizeof(to), "%s" SUFFIX ".%d", name, i);

        if (n > 0 && (size_t)n < sizeof(to) &&
            renameat2(dir_fd, name, dir_fd, to, RENAME_NOREPLACE) == 0) {
            say(w, GITCHECK_ASIDE, said, to);
            return;
        }
    }
    say(w, GITCHECK_STAYS, said, "");
}

/* ---- one directory of git's ---- */

/* No hook of git's has a dot in its name; samples and what we put aside do. */
static bool
is_hook(const char *name)
{
    return strchr(name, '.') == NULL;
}

static void
check_hooks(struct walk *w, int git_fd)
{
    int fd = openat(git_fd, "hooks",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry = NULL;
    struct stat st;

    if (dir == NULL) {
        fd_close(fd);
        if (is_new(w, git_fd, "hooks", &st)) {
            put_aside(w, git_fd, "", "hooks"); /* a link */
        }
        return;
    }
    while ((entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (is_hook(entry->d_name) && is_new(w, fd, entry->d_name, &st) &&
            !S_ISDIR(st.st_mode)) {
            put_aside(w, fd, "hooks/", entry->d_name);
        }
    }
    (void)closedir(dir);
}

/* What `git worktree add` writes in .git/worktrees/NAME. */
static bool
is_worktree(const struct walk *w, int git_fd)
{
    static const char UP[] = "../..\n";
    AG_AUTO(buf) struct buf text = {0};
    const char *name = strrchr(w->path, '/');
    static const char PARENT[] = "/worktrees";

    buf_init(&text, sizeof(UP), BUF_PLAIN);
    return name - w->path >= (ptrdiff_t)(sizeof(PARENT) - 1) &&
           strncmp(name - (sizeof(PARENT) - 1), PARENT, sizeof(PARENT) - 1) ==
               0 &&
           fs_read(git_fd, "commondir", sizeof(UP), &text) == AG_OK &&
           span_equal(buf_view(&text), span_str(UP));
}

/* Does it name what it named before the task? */
static bool
is_noted(const struct walk *w, const char *name,
         const struct gitconf_facts *facts)
{
    const struct gitnotes *notes = w->what->notes;

    for (size_t i = 0; strcmp(name, "config") == 0 && i < notes->count; i++) {
        const struct gitnote *note = &notes->items[i];

        if (strcmp(note->path, w->path) == 0) {
            return facts->kind == GITCONF_NAMES &&
                   span_equal(span_of(note->facts.digest, GITCONF_DIGEST_BYTES),
                              span_of(facts->digest, GITCONF_DIGEST_BYTES));
        }
    }
    return false;
}

static void
check_config(struct walk *w, int git_fd, const char *name)
{
    struct gitconf_facts facts;
    struct stat st;
    bool fresh = is_new(w, git_fd, name, &st);

    if (!fresh && !is_new(w, git_fd, "HEAD", &st)) {
        return;
    }
    if (fstatat(git_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    gitconf_look(git_fd, name, &facts);
    if (facts.kind == GITCONF_HARMLESS || is_noted(w, name, &facts)) {
        return;
    }
    if (fresh) {
        put_aside(w, git_fd, "", name);
    } else {
        say(w, GITCHECK_LOOK, name, "");
    }
}

static bool
is_main(const struct walk *w)
{
    const char *tree = w->what->view->tree;
    size_t len = strlen(tree);

    return w->what->had_git && strncmp(w->path, tree, len) == 0 &&
           strcmp(w->path + len, "/.git") == 0;
}

/* What the tree's own configuration named before it was there. */
static void
check_named(void *arg, const char *key, const char *value)
{
    const struct walk *w = arg;
    struct walk there = {.what = w->what};
    char *real = gitconf_leads_to(key, value, w->path, w->what->view->tree);
    char *slash = real == NULL ? NULL : strrchr(real, '/');
    struct stat st;
    AG_AUTO(fd) int fd = -1;

    if (real == NULL) {
        return;
    }
    *slash = '\0';
    fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && is_new(w, fd, slash + 1, &st)) {
        (void)snprintf(there.path, sizeof(there.path), "%s", real);
        put_aside(&there, fd, "", slash + 1);
    }
    free(real);
}

static void
check_git_dir(struct walk *w, int git_fd)
{
    struct stat st;

    if (is_new(w, git_fd, "commondir", &st) && !is_worktree(w, git_fd)) {
        put_aside(w, git_fd, "", "commondir");
    }
    /* Of the tree's own the rest is guarded, where it can be, and the person's
     * whole configuration is nothing to be moved. */
    if (is_main(w)) {
        if (is_new(w, git_fd, "config.worktree", &st)) {
            put_aside(w, git_fd, "", "config.worktree");
        }
        (void)!gitconf_each(git_fd, "config", check_named, w);
        return;
    }
    check_config(w, git_fd, "config");
    check_config(w, git_fd, "config.worktree");
    check_hooks(w, git_fd);
}

static void
note_git_dir(struct walk *w, int git_fd)
{
    struct gitnote note = {.path = NULL};
    struct gitnote *more = NULL;

    gitconf_look(git_fd, "config", &note.facts);
    if (note.facts.kind != GITCONF_NAMES ||
        w->notes->count == GITCHECK_NOTES_MAX_COUNT) {
        return;
    }
    note.path = strdup(w->path);
    more = realloc(w->notes->items, (w->notes->count + 1) * sizeof(*more));
    if (note.path == NULL || more == NULL) {
        free(note.path);
        w->notes->items = more != NULL ? more : w->notes->items;
        return;
    }
    w->notes->items = more;
    more[w->notes->count++] = note;
}

/* ---- a `.git` that leads elsewhere ---- */

/* Where git goes from here, or NULL; the caller's. */
static char *
target_of(const struct walk *w, int dir_fd, mode_t mode)
{
    static const char WORD[] = "gitdir: ";
    AG_AUTO(buf) struct buf text = {0};
    char path[PATH_MAX];
    const char *to = NULL;

    int n = 0;

    if (S_ISLNK(mode)) {
        n = snprintf(path, sizeof(path), "%s/.git", w->path);
        return n > 0 && (size_t)n < sizeof(path) ? realpath(path, NULL) : NULL;
    }
    buf_init(&text, PATH_MAX, BUF_PLAIN);
    if (!S_ISREG(mode) ||
        fs_read(dir_fd, ".git", PATH_MAX - 1, &text) != AG_OK ||
        buf_cstr(&text) == NULL ||
        strncmp(buf_cstr(&text), WORD, sizeof(WORD) - 1) != 0) {
        return NULL;
    }
    to = buf_cstr(&text) + sizeof(WORD) - 1;
    n = snprintf(path, sizeof(path), "%s%s%.*s", to[0] == '/' ? "" : w->path,
                 to[0] == '/' ? "" : "/", (int)strcspn(to, "\r\n"), to);
    return n > 0 && (size_t)n < sizeof(path) ? realpath(path, NULL) : NULL;
}

static void
check_target(const struct walk *w, const char *target)
{
    struct walk *there = calloc(1, sizeof(*there));
    AG_AUTO(fd) int fd = -1;

    if (there != NULL && view_is_host(w->what->view, target)) {
        there->what = w->what;
        (void)snprintf(there->path, sizeof(there->path), "%s", target);
        there->len = strlen(there->path);
        fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd >= 0) {
        check_git_dir(there, fd);
    }
    free(there);
}

static void
check_link(const struct walk *w, int dir_fd)
{
    struct stat st;
    char *target = NULL;

    if (is_new(w, dir_fd, ".git", &st) && !S_ISDIR(st.st_mode)) {
        target = target_of(w, dir_fd, st.st_mode);
    }
    if (target != NULL) {
        check_target(w, target);
    }
    free(target);
}

/* ---- the tree ---- */

/* What makes a directory one of git's. */
struct signs {
    bool head;
    bool objects;
    bool refs;
    bool commondir;
};

static void
note_sign(struct signs *s, const char *name)
{
    s->head = s->head || strcmp(name, "HEAD") == 0;
    s->objects = s->objects || strcmp(name, "objects") == 0;
    s->refs = s->refs || strcmp(name, "refs") == 0;
    s->commondir = s->commondir || strcmp(name, "commondir") == 0;
}

static bool
in_git(const char *path)
{
    static const char NAME[] = "/.git";
    size_t len = strlen(path);

    return strstr(path, "/.git/") != NULL ||
           (len >= sizeof(NAME) - 1 &&
            strcmp(path + len - (sizeof(NAME) - 1), NAME) == 0);
}

/* Large, and what lies there is found by a `.git` that leads to it only. */
static bool
is_skipped(const struct walk *w, const char *name)
{
    static const char *const stores[] = {"objects", "refs", "logs", "lfs"};

    for (size_t i = 0; i < AG_COUNT(stores); i++) {
        if (strcmp(name, stores[i]) == 0) {
            return in_git(w->path);
        }
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void walk(struct walk *w, int fd, int depth);

static void
walk_into(struct walk *w, int dir_fd, const char *name, int depth)
{
    size_t before = w->len;
    int fd = -1;
    int n = snprintf(w->path + w->len, sizeof(w->path) - w->len, "/%s", name);

    if (n > 0 && (size_t)n < sizeof(w->path) - w->len) {
        fd = openat(dir_fd, name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        w->len += (size_t)n;
    }
    if (fd >= 0) {
        walk(w, fd, depth + 1);
    }
    w->len = before;
    w->path[before] = '\0';
}

/* Takes `fd` over. */
static void
walk(struct walk *w, int fd, int depth)
{
    DIR *dir = depth > GITCHECK_DEPTH_MAX ? NULL : fdopendir(fd);
    const struct dirent *entry = NULL;
    struct signs signs = {0};

    if (dir == NULL) {
        fd_close(fd);
        return;
    }
    w->dir_count++;
    while (w->dir_count <= GITCHECK_DIRS_MAX_COUNT &&
           (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        const char *name = entry->d_name;

        note_sign(&signs, name);
        if (strcmp(name, ".git") == 0 && w->what != NULL) {
            check_link(w, fd);
        }
        if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
            !is_skipped(w, name)) {
            walk_into(w, fd, name, depth);
        }
    }
    if (signs.head && ((signs.objects && signs.refs) || signs.commondir)) {
        if (w->notes != NULL) {
            note_git_dir(w, fd);
        } else {
            check_git_dir(w, fd);
        }
    }
    (void)closedir(dir);
}

static void
walk_place(struct walk *w, const char *place, const char *below)
{
    int n = snprintf(w->path, sizeof(w->path), "%s%s", place, below);
    int fd =
        n > 0 && (size_t)n < sizeof(w->path)
            ? open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            : -1;

    w->len = strlen(w->path);
    if (fd >= 0) {
        walk(w, fd, 0);
    }
}

static void
look_through(struct walk *w)
{
    const struct view *v = w->what->view;

    walk_place(w, v->tree, "");
    for (size_t i = 0; i < v->given_count; i++) {
        if (v->given[i].access == VIEW_WRITE) {
            walk_place(w, v->given[i].path, "");
        }
    }
    if (w->dir_count > GITCHECK_DIRS_MAX_COUNT) {
        (void)snprintf(w->path, sizeof(w->path), "%s", v->tree);
        say(w, GITCHECK_PARTLY, "", "");
    }
}

void
gitcheck_run(const struct gitcheck *what)
{
    struct walk *w = calloc(1, sizeof(*w));

    AG_ASSERT(w != NULL); /* a few KiB; unlooked at it must not end */
    w->what = what;
    look_through(w);
    free(w);
}

void
gitcheck_note(const struct view *view, struct gitnotes *ret)
{
    struct walk *w = calloc(1, sizeof(*w));

    *ret = (struct gitnotes){.count = 0};
    if (w != NULL) {
        w->notes = ret;
        walk_place(w, view->tree, "/.git/modules");
    }
    free(w);
}

void
gitnotes_done(struct gitnotes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        free(notes->items[i].path);
    }
    free(notes->items);
    *notes = (struct gitnotes){.count = 0};
}
