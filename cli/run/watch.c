#include "run/watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "run/restamp.h"
#include "run/spill.h"
#include "session.h"

enum {
    EVENTS_BYTES = 4096,
    TROUBLE_BYTES = 1024, /* a file's name, a secret's twice */
};

struct followed {
    struct watch_file file;
    int wd;
    struct stat taken; /* as it was when the vault had the same */
};

struct watch {
    int inotify_fd;
    struct watch_spill spill;
    struct followed items[WATCH_MAX_COUNT];
    size_t count;
    char trouble[TROUBLE_BYTES]; /* of the file `troubled`, until it is taken */
    const struct followed *troubled;
    char found[TROUBLE_BYTES]; /* what a task made; it can't take that back */
    size_t found_count;
    bool ending;
};

enum ag_err
watch_new(const struct watch_spill *spill, struct watch **ret)
{
    struct watch *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return AG_ENOMEM;
    }
    w->inotify_fd = -1;
    w->spill = *spill;
    *ret = w;
    return AG_OK;
}

void
watch_free(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        fd_close(w->items[i].file.dir_fd);
    }
    fd_close(w->inotify_fd);
    free(w);
}

enum ag_err
watch_add(struct watch *w, const struct watch_file *file)
{
    struct followed *f = &w->items[w->count];
    char path[64];

    if (w->count == WATCH_MAX_COUNT) {
        fd_close(file->dir_fd);
        return AG_ELIMIT;
    }
    f->file = *file;
    w->count++;
    if (w->inotify_fd < 0) {
        w->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    }
    /* The directory is in another mount namespace: only this path leads there. */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file->dir_fd);
    f->wd = w->inotify_fd < 0 ? -1
                              : inotify_add_watch(w->inotify_fd, path,
                                                  IN_MOVED_TO | IN_CLOSE_WRITE);
    if (f->wd < 0) {
        return err_why(AG_EIO, "%s can't be followed: %s", file->name,
                       strerrordesc_np(errno));
    }
    (void)fstatat(file->dir_fd, file->name, &f->taken, AT_SYMLINK_NOFOLLOW);
    return AG_OK;
}

int
watch_fd(const struct watch *w)
{
    return w->inotify_fd;
}

const char *
watch_trouble(const struct watch *w)
{
    return w->trouble[0] == '\0' ? NULL : w->trouble;
}

const char *
watch_found(const struct watch *w)
{
    return w->found[0] == '\0' ? NULL : w->found;
}

AG_PRINTF(3, 4)

static void
complain(struct watch *w, const struct followed *f, const char *fmt, ...)
{
    int len = snprintf(w->trouble, sizeof(w->trouble), "%s ", f->file.name);
    va_list args;

    if (len > 0 && (size_t)len < sizeof(w->trouble)) {
        va_start(args, fmt);
        (void)vsnprintf(w->trouble + len, sizeof(w->trouble) - (size_t)len, fmt,
                        args);
        va_end(args);
    }
    w->troubled = f;
}

/* What became of it: stored, but beside the current version; its values are to
 * go from the file. */
struct taking {
    bool kept;
    bool replace;
    int64_t version;
    char name[NAME_MAX_BYTES + 1]; /* of the secret, if it was kept */
};

static enum ag_err
ask_take(struct session *session, const struct followed *f, int fd,
         struct taking *ret)
{
    json_t *answer = NULL;
    const char *name = NULL;
    enum ag_err err;

    if (session == NULL) {
        return AG_ENOBROKER;
    }
    err = session_send(session, "take", f->file.ticket, &fd, 1);
    if (err == AG_OK) {
        err = session_answer(session, &answer);
    }
    ret->kept = json_is_true(json_object_get(answer, "retained"));
    ret->replace = json_is_true(json_object_get(answer, "replace"));
    ret->version = json_integer_value(json_object_get(answer, "version"));
    name = json_string_value(json_object_get(answer, "name"));
    (void)snprintf(ret->name, sizeof(ret->name), "%s",
                   name == NULL ? "" : name);
    json_decref(answer);
    return err;
}

/* Placeholders in the place of the values that the vault has now. Not at the
 * end: then the file goes, too. */
