#include "move/find.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "move/copies.h"

enum {
    TICK_ENTRIES = 4096,
};

/* Names of directories that hold caches, dependencies or objects. */
static const char *const PASSED_OVER[] = {
    ".git",        "node_modules", ".hg",           ".svn",
    "__pycache__", ".cache",       ".npm",          ".pnpm-store",
    ".yarn",       ".rustup",      ".tox",          ".mypy_cache",
    ".gradle",     ".m2",          "site-packages", ".Trash",
};

struct seen {
    struct {
        dev_t dev;
        ino_t ino;
    } items[FIND_RESULTS_MAX_COUNT];

    size_t count;
};

void
find_done(struct find *f)
{
    free(f->seen);
    f->seen = NULL;
}

/* True the first time; also when there is no room to remember. */
static bool
is_new(struct find *f, int dir_fd, const char *name)
{
    struct stat st;

    if (f->seen == NULL) {
        f->seen = calloc(1, sizeof(*f->seen));
    }
    if (f->seen == NULL || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
        return f->seen == NULL;
    }
    for (size_t i = 0; i < f->seen->count; i++) {
        if (f->seen->items[i].ino == st.st_ino &&
            f->seen->items[i].dev == st.st_dev) {
            return false;
        }
    }
    if (f->seen->count < FIND_RESULTS_MAX_COUNT) {
        f->seen->items[f->seen->count].dev = st.st_dev;
        f->seen->items[f->seen->count++].ino = st.st_ino;
    }
    return true;
}

