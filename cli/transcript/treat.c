#include "transcript/treat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "move/erase.h"
#include "transcript/database.h"
#include "transcript/keep.h"
#include "transcript/kind.h"
#include "transcript/packed.h"
#include "transcript/sides.h"
#include "transcript/swap.h"

struct work {
    const struct treat *t;
    const char *path;
    struct swap swap;
    enum pack_kind pack;
};

void
treat_result_done(struct treat_result *r)
{
    json_decref(r->counts);
    r->counts = NULL;
}

static enum ag_err
rewind_old(const struct work *w)
{
    return lseek(w->swap.old_fd, 0, SEEK_SET) == 0 ? AG_OK
                                                   : err_from_errno(errno);
}

/* The held file through the filter. */
static enum ag_err
pass(const struct work *w, int dst_fd, bool plain_out, json_t **ret)
{
    const struct packed text = {.kind = w->pack,
                                .plain_out = plain_out,
                                .src_fd = w->swap.old_fd,
                                .dst_fd = dst_fd};
    enum ag_err err = rewind_old(w);

    return err == AG_OK ? packed_run(w->t->passage, w->path, &text, ret) : err;
}

/* What is in it, without writing anything. */
static enum ag_err
look(const struct work *w, struct treat_result *ret)
{
    AG_AUTO(fd) int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    json_t *report = NULL;
    enum ag_err err =
        nowhere < 0 ? err_from_errno(errno) : pass(w, nowhere, true, &report);

    if (err != AG_OK) {
        return err;
    }
    ret->hits = json_integer_value(json_object_get(report, "hits"));
    if (ret->hits > 0) {
        ret->counts = json_incref(json_object_get(report, "counts"));
    }
    json_decref(report);
    return AG_OK;
}

static enum ag_err
make_and_swap(struct work *w, struct treat_result *ret)
{
    json_t *report = NULL;
    enum ag_err err = swap_make(&w->swap);

    if (err == AG_OK) {
        ret->caveat = erase_caveat(w->swap.new_fd);
        err = pass(w, w->swap.new_fd, false, &report);
        json_decref(report);
    }
    if (err == AG_OK) {
        err = swap_commit(&w->swap);
    }
    ret->not_wiped = err == AG_OK && w->swap.not_wiped;
    return err;
}

static enum ag_err
treat_text(struct work *w, struct treat_result *ret)
{
    enum ag_err err = look(w, ret);

    if (err == AG_OK && ret->hits > 0 && w->t->keep != NULL) {
        err = keep_check(w->t->keep, w->path);
    }
    if (err != AG_OK || ret->hits == 0) {
        return err;
    }
    ret->state = TREAT_FOUND;
    if (!w->t->look_only) {
        err = make_and_swap(w, ret);
        ret->state = TREAT_CHANGED;
    }
    return err;
}

static enum ag_err
treat_kind(struct work *w, bool held, struct treat_result *ret)
{
    enum kind kind = KIND_EMPTY;
    enum ag_err err = kind_of(w->swap.old_fd, &kind, &w->pack);

    if (err != AG_OK) {
        return err;
    }
    switch (kind) {
    case KIND_EMPTY:
        return AG_OK;
    case KIND_TEXT:
        return treat_text(w, ret);
    case KIND_DATABASE:
        return database_treat(w->t, w->path, &w->swap, held, ret);
    case KIND_BINARY:
        ret->state = TREAT_BINARY;
        return AG_OK;
    }
    return AG_OK;
}

static void
say_why(struct treat_result *ret, enum ag_err err)
{
    ret->err = err;
    (void)snprintf(ret->why, sizeof(ret->why), "%s", err_text(err));
}

/* Was it left because of what it is, which is no news in a tree? */
static bool
is_no_file(const struct work *w)
{
    return w->swap.old_fd >= 0 && w->swap.old.st_mode != 0 &&
           !S_ISREG(w->swap.old.st_mode);
}

enum ag_err
treat_file(const struct treat *t, int dir_fd, const char *name,
           const char *path, struct treat_result *ret)
{
    struct work w = {.t = t, .path = path};
    enum ag_err err;

    *ret = (struct treat_result){.state = TREAT_CLEAN};
    if (sides_is_one(dir_fd, name)) {
        ret->state = TREAT_BINARY; /* it goes with its database */
        return AG_OK;
    }
    err = swap_hold(dir_fd, name, &w.swap);
    if (err == AG_OK ||
        (err == AG_EBUSY && t->look_only && w.swap.old_fd >= 0)) {
        enum ag_err held = err;

        err = treat_kind(&w, held == AG_OK, ret);
        if (err == AG_OK && held != AG_OK && ret->state == TREAT_FOUND) {
            say_why(ret, err_why(held, "another process has it open"));
        }
    } else if (is_no_file(&w)) {
        ret->state = TREAT_BINARY;
        err = AG_OK;
    }
    if (err != AG_OK && !t->passage->failed) {
        ret->state = TREAT_LEFT;
        say_why(ret, err);
        err = AG_OK;
    }
    swap_done(&w.swap);
    return err;
}