static void
restamp(struct watch *w, struct followed *f, struct session *session,
        const struct stat *taken)
{
    const struct restamp what = {.dir_fd = f->file.dir_fd,
                                 .name = f->file.name,
                                 .ticket = f->file.renew,
                                 .taken = *taken};
    bool newer = false;
    enum ag_err err = restamp_file(session, &what, &newer, &f->taken);

    if (err != AG_OK) {
        complain(w, f,
                 "was rewritten; the vault has it, but the file still holds "
                 "the values: %s",
                 err_text(err));
    }
    /* What is newer raises an event of its own. */
}

/* A file of placeholders got a login of its own: the tool logged in anew, or a
 * task would have the person work by a login of somebody else's. */
static void
note_found(struct watch *w, const struct followed *f,
           const struct taking *taking)
{
    char more[64] = "";

    w->found_count++;
    if (w->found_count > 1) {
        (void)snprintf(more, sizeof(more), " (the last of %zu)",
                       w->found_count);
    }
    (void)snprintf(w->found, sizeof(w->found),
                   "the task wrote a login of its own into %s%s; the login in "
                   "use stays, the vault keeps the new one as version %lld; "
                   "if you made it: auth-guard rollback %s %lld",
                   f->file.name, more, (long long)taking->version, taking->name,
                   (long long)taking->version);
}

static void
note_outcome(struct watch *w, const struct followed *f,
             const struct taking *taking)
{
    if (taking->kept && taking->replace) {
        note_found(w, f, taking);
    } else if (taking->kept) {
        complain(w, f,
                 "was rewritten with what is not a newer login of the same "
                 "account; the vault keeps it beside the current one, as "
                 "version %lld; to make it current: auth-guard rollback %s "
                 "%lld",
                 (long long)taking->version, taking->name,
                 (long long)taking->version);
    } else if (w->troubled == f) {
        w->trouble[0] = '\0'; /* half written, then whole */
    }
}

/* The new content to the vault; if nobody is there to take it, sealed to disk,
 * since the tool's old login is spent by now. */
static void
take(struct watch *w, struct followed *f, struct session *session)
{
    AG_AUTO(fd)
    int fd = openat(f->file.dir_fd, f->file.name,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat now;
    struct taking taking = {0};
    enum ag_err err;

    if (fd < 0 || fstat(fd, &now) != 0 || !S_ISREG(now.st_mode) ||
        restamp_same(&now, &f->taken)) {
        return;
    }
    err = ask_take(session, f, fd, &taking);
    if (err == AG_ENOBROKER || err == AG_ETIMEOUT || err == AG_ELOCKED) {
        err = spill_file(fd, w->spill.home, w->spill.key, f->file.spill_as);
    }
    if (err != AG_OK) {
        complain(w, f, "was rewritten, and the vault did not take it: %s",
                 err_text(err));
        return;
    }
    f->taken = now;
    note_outcome(w, f, &taking);
    if (taking.replace && f->file.renew != NULL && !w->ending) {
        restamp(w, f, session, &now);
    }
}

/* At the end a file that can't be taken is not on its way to become one. */
static void
check_left(struct watch *w, const struct followed *f)
{
    struct stat st;

    if (fstatat(f->file.dir_fd, f->file.name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        complain(w, f, "was removed; the vault keeps the login it had");
    } else if (!S_ISREG(st.st_mode)) {
        complain(w, f,
                 "was replaced by something that is no plain file; the vault "
                 "keeps the login it had");
    }
}

static void
on_event(struct watch *w, const struct inotify_event *event,
         struct session *session)
{
    for (size_t i = 0; i < w->count; i++) {
        struct followed *f = &w->items[i];
        bool lost = (event->mask & IN_Q_OVERFLOW) != 0;

        if (lost || (f->wd == event->wd && event->len > 0 &&
                     strcmp(event->name, f->file.name) == 0)) {
            take(w, f, session);
        }
    }
}

void
watch_pump(struct watch *w, struct session *session)
{
    _Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
    ssize_t n =
        w->inotify_fd < 0 ? -1 : read(w->inotify_fd, bytes, sizeof(bytes));
    size_t at = 0;

    while (n > 0 && at + sizeof(struct inotify_event) <= (size_t)n) {
        const struct inotify_event *event =
            (const void *)(bytes + at); /* aligned: the kernel pads names */

        on_event(w, event, session);
        at += sizeof(*event) + event->len;
    }
}

void
watch_finish(struct watch *w, struct session *session)
{
    w->ending = true;
    for (size_t i = 0; i < w->count; i++) {
        take(w, &w->items[i], session);
        check_left(w, &w->items[i]);
    }
}