/* Judges one entry and reports it. */
static enum ag_err
consider(struct find *f, int dir_fd, const char *dir, const char *name,
         const struct profile_match *match, enum finding_kind kind)
{
    AG_AUTO(buf) struct buf path = {0};
    struct finding finding;
    bool is = false;
    enum ag_err err = judge_file(dir_fd, name, match, kind, &finding, &is);

    if (err != AG_OK || !is || !is_new(f, dir_fd, name)) {
        return err;
    }
    buf_init(&path, PATH_MAX, BUF_PLAIN);
    err = buf_fmt(&path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
    if (err != AG_OK || buf_cstr(&path) == NULL) {
        return AG_OK; /* a path too long to name is too long to adopt */
    }
    finding.path = buf_cstr(&path);
    return f->each(f->arg, &finding);
}

static enum ag_err
consider_copies(struct find *f, int dir_fd, const char *dir, const char *name,
                const struct profile_match *match)
{
    const struct profile_file *file =
        &match->profile->files.items[match->file_index];
    struct dirent **entries = NULL;
    int count = scandirat(dir_fd, ".", &entries, NULL, alphasort);
    enum ag_err err = AG_OK;

    for (int i = 0; i < count; i++) {
        if (err == AG_OK &&
            copies_is_copy(name, entries[i]->d_name, &file->copies)) {
            err = consider(f, dir_fd, dir, entries[i]->d_name, match,
                           FINDING_COPY);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

/* ---- the profiles' own places ---- */

static bool
is_excepted(const struct profile_file *file, const char *name)
{
    for (size_t i = 0; i < file->except.count; i++) {
        if (glob_match(file->except.items[i], name)) {
            return true;
        }
    }
    return false;
}

/* What a link leads to, in its own directory. */
static enum ag_err
visit_target(struct find *f, const char *dir, const char *name,
             const struct profile_match *match)
{
    AG_AUTO(buf) struct buf path = {0};
    AG_AUTO(fd) int fd = -1;
    char target[PATH_MAX];
    char *slash;
    enum ag_err err;

    buf_init(&path, PATH_MAX, BUF_PLAIN);
    err = buf_fmt(&path, "%s/%s", dir, name);
    if (err != AG_OK || buf_cstr(&path) == NULL ||
        realpath(buf_cstr(&path), target) == NULL) {
        return AG_OK; /* it leads nowhere */
    }
    slash = strrchr(target, '/');
    *slash = '\0';
    fd = open(slash == target ? "/" : target,
              O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? AG_OK
                  : consider(f, fd, slash == target ? "/" : target, slash + 1,
                             match, FINDING_FILE);
}

/* The file, what its link leads to, and its copies, which may be there without
 * it. */
static enum ag_err
visit(struct find *f, int dir_fd, const char *dir, const char *name,
      const struct profile_match *match)
{
    struct stat st;
    enum ag_err err = AG_OK;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode)) {
        return visit_target(f, dir, name, match);
    }
    err = consider(f, dir_fd, dir, name, match, FINDING_FILE);
    return err == AG_OK ? consider_copies(f, dir_fd, dir, name, match) : err;
}

/* `pattern` is the rest of a path pattern below `dir`. */
static enum ag_err visit_pattern(struct find *f, const char *dir,
                                 const char *pattern,
                                 const struct profile_match *match,
                                 unsigned depth);

static enum ag_err
visit_segment(struct find *f, const char *dir, const char *name,
              const char *rest, const struct profile_match *match,
              unsigned depth)
{
    AG_AUTO(buf) struct buf below = {0};
    AG_AUTO(fd) int fd = -1;
    enum ag_err err;

    if (rest != NULL) {
        buf_init(&below, PATH_MAX, BUF_PLAIN);
        err = buf_fmt(&below, "%s/%s", dir, name);
        return err == AG_OK && buf_cstr(&below) != NULL
                   ? visit_pattern(f, buf_cstr(&below), rest, match, depth + 1)
                   : err;
    }
    fd = open(dir[0] == '\0' ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? AG_OK : visit(f, fd, dir, name, match);
}

static enum ag_err
visit_glob(struct find *f, const char *dir, const char *glob, const char *rest,
           const struct profile_match *match, unsigned depth)
{
    const struct profile_file *file =
        &match->profile->files.items[match->file_index];
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, NULL, alphasort);
    enum ag_err err = AG_OK;

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

        if (err == AG_OK && !dots && glob_match(glob, name) &&
            (rest != NULL || !is_excepted(file, name))) {
            err = visit_segment(f, dir, name, rest, match, depth);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

static enum ag_err
visit_pattern(struct find *f, const char *dir, const char *pattern,
              const struct profile_match *match, unsigned depth)
{
    size_t len = strcspn(pattern, "/");
    char segment[NAME_MAX + 1];
    const char *rest = pattern[len] == '/' ? pattern + len + 1 : NULL;

    if (depth > FIND_DEPTH_MAX || len > NAME_MAX) {
        return AG_OK;
    }
    memcpy(segment, pattern, len);
    segment[len] = '\0';
    return strchr(segment, '*') == NULL
               ? visit_segment(f, dir, segment, rest, match, depth)
               : visit_glob(f, dir, segment, rest, match, depth);
}

static enum ag_err
find_file(struct find *f, const struct expand_env *env,
          const struct profile_match *match, enum expand_flags flags)
{
    const char *tmpl = match->profile->files.items[match->file_index].path;
    AG_AUTO(buf) struct buf pattern = {0};

    buf_init(&pattern, PATH_MAX, BUF_PLAIN);
    if (tmpl == NULL || expand_path(tmpl, env, flags, &pattern) != AG_OK ||
        buf_cstr(&pattern) == NULL) {
        return AG_OK; /* not a place on this machine */
    }
    return visit_pattern(f, "", buf_cstr(&pattern) + 1, match, 0);
}

enum ag_err
find_profiles(struct find *f, const struct expand_env *env)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < profiles_count(f->profiles); i++) {
        struct profile_match match = {profiles_at(f->profiles, i), 0};
        size_t count = match.profile->files.count;

        for (; err == AG_OK && match.file_index < count; match.file_index++) {
            err = find_file(f, env, &match, EXPAND_USUAL);
            if (err == AG_OK) {
                err = find_file(f, env, &match, EXPAND_DEFAULTS);
            }
        }
    }
    return err;
}

/* ---- a tree ---- */

struct walk {
    struct find *f;
    dev_t dev;
    struct buf path; /* of the directory that is being read */
};

bool
find_passes_over(const char *name)
{
    for (size_t i = 0; i < AG_COUNT(PASSED_OVER); i++) {
        if (strcmp(PASSED_OVER[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static enum ag_err walk_dir(struct walk *w, int parent_fd, const char *name,
                            unsigned depth);

static enum ag_err
walk_entry(struct walk *w, int dir_fd, const struct dirent *entry,
           unsigned depth)
{
    const char *name = entry->d_name;
    struct profile_match match;
    unsigned type = entry->d_type;
    struct stat st;
    const char *dir = buf_cstr(&w->path);
    enum ag_err err;

    if (type == DT_UNKNOWN &&
        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        type = S_ISDIR(st.st_mode)   ? DT_DIR
               : S_ISREG(st.st_mode) ? DT_REG
                                     : DT_UNKNOWN;
    }
    if (type == DT_DIR) {
        return find_passes_over(name) ? AG_OK
                                      : walk_dir(w, dir_fd, name, depth);
    }
    if (type != DT_REG || dir == NULL ||
        profile_for_name(w->f->profiles, name, &match) != AG_OK) {
        return AG_OK;
    }
    err = consider(w->f, dir_fd, dir, name, &match, FINDING_FILE);
    return err == AG_OK ? consider_copies(w->f, dir_fd, dir, name, &match)
                        : err;
}

static enum ag_err
walk_entries(struct walk *w, DIR *dir, unsigned depth)
{
    const struct dirent *entry;
    enum ag_err err = AG_OK;

    while (err == AG_OK && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (w->f->entry_count >= FIND_ENTRIES_MAX_COUNT) {
            w->f->cut = true;
            return AG_OK;
        }
        w->f->entry_count++;
        if (w->f->tick != NULL && w->f->entry_count % TICK_ENTRIES == 0) {
            w->f->tick(w->f->arg, w->f->entry_count);
        }
        err = walk_entry(w, dirfd(dir), entry, depth);
    }
    return err;
}

static enum ag_err
walk_dir(struct walk *w, int parent_fd, const char *name, unsigned depth)
{
    size_t mark = w->path.len;
    struct stat st;
    DIR *dir = NULL;
    int fd;
    enum ag_err err;

    if (depth == FIND_DEPTH_MAX) {
        w->f->cut = true;
        return AG_OK;
    }
    fd = openat(parent_fd, name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_dev != w->dev) {
        w->f->unreadable_count += fd < 0 ? 1 : 0;
        w->f->mount_count += fd < 0 ? 0 : 1;
        fd_close(fd);
        return AG_OK;
    }
    err = buf_fmt(&w->path, "%s%s", mark == 1 ? "" : "/", name);
    dir = err == AG_OK ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        fd_close(fd);
        buf_truncate(&w->path, mark);
        return AG_OK; /* a path too long: nothing there can be adopted */
    }
    err = walk_entries(w, dir, depth + 1);
    (void)closedir(dir);
    buf_truncate(&w->path, mark);
    return err;
}

/* A file that was named is looked at whatever its name: by its profile, else
 * not at all. Its path buffer and its caller's together are more than a frame may hold. */
__attribute__((noinline)) static enum ag_err
find_one(struct find *f, const char *path, const struct expand_env *env)
{
    char dir[PATH_MAX];
    struct profile_match match;
    const char *slash = strrchr(path, '/');
    size_t len = (size_t)(slash - path);

    if (len >= sizeof(dir) ||
        profile_for_path(f->profiles, env, path, &match) != AG_OK) {
        f->unknown_count++;
        return AG_OK;
    }
    f->entry_count++;
    memcpy(dir, path, len);
    dir[len] = '\0';
    return visit_segment(f, dir, slash + 1, NULL, &match, 0);
}

enum ag_err
find_tree(struct find *f, const char *root, const struct expand_env *env)
{
    struct walk w = {.f = f};
    char real[PATH_MAX];
    struct stat st;
    DIR *dir;
    enum ag_err err;

    if (realpath(root, real) == NULL || stat(real, &st) != 0) {
        return err_why(AG_ENOTFOUND, "%s: %s", root, strerrordesc_np(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return find_one(f, real, env);
    }
    dir = opendir(real);
    if (dir == NULL) {
        return err_why(err_from_errno(errno), "%s: %s", root,
                       strerrordesc_np(errno));
    }
    w.dev = st.st_dev;
    buf_init(&w.path, PATH_MAX, BUF_PLAIN);
    err = buf_add_str(&w.path, real);
    if (err == AG_OK) {
        err = walk_entries(&w, dir, 0);
    }
    (void)closedir(dir);
    buf_done(&w.path);
    return err;
}
