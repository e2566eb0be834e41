#include "transcript/follow.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fdx.h"
#include "profile/expand.h"
#include "transcript/dirs.h"
#include "transcript/queue.h"
#include "transcript/straight.h"
#include "transcript/swap.h"
#include "transcript/walk.h"

struct work {
    const struct follow *f;
    const struct follow_root *roots;
    char **paths; /* theirs, straight */
    size_t root_count;
    struct dirs *dirs;
    struct queue queue;
    bool ends;
    bool is_down;     /* no filter: until retry_ms */
    enum ag_err told; /* why there is none, as it was said; AG_OK: it was not */
    int64_t told_ms;
    bool is_full; /* no more directories can be watched; said */
    int64_t retry_ms;
    bool walks;      /* all roots are to be looked through */
    int64_t look_ms; /* for optional ones; -1: all are there */
};

/* ---- the filter, there or not ---- */

/* May it come back? */
static bool
is_passing(enum ag_err err)
{
    static const enum ag_err PASSING[] = {
        AG_ELOCKED,   AG_ENOBROKER, AG_EFILTER, AG_EOPERATOR, AG_EPROCESS,
        AG_EUNTRACED, AG_ETIMEOUT,  AG_ERATE,   AG_EBUSY,     AG_ESTART};

    for (size_t i = 0; i < AG_COUNT(PASSING); i++) {
        if (PASSING[i] == err) {
            return true;
        }
    }
    return false;
}

/* Once for each reason, and again after a while: who waits for ever is to be
 * seen to, also where nothing else is said. */
static void
tell_down(struct work *w, enum ag_err err)
{
    const struct out *out = &w->f->inplace->cli->out;
    int64_t now = clock_steady_ms();

    if (w->told != err) {
        out_say(out, "waiting: %s", err_text(err));
    } else if (now - w->told_ms >= w->f->tell_ms) {
        out_warn(out, "still waiting: %s", err_text(err));
    } else {
        return;
    }
    w->told = err;
    w->told_ms = now;
}

/* AG_OK: there is none for now. */
static enum ag_err
go_down(struct work *w, enum ag_err err)
{
    if (!is_passing(err)) {
        return err;
    }
    tell_down(w, err);
    w->f->close(w->f->arg);
    w->f->inplace->passage->failed = false;
    w->is_down = true;
    w->retry_ms = clock_steady_ms() + w->f->retry_ms;
    return AG_OK;
}

static enum ag_err
go_up(struct work *w)
{
    enum ag_err err = w->f->open(w->f->arg);

    if (err != AG_OK) {
        return go_down(w, err);
    }
    w->is_down = false;
    return AG_OK;
}

/* ---- one file ---- */

static bool
is_end(struct work *w)
{
    struct pollfd p = {.fd = w->f->end_fd, .events = POLLIN};

    w->ends = w->ends || poll(&p, 1, 0) == 1;
    return w->ends;
}

/* The queue is full: what it can't hold is met when the roots are walked. */
static enum ag_err
queued(struct work *w, enum ag_err err)
{
    if (err == AG_ELIMIT) {
        w->look_ms = clock_steady_ms() + FOLLOW_LOOK_MS;
        return AG_OK;
    }
    return err;
}

/* struct walk's each(). An error ends the walk: AG_EBLOCKS, it is to be walked
 * again later. */
static enum ag_err
look(void *arg, int dir_fd, const char *name, const char *path)
{
    struct work *w = arg;
    struct inplace *p = w->f->inplace;
    enum ag_err err;

    if (is_end(w)) {
        return AG_EBLOCKS;
    }
    err = inplace_file(p, dir_fd, name, path);
    if (err != AG_OK && p->passage->failed) {
        err = go_down(w, err);
        return err == AG_OK ? AG_EBLOCKS : err;
    }
    if (err != AG_OK) {
        return err;
    }
    if (w->told != AG_OK) {
        out_say(&p->cli->out, "going on");
        w->told = AG_OK;
    }
    if (p->again) {
        return queued(w, queue_again(&w->queue, path, clock_steady_ms()));
    }
    queue_drop(&w->queue, path);
    return AG_OK;
}

