/* What a view opens and covers, and auth-guard's own places in it
 * (view_impl.h). */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/mnt.h"
#include "run/view_impl.h"

/* ---- what is opened and what is covered ---- */

static enum ag_err
open_place(const struct building *b, const struct view_given *given)
{
    return mnt_bind(AT_FDCWD, given->path,
                    given->access == VIEW_READ ? VIEW_READ_ONLY : VIEW_TAME,
                    b->root, given->path);
}

/* May this user do anything with it? */
static bool
is_open(int fd)
{
    static const int modes[] = {R_OK, W_OK, X_OK};

    for (size_t i = 0; i < AG_COUNT(modes); i++) {
        if (syscall(SYS_faccessat2, fd, "", modes[i],
                    AT_EMPTY_PATH | AT_EACCESS) == 0) {
            return true;
        }
    }
    return false;
}

/* Covers what can still be reached of a hidden path. What belongs to others
 * and they do not show needs no cover. */
static enum ag_err
cover(const struct building *b, const char *path)
{
    AG_AUTO(fd) int at = -1;
    AG_AUTO(fd) int mnt = -1;
    struct stat st;
    enum ag_err err;

    /* Of the home the layer has hidden it; what is there is the task's own. */
    if (view_is_below(path, b->view->home_real) &&
        !view_is_host(b->view, path)) {
        return AG_OK;
    }
    at = mnt_find(b->root, path);
    if (at < 0 || fstatat(at, "", &st, AT_EMPTY_PATH) != 0 ||
        S_ISLNK(st.st_mode)) {
        return AG_OK;
    }
    if (st.st_uid != geteuid() && !is_open(at)) {
        return AG_OK;
    }
    err = mnt_copy(b->store, S_ISDIR(st.st_mode) ? "blank" : "nothing",
                   VIEW_READ_ONLY, &mnt);
    return err == AG_OK ? mnt_attach(mnt, at, path) : err;
}

/* All hidden paths, or those below the places that were given by name: a place
 * that is hidden and named itself is meant to be seen. */
static enum ag_err
cover_all(const struct building *b, bool below_given)
{
    const struct view *v = b->view;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < v->hidden_count; i++) {
        bool meant = !below_given;

        for (size_t k = 0; !meant && k < v->given_count; k++) {
            meant = view_is_below(v->hidden[i], v->given[k].path) &&
                    strcmp(v->hidden[i], v->given[k].path) != 0;
        }
        if (meant) {
            err = cover(b, v->hidden[i]);
        }
    }
    return err;
}

enum ag_err
view_places(const struct building *b)
{
    const struct view_given tree = {b->view->tree, VIEW_WRITE};
    enum ag_err err = open_place(b, &tree);

    if (err == AG_OK) {
        err = view_git(b);
    }
    if (err == AG_OK) {
        err = cover_all(b, false);
    }
    for (size_t i = 0; err == AG_OK && i < b->view->given_count; i++) {
        err = open_place(b, &b->view->given[i]);
    }
    return err == AG_OK ? cover_all(b, true) : err;
}

/* ---- auth-guard's own places ---- */

enum ag_err
view_own(const struct building *b)
{
    const struct view *v = b->view;
    AG_AUTO(fd) int place = -1;
    enum ag_err err =
        mnt_bind(AT_FDCWD, v->task_sock, VIEW_TAME, b->root, v->task_sock);

    for (size_t i = 0; err == AG_OK && i < v->line_count; i++) {
        const char *sock = v->lines[i].sock;

        if (strcmp(sock, v->task_sock) != 0) {
            err = mnt_bind(AT_FDCWD, sock, VIEW_TAME, b->root, sock);
        }
    }
    if (err == AG_OK) {
        err = mnt_point(b->root, v->place, MNT_DIR, &place);
    }
    for (size_t i = 0; err == AG_OK && i < v->link_count; i++) {
        if (!view_is_host(v, v->links[i].path)) {
            err = view_put_link(b, v->links[i].path, v->links[i].target);
        }
    }
    return err;
}
