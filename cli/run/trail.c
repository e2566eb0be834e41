#include "run/trail.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"

enum {
    LIST_AFTER_COUNT = 4, /* names asked for one by one before */
    LIST_BYTES = 4096,    /* read at once, about 100 names */
    LIST_READS_COUNT = 6, /* a larger directory is asked name by name */
    NAME_BITS = 2048,
};

enum listed {
    LISTED_NOT, /* yet */
    LISTED_WHOLE,
    LISTED_NEVER, /* it can't be, or is too large */
};

struct trail_step {
    char *path; /* as it is called */
    size_t len;
    char *real; /* where it leads */
    bool there;
    size_t asked_count;
    enum listed listed;
    uint8_t *names; /* LISTED_WHOLE: a bit for each name that it may hold */
};

/* FNV-1a. */
static size_t
name_bit(const char *name, size_t len)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)name[i]) * 16777619U;
    }
    return (hash ^ hash >> 16) % NAME_BITS;
}

static void
note_names(struct trail_step *dir, const char *entries, size_t len)
{
    size_t at = 0;

    while (at < len) {
        struct dirent64 head;
        const char *name = entries + at + offsetof(struct dirent64, d_name);
        size_t bit = name_bit(name, strlen(name));

        memcpy(&head, entries + at, offsetof(struct dirent64, d_name));
        dir->names[bit / 8] |= (uint8_t)(1U << bit % 8);
        at += head.d_reclen;
    }
}

static void
list(struct trail_step *dir)
{
    char entries[LIST_BYTES];
    AG_AUTO(fd) int fd = -1;
    ssize_t n = 1;

    dir->listed = LISTED_NEVER;
    dir->names = calloc(1, NAME_BITS / 8);
    if (dir->names == NULL) {
        return;
    }
    fd = open(dir->real[0] == '\0' ? "/" : dir->real,
              O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    for (size_t i = 0; fd >= 0 && n > 0 && i < LIST_READS_COUNT; i++) {
        n = getdents64(fd, entries, sizeof(entries));
        note_names(dir, entries, n < 0 ? 0 : (size_t)n);
    }
    if (fd >= 0 && n == 0) {
        dir->listed = LISTED_WHOLE;
    }
}

/* May it be there? Most of what is asked about is not. */
static bool
may_hold(struct trail_step *dir, const char *name, size_t len)
{
    size_t bit = name_bit(name, len);

    if (!dir->there) {
        return false;
    }
    if (dir->listed == LISTED_NOT && ++dir->asked_count > LIST_AFTER_COUNT) {
        list(dir);
    }
    return dir->listed != LISTED_WHOLE ||
           (dir->names[bit / 8] & 1U << bit % 8) != 0;
}

/* Of `name` in the directory: *ret_real is the caller's. */
static enum ag_err
look(struct trail_step *dir, const char *name, size_t len, char **ret_real,
     bool *ret_there)
{
    size_t dir_len = strlen(dir->real);
    char *path = malloc(dir_len + 1 + len + 1);
    char *real;
    struct stat st;

    if (path == NULL) {
        return AG_ENOMEM;
    }
    memcpy(path, dir->real, dir_len);
    path[dir_len] = '/';
    memcpy(path + dir_len + 1, name, len);
    path[dir_len + 1 + len] = '\0';
    *ret_real = path;
    *ret_there = may_hold(dir, name, len) &&
                 fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*ret_there || !S_ISLNK(st.st_mode)) {
        return AG_OK;
    }
    /* Of a link that leads nowhere the link itself counts. */
    real = realpath(path, NULL);
    *ret_there = real != NULL;
    if (real != NULL) {
        free(path);
        real[strcmp(real, "/") == 0 ? 0 : strlen(real)] = '\0';
        *ret_real = real;
    }
    return AG_OK;
}

/* The latest first: paths of one directory come one after the other. */
static struct trail_step *
find(const struct trail *t, const char *path, size_t len)
{
    for (size_t i = t->count; i > 0; i--) {
        struct trail_step *step = &t->steps[i - 1];

        if (step->len == len && strncmp(step->path, path, len) == 0) {
            return step;
        }
    }
    return NULL;
}

/* Takes `real` over. */
static enum ag_err
add(struct trail *t, const char *path, size_t len, char *real, bool there)
{
    struct trail_step *more = t->steps;
    char *copy = strndup(path, len);

    /* Doubled whenever it is full: the count is a power of two then. */
    if (copy != NULL && (t->count & (t->count - 1)) == 0) {
        more = realloc(t->steps,
                       (t->count == 0 ? 1 : t->count) * 2 * sizeof(*more));
    }
    if (copy == NULL || more == NULL) {
        free(copy);
        free(real);
        return AG_ENOMEM;
    }
    t->steps = more;
    t->steps[t->count++] = (struct trail_step){
        .path = copy, .len = len, .real = real, .there = there};
    return AG_OK;
}

/* The directory path[0..len), known from here on. */
static enum ag_err
learn(struct trail *t, const char *path, size_t len, struct trail_step **ret)
{
    size_t known = len;
    char *real = NULL;
    bool there = false;
    enum ag_err err = AG_OK;

    if (t->count == 0) {
        real = strdup("");
        err = real == NULL ? AG_ENOMEM : add(t, "", 0, real, true);
    }
    *ret = err == AG_OK ? find(t, path, known) : NULL;
    while (err == AG_OK && *ret == NULL) {
        do {
            known--;
        } while (path[known] != '/');
        *ret = find(t, path, known); /* "" is always known */
    }
    while (err == AG_OK && known < len) {
        const char *name = path + known + 1;
        size_t name_len = strcspn(name, "/");

        if (t->count == TRAIL_STEPS_MAX_COUNT) {
            return err_why(AG_ELIMIT, "too many directories to look at");
        }
        err = look(*ret, name, name_len, &real, &there);
        known += 1 + name_len;
        if (err == AG_OK) {
            err = add(t, path, known, real, there);
            *ret = &t->steps[t->count - 1];
        }
    }
    return err;
}

enum ag_err
trail_follow(struct trail *t, const char *path, char **ret)
{
    struct trail_step *dir = NULL;
    const char *last = strrchr(path, '/');
    bool there = false;
    enum ag_err err;

    AG_ASSERT(path[0] == '/');
    if (last[1] == '\0') {
        *ret = strdup("");
        return *ret == NULL ? AG_ENOMEM : AG_OK;
    }
    err = learn(t, path, (size_t)(last - path), &dir);
    return err == AG_OK ? look(dir, last + 1, strlen(last + 1), ret, &there)
                        : err;
}

void
trail_done(struct trail *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->steps[i].path);
        free(t->steps[i].real);
        free(t->steps[i].names);
    }
    free(t->steps);
    *t = (struct trail){0};
}