/* One of the queue, if it is still there. */
static enum ag_err
look_at(struct work *w, const char *queued_path)
{
    AG_AUTO(fd) int dir_fd = -1;
    char *path = strdup(queued_path);
    char *slash = path == NULL ? NULL : strrchr(path, '/');
    enum ag_err err = AG_OK;

    if (slash == NULL) {
        free(path);
        return AG_ENOMEM; /* paths of the queue have a slash */
    }
    *slash = '\0';
    dir_fd = straight_open(path);
    *slash = '/';
    if (dir_fd < 0) {
        queue_drop(&w->queue, path);
    } else {
        err = look(w, dir_fd, slash + 1, path);
    }
    free(path);
    return err == AG_EBLOCKS ? AG_OK : err;
}

/* ---- directories ---- */

static enum ag_err
add_dir(struct work *w, int dir_fd, const char *path, const char *pattern)
{
    enum ag_err err = dirs_add(w->dirs, dir_fd, path, pattern);

    if (err == AG_ELIMIT) {
        if (!w->is_full) {
            out_warn(&w->f->inplace->cli->out, "%s", err_text(err));
            w->is_full = true;
        }
        return AG_OK;
    }
    return err == AG_ENOMEM ? err : AG_OK; /* gone, or not ours to read */
}

static enum ag_err
enter(void *arg, int dir_fd, const char *path)
{
    return add_dir(arg, dir_fd, path, NULL);
}

static enum ag_err
walk_whole(struct work *w, int dir_fd, const char *path)
{
    struct walk walk = {.each = look, .enter = enter, .arg = w};
    enum ag_err err = walk_open(&walk, dir_fd, path);

    w->f->inplace->swept_count += (int64_t)walk.swept_count;
    return err;
}

/* The names of one directory that match. */
static enum ag_err
walk_names(struct work *w, int dir_fd, const char *dir, const char *pattern)
{
    struct dirent **entries = NULL;
    enum ag_err err = add_dir(w, dir_fd, dir, pattern);
    int count = scandirat(dir_fd, ".", &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        AG_AUTO(buf) struct buf path = {0};

        buf_init(&path, PATH_MAX, BUF_PLAIN);
        if (swap_is_ours(entries[i]->d_name)) {
            w->f->inplace->swept_count +=
                swap_sweep(dir_fd, entries[i]->d_name) ? 1 : 0;
        } else if (err == AG_OK && entries[i]->d_type != DT_DIR &&
                   glob_match(pattern, entries[i]->d_name) &&
                   buf_fmt(&path, "%s/%s", dir, entries[i]->d_name) == AG_OK &&
                   buf_cstr(&path) != NULL) {
            err = look(w, dir_fd, entries[i]->d_name, buf_cstr(&path));
        }
        free(entries[i]);
    }
    free(entries);
    return count < 0 && err == AG_OK ? AG_ENOTFOUND : err;
}

/* It is no directory: a name in one, or several. */
static enum ag_err
walk_in(struct work *w, const char *path)
{
    AG_AUTO(fd) int dir_fd = -1;
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL   ? NULL
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    enum ag_err err = AG_ENOTFOUND;
    struct stat st;

    if (dir == NULL) {
        return AG_ENOMEM; /* paths of roots have a slash */
    }
    dir_fd = straight_open(dir);
    if (dir_fd >= 0 &&
        (strchr(slash + 1, '*') != NULL ||
         fstatat(dir_fd, slash + 1, &st, AT_SYMLINK_NOFOLLOW) == 0)) {
        err = walk_names(w, dir_fd, dir, slash + 1);
    }
    free(dir);
    return err;
}

static enum ag_err
walk_root(struct work *w, const char *path)
{
    AG_AUTO(fd) int dir_fd = straight_open(path);

    if (dir_fd >= 0) {
        return walk_whole(w, dir_fd, path);
    }
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
               ? walk_in(w, path)
               : err_why(err_from_errno(errno), "%s: %s", path,
                         strerrordesc_np(errno));
}

/* All of them. */
static enum ag_err
walk_roots(struct work *w)
{
    bool is_missing = false;

    w->walks = false;
    for (size_t i = 0; i < w->root_count; i++) {
        enum ag_err err = walk_root(w, w->paths[i]);

        if (err == AG_EBLOCKS) {
            w->walks = true;
            return AG_OK;
        }
        if (err == AG_ENOTFOUND && w->roots[i].optional) {
            is_missing = true;
        } else if (err != AG_OK) {
            return err == AG_ENOTFOUND
                       ? err_why(err, "%s is not there", w->roots[i].path)
                       : err;
        }
    }
    w->look_ms = is_missing ? clock_steady_ms() + FOLLOW_LOOK_MS : -1;
    return AG_OK;
}

/* ---- events ---- */

