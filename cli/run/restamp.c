#include "run/restamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fdx.h"
#include "session.h"

static const char NEW_NAME[] = ".auth-guard-placeholders";

bool
restamp_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A new file beside it, with what the broker gives. */
static enum ag_err
make_new(struct session *session, const struct restamp *what,
         struct stat *ret_made)
{
    AG_AUTO(fd) int fd = -1;
    json_t *answer = NULL;
    enum ag_err err;

    (void)unlinkat(what->dir_fd, NEW_NAME, 0);
    fd = openat(what->dir_fd, NEW_NAME,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = session_send(session, "deliver", what->ticket, &fd, 1);
    if (err == AG_OK) {
        err = session_answer(session, &answer);
    }
    json_decref(answer);
    if (err == AG_OK && fstat(fd, ret_made) != 0) {
        err = err_from_errno(errno);
    }
    return err;
}

static bool
swap(const struct restamp *what)
{
    return renameat2(what->dir_fd, NEW_NAME, what->dir_fd, what->name,
                     RENAME_EXCHANGE) == 0;
}

/* Is it this file that was swapped out? */
static bool
was_out(const struct restamp *what, const struct stat *wanted)
{
    struct stat st;

    return fstatat(what->dir_fd, NEW_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           restamp_same(&st, wanted);
}

enum ag_err
restamp_file(struct session *session, const struct restamp *what,
             bool *ret_newer, struct stat *ret_now)
{
    struct stat made = {0};
    enum ag_err err = make_new(session, what, &made);

    if (err == AG_OK && !swap(what)) {
        err = err_from_errno(errno);
    }
    *ret_newer = false;
    if (err == AG_OK && !was_out(what, &what->taken)) {
        /* The tool wrote again meanwhile: that content goes back. Should it
         * write once more right now, the newest of all stays. */
        *ret_newer = true;
        if (!swap(what) || (!was_out(what, &made) && !swap(what))) {
            err = err_from_errno(errno);
        }
    }
    (void)unlinkat(what->dir_fd, NEW_NAME, 0);
    if (err == AG_OK && !*ret_newer) {
        *ret_now = made;
    }
    return err;
}
