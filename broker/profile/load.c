#include "profile/load.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "profile/expand.h"
#include "profile/table.h"

struct profiles {
    struct profile *items;
    size_t count;
    struct profile_problem *problems;
    size_t problem_count;
};

static enum ag_err
profiles_new(struct profiles **ret)
{
    struct profiles *ps = calloc(1, sizeof(*ps));

    if (ps != NULL) {
        ps->items = calloc(PROFILES_MAX_COUNT, sizeof(*ps->items));
        ps->problems = calloc(PROFILES_MAX_COUNT, sizeof(*ps->problems));
    }
    if (ps == NULL || ps->items == NULL || ps->problems == NULL) {
        profiles_free(ps);
        return AG_ENOMEM;
    }
    *ret = ps;
    return AG_OK;
}

/* The strings of a profile and of a problem that are ours alone. */
static void
drop_text(const char *text)
{
    char *own = NULL;

    memcpy(&own, &text, sizeof(own)); /* const was ours to give */
    free(own);
}

void
profiles_free(struct profiles *ps)
{
    if (ps == NULL) {
        return;
    }
    for (size_t i = 0; ps->items != NULL && i < ps->count; i++) {
        drop_text(ps->items[i].source);
        profile_release(&ps->items[i]);
    }
    for (size_t i = 0; ps->problems != NULL && i < ps->problem_count; i++) {
        drop_text(ps->problems[i].source);
        drop_text(ps->problems[i].why);
    }
    free(ps->items);
    free(ps->problems);
    free(ps);
}

size_t
profiles_count(const struct profiles *ps)
{
    return ps->count;
}

const struct profile *
profiles_at(const struct profiles *ps, size_t index)
{
    AG_ASSERT(index < ps->count);
    return &ps->items[index];
}

size_t
profiles_problem_count(const struct profiles *ps)
{
    return ps->problem_count;
}

struct profile_problem
profiles_problem_at(const struct profiles *ps, size_t index)
{
    AG_ASSERT(index < ps->problem_count);
    return ps->problems[index];
}

/* Decodes, completes and appends one profile. */
static enum ag_err
add(struct profiles *ps, struct span json, const char *source,
    enum profile_origin origin)
{
    struct profile p = {.profile = 0};
    const struct profile *same = NULL;
    char *copy;
    enum ag_err err;

    if (ps->count == PROFILES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d profiles", PROFILES_MAX_COUNT);
    }
    err = msg_decode(profile_spec(), json, PROFILE_FILE_MAX_BYTES, &p);
    if (err != AG_OK) {
        return err;
    }
    err = profile_complete(&p);
    if (err == AG_OK && profile_find(ps, p.name, &same) == AG_OK) {
        err = err_why(AG_EINVAL,
                      "there is a profile %s already; give this one another "
                      "name",
                      p.name);
    }
    copy = err == AG_OK ? strdup(source) : NULL;
    if (err == AG_OK && copy == NULL) {
        err = AG_ENOMEM;
    }
    if (err != AG_OK) {
        profile_release(&p);
        return err;
    }
    p.source = copy;
    p.origin = origin;
    (void)crypto_generichash(p.hash, sizeof(p.hash), json.ptr, json.len, NULL,
                             0);
    ps->items[ps->count++] = p;
    return AG_OK;
}

enum ag_err
profiles_load_one(struct span json, const char *source, struct profiles **ret)
{
    AG_AUTO(profiles) struct profiles *ps = NULL;
    enum ag_err err = profiles_new(&ps);

    if (err == AG_OK) {
        err = add(ps, json, source, ORIGIN_SHIPPED);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(ps);
    }
    return err;
}

/* A user's profile must be the user's alone to write. */
static enum ag_err
check_own(int dir_fd, const char *name)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_why(AG_EMODE,
                       "it must be a regular file that only you can write");
    }
    return AG_OK;
}