static enum ag_err
on_file(void *arg, const char *dir, const char *name)
{
    struct work *w = arg;
    AG_AUTO(buf) struct buf path = {0};

    buf_init(&path, PATH_MAX, BUF_PLAIN);
    if (swap_is_ours(name) || buf_fmt(&path, "%s/%s", dir, name) != AG_OK ||
        buf_cstr(&path) == NULL) {
        return AG_OK;
    }
    return queued(w, queue_note(&w->queue, buf_cstr(&path), clock_steady_ms()));
}

static enum ag_err
on_made(void *arg, const char *path)
{
    struct work *w = arg;
    AG_AUTO(fd) int dir_fd = straight_open(path);
    enum ag_err err = w->is_down   ? AG_EBLOCKS
                      : dir_fd < 0 ? AG_OK /* gone, or a link by now */
                                   : walk_whole(w, dir_fd, path);

    w->walks = w->walks || err == AG_EBLOCKS;
    return err == AG_ENOMEM || (err != AG_OK && w->f->inplace->passage->failed)
               ? err
               : AG_OK;
}

static enum ag_err
read_events(struct work *w)
{
    const struct dirs_told told = {.file = on_file, .made = on_made, .arg = w};
    bool lost = false;
    enum ag_err err = dirs_read(w->dirs, &told, &lost);

    w->walks = w->walks || lost;
    return err;
}

/* ---- the loop ---- */

static void
sooner(int64_t *at, int64_t other)
{
    if (other >= 0 && (*at < 0 || other < *at)) {
        *at = other;
    }
}

static enum ag_err
wait_for_more(struct work *w)
{
    struct pollfd p[] = {
        {.fd = w->f->end_fd, .events = POLLIN},
        {.fd = dirs_fd(w->dirs), .events = POLLIN},
    };
    int64_t now = clock_steady_ms();
    int64_t at = w->look_ms;

    if (w->is_down) {
        at = w->retry_ms;
    } else {
        sooner(&at, queue_next_ms(&w->queue));
        sooner(&at, w->walks ? now : -1);
    }
    if (poll(p, AG_COUNT(p),
             at < 0      ? -1
             : at <= now ? 0
                         : (int)(at - now)) < 0 &&
        errno != EINTR) {
        return err_from_errno(errno);
    }
    return is_end(w) ? AG_OK : read_events(w);
}

/* What is due now: at most one file, or one walk. */
static enum ag_err
do_next(struct work *w)
{
    int64_t now = clock_steady_ms();
    const char *due;

    if (w->is_down) {
        return now >= w->retry_ms ? go_up(w) : AG_OK;
    }
    if (w->walks || (w->look_ms >= 0 && now >= w->look_ms)) {
        return walk_roots(w);
    }
    due = queue_due(&w->queue, now);
    return due == NULL ? AG_OK : look_at(w, due);
}

static enum ag_err
go_round(struct work *w)
{
    enum ag_err err = go_up(w);

    while (err == AG_OK && !w->ends) {
        err = do_next(w);
        if (err == AG_OK) {
            err = wait_for_more(w);
        }
    }
    return err;
}

/* Their links are followed here, and never again. */
static enum ag_err
find_roots(struct work *w)
{
    enum ag_err err = AG_OK;

    w->paths = calloc(w->root_count + 1, sizeof(*w->paths));
    if (w->paths == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; err == AG_OK && i < w->root_count; i++) {
        err = straight_path(w->roots[i].path, &w->paths[i]);
    }
    return err;
}

static void
forget_roots(struct work *w)
{
    for (size_t i = 0; w->paths != NULL && i < w->root_count; i++) {
        free(w->paths[i]);
    }
    free(w->paths);
}

enum ag_err
follow_run(const struct follow *f, const struct follow_root *roots,
           size_t count)
{
    struct work w = {.f = f,
                     .roots = roots,
                     .root_count = count,
                     .walks = true,
                     .look_ms = -1};
    AG_AUTO(dirs) struct dirs *dirs = NULL;
    enum ag_err err = dirs_new(&dirs);

    if (err == AG_OK) {
        err = inplace_begin(f->inplace);
    }
    if (err == AG_OK) {
        err = find_roots(&w);
    }
    if (err == AG_OK) {
        w.dirs = dirs;
        queue_init(&w.queue, f->quiet_ms);
        err = go_round(&w);
        queue_done(&w.queue);
        f->close(f->arg);
    }
    forget_roots(&w);
    return err;
}
