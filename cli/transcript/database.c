#include "transcript/database.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "move/erase.h"
#include "transcript/image.h"
#include "transcript/keep.h"
#include "transcript/sides.h"
#include "transcript/values.h"

enum {
    LINK_BYTES = 32, /* /proc/self/fd/N */
};

struct work {
    const struct treat *t;
    const char *path; /* as people call it */
    struct swap *swap;
    char dir[PATH_MAX]; /* as the kernel calls it: SQLite follows no link */
    bool wiped;
};

static enum ag_err
find_dir(struct work *w)
{
    char link[LINK_BYTES];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", w->swap->dir_fd);
    len = readlink(link, w->dir, sizeof(w->dir) - 1);
    if (len < 0) {
        return err_from_errno(errno);
    }
    w->dir[len] = '\0';
    return AG_OK;
}

/* `out` is uninitialised; buf_cstr() of it is the path. */
static enum ag_err
path_of(const struct work *w, const char *name, struct buf *out)
{
    enum ag_err err;

    buf_init(out, PATH_MAX, BUF_PLAIN);
    err = buf_fmt(out, "%s/%s", w->dir, name);
    return err == AG_OK && buf_cstr(out) == NULL ? AG_ENOMEM : err;
}

/* All texts through the filter. */
static enum ag_err
look(const struct work *w, sqlite3 *db, struct values *v,
     struct treat_result *ret)
{
    enum ag_err err = values_pass(v, db, w->t->passage, w->path);

    if (err != AG_OK || values_hits(v) == 0) {
        return err;
    }
    ret->hits = values_hits(v);
    ret->counts = json_incref(values_counts(v));
    err = w->t->keep == NULL ? AG_OK : keep_check(w->t->keep, w->path);
    ret->state = err == AG_OK ? TREAT_FOUND : ret->state;
    return err;
}

/* As one reader of many: there is a log, or others have it open. */
static enum ag_err
look_as_reader(struct work *w, struct values *v, struct treat_result *ret)
{
    AG_AUTO(sqlite) sqlite3 *db = NULL;
    AG_AUTO(buf) struct buf path = {0};
    enum ag_err err = path_of(w, w->swap->name, &path);

    swap_done(w->swap); /* we would wait for ourselves */
    if (err == AG_OK) {
        err = sqlite_load();
    }
    if (err == AG_OK) {
        err = sqlite_open(buf_cstr(&path), SQLITE_OPEN_READONLY, &db);
    }
    if (err == AG_OK) {
        err = sqlite_run(db, "PRAGMA busy_timeout = 2000", NULL, "opening it");
    }
    if (err == AG_OK) {
        err = sqlite_run(db, "BEGIN", NULL, "reading it");
    }
    return err == AG_OK ? look(w, db, v, ret) : err;
}

static enum ag_err
settle(struct work *w)
{
    bool pending = false;
    enum ag_err err;

    swap_done(w->swap);
    err = sides_settle(w->swap->dir_fd, w->dir, w->swap->name, &w->wiped);
    if (err == AG_OK) {
        err = swap_hold(w->swap->dir_fd, w->swap->name, w->swap);
    }
    if (err == AG_OK) {
        err = sides_pending(w->swap->dir_fd, w->swap->name, &pending);
    }
    return err == AG_OK && pending
               ? err_why(AG_EBUSY, "%s: another process works with it",
                         w->swap->name)
               : err;
}

/* Is what lies beside it still nobody's? Who waited too long was let in. */
static enum ag_err
check_alone(const struct work *w)
{
    bool pending = false;
    enum ag_err err = sides_pending(w->swap->dir_fd, w->swap->name, &pending);

    return err == AG_OK && (pending || !swap_is_alone(w->swap))
               ? err_why(AG_EBUSY, "%s: another process is opening it",
                         w->swap->name)
               : err;
}

/* The image becomes the file. */
static enum ag_err
put(struct work *w, struct image *im, struct treat_result *ret)
{
    AG_AUTO(buf) struct buf path = {0};
    bool wiped = false;
    enum ag_err err = swap_make(w->swap);

    if (err == AG_OK) {
        ret->caveat = erase_caveat(w->swap->new_fd);
        err = path_of(w, w->swap->temp, &path);
    }
    if (err == AG_OK) {
        err = image_write(im, buf_cstr(&path), w->swap->new_fd);
    }
    if (err == AG_OK) {
        err = check_alone(w);
    }
    if (err == AG_OK) {
        err = sides_erase(w->swap->dir_fd, w->swap->name, &wiped);
    }
    if (err == AG_OK) {
        err = swap_commit(w->swap);
    }
    if (err == AG_OK) {
        ret->state = TREAT_CHANGED;
        ret->not_wiped = w->swap->not_wiped || !wiped || !w->wiped;
    }
    return err;
}

/* While it is held. */
static enum ag_err
treat_held(struct work *w, struct values *v, struct treat_result *ret)
{
    AG_AUTO(image) struct image im = {.db = NULL};
    enum ag_err err = image_open(w->swap->old_fd, &im);

    if (err == AG_OK) {
        err = look(w, im.db, v, ret);
    }
    if (err != AG_OK || ret->hits == 0 || w->t->look_only) {
        return err;
    }
    err = values_apply(v, im.db);
    return err == AG_OK ? put(w, &im, ret) : err;
}

enum ag_err
database_treat(const struct treat *t, const char *path, struct swap *s,
               bool held, struct treat_result *ret)
{
    struct work w = {.t = t, .path = path, .swap = s, .wiped = true};
    AG_AUTO(values) struct values *v = NULL;
    bool pending = false;
    enum ag_err err = values_new(&v);

    if (err == AG_OK) {
        err = find_dir(&w);
    }
    if (err == AG_OK) {
        err = sides_pending(s->dir_fd, s->name, &pending);
    }
    if (err == AG_OK && (!held || (pending && t->look_only))) {
        return look_as_reader(&w, v, ret);
    }
    if (err == AG_OK && pending) {
        err = settle(&w);
    }
    return err == AG_OK ? treat_held(&w, v, ret) : err;
}