static enum ag_err
load_file(struct profiles *ps, int dir_fd, const char *name, const char *source,
          enum profile_origin origin)
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err;

    buf_init(&text, PROFILE_FILE_MAX_BYTES, BUF_PLAIN);
    err = origin == ORIGIN_USER ? check_own(dir_fd, name) : AG_OK;
    if (err == AG_OK) {
        err = fs_read(dir_fd, name, PROFILE_FILE_MAX_BYTES, &text);
    }
    if (err == AG_OK) {
        err = add(ps, buf_view(&text), source, origin);
    }
    if (err == AG_OK) {
        const char *own = ps->items[ps->count - 1].name;
        size_t len = strlen(own);

        if (strncmp(own, name, len) != 0 || strcmp(name + len, ".json") != 0) {
            ps->count--;
            drop_text(ps->items[ps->count].source);
            profile_release(&ps->items[ps->count]);
            err = err_why(AG_EINVAL,
                          "name: must be the file's name without .json");
        }
    }
    return err;
}

static enum ag_err
add_problem(struct profiles *ps, const char *source, enum ag_err err)
{
    char *name = strdup(source);
    char *why = strdup(err_text(err));

    if (name == NULL || why == NULL ||
        ps->problem_count == PROFILES_MAX_COUNT) {
        free(name);
        free(why);
        return name == NULL || why == NULL ? AG_ENOMEM : AG_ELIMIT;
    }
    ps->problems[ps->problem_count++] =
        (struct profile_problem){.source = name, .why = why};
    return AG_OK;
}

static enum ag_err
load_named(struct profiles *ps, int dir_fd, const char *dir, const char *name,
           enum profile_origin origin)
{
    AG_AUTO(buf) struct buf source = {0};
    enum ag_err err;

    buf_init(&source, EXPAND_MAX_BYTES, BUF_PLAIN);
    err = buf_fmt(&source, "%s/%s", dir, name);
    if (err != AG_OK || buf_cstr(&source) == NULL) {
        return err == AG_OK ? AG_ENOMEM : err;
    }
    err = load_file(ps, dir_fd, name, buf_cstr(&source), origin);
    if (err == AG_OK || err == AG_ENOMEM) {
        return err;
    }
    if (origin == ORIGIN_USER) {
        return add_problem(ps, buf_cstr(&source), err);
    }
    return err_why(err, "profile %s: %s", name, err_text(err));
}

static int
is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 &&
           strcmp(entry->d_name + len - 5, ".json") == 0;
}

static enum ag_err
load_dir(struct profiles *ps, const char *dir, enum profile_origin origin)
{
    AG_AUTO(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent **names = NULL;
    int count;
    enum ag_err err = AG_OK;

    if (fd < 0 && errno == ENOENT && origin == ORIGIN_USER) {
        return AG_OK;
    }
    if (fd < 0) {
        return err_why(err_from_errno(errno), "the folder of profiles, %s: %s",
                       dir, strerrordesc_np(errno));
    }
    count = scandirat(fd, ".", &names, is_json, alphasort);
    if (count < 0) {
        return err_from_errno(errno);
    }
    for (int i = 0; i < count; i++) {
        if (err == AG_OK) {
            err = load_named(ps, fd, dir, names[i]->d_name, origin);
        }
        free(names[i]);
    }
    free(names);
    return err;
}

static int
by_name(const void *a, const void *b)
{
    const struct profile *x = a;
    const struct profile *y = b;

    return strcmp(x->name, y->name);
}

enum ag_err
profiles_load(const char *shipped_dir, const char *user_dir,
              struct profiles **ret)
{
    AG_AUTO(profiles) struct profiles *ps = NULL;
    enum ag_err err = profiles_new(&ps);

    if (err == AG_OK) {
        err = load_dir(ps, shipped_dir, ORIGIN_SHIPPED);
    }
    if (err == AG_OK && user_dir != NULL) {
        err = load_dir(ps, user_dir, ORIGIN_USER);
    }
    if (err != AG_OK) {
        return err;
    }
    qsort(ps->items, ps->count, sizeof(*ps->items), by_name);
    *ret = AG_TAKE(ps);
    return AG_OK;
}

enum ag_err
profile_find(const struct profiles *ps, const char *name,
             const struct profile **ret)
{
    for (size_t i = 0; i < ps->count; i++) {
        if (strcmp(ps->items[i].name, name) == 0) {
            *ret = &ps->items[i];
            return AG_OK;
        }
    }
    return err_why(AG_ENOTFOUND,
                   "there is no profile %s; see: auth-guard profiles (one of "
                   "your own is read when the broker starts: auth-guard stop, "
                   "auth-guard unlock)",
                   name);
}
