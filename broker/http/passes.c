#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "http/pass_impl.h"

enum {
    NS_PER_MS = 1000 * 1000,
    MS_PER_S = 1000,
    SETTLE_MS = 10, /* between two looks at those that are being cut */
};

/* ---- the thread that may block, and looks after those that wait ---- */

static bool
is_left(struct pass *pass)
{
    struct pollfd fd = {.fd = pass->conn->fd, .events = POLLRDHUP};

    return !pass_is_switched(pass) && poll(&fd, 1, 0) > 0 &&
           (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* MHD learns of a cut when it has something to do for the connection: one whose
 * client neither sends nor reads is still there at the next look. */
static void
cut(struct pass *pass)
{
    if (pass->was_cut) {
        (void)shutdown(pass->conn->fd, SHUT_RDWR);
    }
    pass->was_cut = true;
    pass->owner->app.cut(pass->state);
}

/* Under the lock: nothing that is in the list goes meanwhile. */
static void
look_after(struct passes *all)
{
    bool stops = atomic_load(&all->stops);
    struct pass *pass = NULL;

    TAILQ_FOREACH(pass, &all->all, all)
    {
        if (!pass_is_answered(pass)) {
            continue;
        }
        if (stops) {
            pass_fail(pass, AG_EBUSY, PASS_STOPS);
        }
        if (stops || is_left(pass) || !all->app.wanted(pass->state)) {
            cut(pass);
        }
    }
}

static struct timespec
in_ms(int64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / MS_PER_S;
    at.tv_nsec += (long)(ms % MS_PER_S) * NS_PER_MS;
    if (at.tv_nsec >= (long)MS_PER_S * NS_PER_MS) {
        at.tv_nsec -= (long)MS_PER_S * NS_PER_MS;
        at.tv_sec++;
    }
    return at;
}

static void *
serve_queue(void *arg)
{
    struct passes *all = arg;
    int64_t looked_ms = clock_steady_ms();
    uint64_t seen_count = 0;

    (void)pthread_mutex_lock(&all->lock);
    while (!all->stopping || !TAILQ_EMPTY(&all->queue)) {
        struct pass *pass = TAILQ_FIRST(&all->queue);

        if (pass != NULL) {
            TAILQ_REMOVE(&all->queue, pass, queued);
            (void)pthread_mutex_unlock(&all->lock);
            (void)!pass_ask(pass, true);
            pass_decided(pass);
            (void)pthread_mutex_lock(&all->lock);
        } else if (TAILQ_EMPTY(&all->all) && all->new_count == seen_count) {
            all->rests = true;
            (void)pthread_cond_wait(&all->more, &all->lock);
            all->rests = false;
        } else {
            const struct timespec until = in_ms(PASS_LOOK_MS);

            (void)pthread_cond_timedwait(&all->more, &all->lock, &until);
        }
        if (clock_steady_ms() - looked_ms >= PASS_LOOK_MS) {
            look_after(all);
            looked_ms = clock_steady_ms();
            seen_count = all->new_count;
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* Under the lock. */
static bool
need_thread(struct passes *all)
{
    if (!all->has_thread) {
        all->has_thread =
            pthread_create(&all->thread, NULL, serve_queue, all) == 0;
    }
    return all->has_thread;
}

enum ag_err
passes_push(struct pass *pass)
{
    struct passes *all = pass->owner;
    enum ag_err err = AG_ENOMEM;

    (void)pthread_mutex_lock(&all->lock);
    if (need_thread(all)) {
        TAILQ_INSERT_TAIL(&all->queue, pass, queued);
        (void)pthread_cond_broadcast(&all->more);
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&all->lock);
    return err;
}

/* ---- lives ---- */

enum ag_err
passes_new(const struct pass_app *app, struct passes **ret)
{
    struct passes *all = calloc(1, sizeof(*all));
    pthread_condattr_t steady;

    if (all == NULL) {
        return AG_ENOMEM;
    }
    all->app = *app;
    (void)pthread_mutex_init(&all->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&all->more, &steady);
    (void)pthread_condattr_destroy(&steady);
    TAILQ_INIT(&all->all);
    TAILQ_INIT(&all->queue);
    *ret = all;
    return AG_OK;
}

void
passes_free(struct passes *all)
{
    if (all == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&all->lock);
    all->stopping = true;
    (void)pthread_cond_broadcast(&all->more);
    (void)pthread_mutex_unlock(&all->lock);
    if (all->has_thread) {
        (void)pthread_join(all->thread, NULL);
    }
    pass_switch_free(all->switched);
    (void)pthread_cond_destroy(&all->more);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

bool
pass_is_target(const struct conn *conn, const char *target)
{
    return conn->via != REQUEST_REVERSE || strncmp(target, "/p/", 3) == 0 ||
           strncmp(target, "/t/", 3) == 0;
}

/* As if it had been asked of the broker's own address. */
static char *
own_target(const struct conn *conn, const char *target)
{
    const char *rest = target;
    char *text = NULL;
    int len = -1;

    switch (conn->via) {
    case REQUEST_REVERSE:
        return strdup(target);
    case REQUEST_PLAIN:
        /* The strict layer has seen that it begins so. */
        rest = strstr(target, "://");
        len = rest == NULL ? -1 : asprintf(&text, "/p/%s", rest + 3);
        break;
    case REQUEST_INTERCEPTED:
        len = asprintf(&text, "/p/%s%s", conn->intake.authority, target);
        break;
    }
    return len < 0 ? NULL : text;
}

enum ag_err
pass_new(struct passes *all, struct MHD_Connection *mhd, struct conn *conn,
         const char *target, struct pass **ret)
{
    struct pass *pass = calloc(1, sizeof(*pass));
    bool watched = false;

    if (pass == NULL) {
        return AG_ENOMEM;
    }
    pass->target = own_target(conn, target);
    if (pass->target == NULL) {
        free(pass);
        return AG_ENOMEM;
    }
    pass->owner = all;
    pass->mhd = mhd;
    pass->conn = conn;
    (void)pthread_mutex_init(&pass->lock, NULL);
    (void)pthread_mutex_lock(&all->lock);
    TAILQ_INSERT_TAIL(&all->all, pass, all);
    watched = need_thread(all);
    all->new_count++;
    if (all->rests) {
        (void)pthread_cond_broadcast(&all->more);
    }
    (void)pthread_mutex_unlock(&all->lock);
    if (!watched) {
        pass_free(pass);
        return AG_ENOMEM;
    }
    *ret = pass;
    return AG_OK;
}

void
pass_free(struct pass *pass)
{
    struct passes *all = NULL;

    if (pass == NULL) {
        return;
    }
    all = pass->owner;
    (void)pthread_mutex_lock(&all->lock);
    TAILQ_REMOVE(&all->all, pass, all);
    if (atomic_load(&all->stops)) {
        (void)pthread_cond_broadcast(&all->more);
    }
    (void)pthread_mutex_unlock(&all->lock);
    /* Who resumed it may be within the lock still. */
    (void)pthread_mutex_lock(&pass->lock);
    (void)pthread_mutex_unlock(&pass->lock);
    if (pass->state != NULL) {
        all->app.end(pass->state);
    }
    if (pass->response != NULL) {
        MHD_destroy_response(pass->response);
    }
    (void)pthread_mutex_destroy(&pass->lock);
    free(pass->fields);
    free(pass->method);
    free(pass->target);
    free(pass);
}

void
passes_stop(struct passes *all)
{
    (void)pthread_mutex_lock(&all->lock);
    atomic_store(&all->stops, true);
    look_after(all);
    (void)pthread_mutex_unlock(&all->lock);
}

void
passes_drain(struct passes *all)
{
    const struct timespec until = in_ms(PASS_STOP_MS);
    int result = 0;

    (void)pthread_mutex_lock(&all->lock);
    while (!TAILQ_EMPTY(&all->all) && result == 0) {
        result = pthread_cond_timedwait(&all->more, &all->lock, &until);
    }
    (void)pthread_mutex_unlock(&all->lock);
}

/* Under the lock. */
static bool
is_any_held(struct passes *all)
{
    struct pass *pass = NULL;

    TAILQ_FOREACH(pass, &all->all, all)
    {
        if (pass_is_held(pass)) {
            return true;
        }
    }
    /* Last: whoever is not held is counted, if MHD was not told. */
    return atomic_load(&all->resuming_count) > 0;
}

void
passes_settle(struct passes *all)
{
    (void)pthread_mutex_lock(&all->lock);
    while (is_any_held(all)) {
        const struct timespec until = in_ms(SETTLE_MS);

        look_after(all);
        (void)pthread_cond_timedwait(&all->more, &all->lock, &until);
    }
    (void)pthread_mutex_unlock(&all->lock);
}
