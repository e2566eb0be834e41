#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "http/pass_impl.h"

enum {
    NS_PER_MS = 1000 * 1000,
    MS_PER_S = 1000,
};

/* ---- the thread that may block, and looks after those that wait ---- */

/* Under the lock: nothing that is in the list goes meanwhile. */
static void
look_after(struct passes *all)
{
    struct pass *pass = NULL;

    TAILQ_FOREACH(pass, &all->all, all)
    {
        struct pollfd fd = {.fd = pass->conn->fd, .events = POLLRDHUP};

        if (pass_is_answered(pass) &&
            ((poll(&fd, 1, 0) > 0 &&
              (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) ||
             !all->app.wanted(pass->state))) {
            all->app.cut(pass->state);
        }
    }
}

static void
decide(struct pass *pass)
{
    (void)!pass_ask(pass, true);
    pass_move(pass, PASS_BODY);
    pass_wake(pass);
}

static struct timespec
next_look(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)PASS_LOOK_MS * NS_PER_MS;
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

    (void)pthread_mutex_lock(&all->lock);
    while (!all->stopping || !TAILQ_EMPTY(&all->queue)) {
        struct pass *pass = TAILQ_FIRST(&all->queue);

        if (pass != NULL) {
            TAILQ_REMOVE(&all->queue, pass, queued);
            (void)pthread_mutex_unlock(&all->lock);
            decide(pass);
            (void)pthread_mutex_lock(&all->lock);
        } else if (TAILQ_EMPTY(&all->all)) {
            (void)pthread_cond_wait(&all->more, &all->lock);
        } else {
            const struct timespec until = next_look();

            (void)pthread_cond_timedwait(&all->more, &all->lock, &until);
        }
        if (clock_steady_ms() - looked_ms >= PASS_LOOK_MS) {
            look_after(all);
            looked_ms = clock_steady_ms();
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
    return NULL;
}

enum ag_err
passes_push(struct pass *pass)
{
    struct passes *all = pass->owner;
    enum ag_err err = AG_OK;

    pass_move(pass, PASS_DECIDING);
    (void)pthread_mutex_lock(&all->lock);
    if (!all->has_thread) {
        all->has_thread =
            pthread_create(&all->thread, NULL, serve_queue, all) == 0;
    }
    if (all->has_thread) {
        TAILQ_INSERT_TAIL(&all->queue, pass, queued);
        (void)pthread_cond_signal(&all->more);
    } else {
        err = AG_ENOMEM;
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
    (void)pthread_cond_destroy(&all->more);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

bool
pass_is_target(const char *target)
{
    return strncmp(target, "/p/", 3) == 0 || strncmp(target, "/t/", 3) == 0;
}

enum ag_err
pass_new(struct passes *all, struct MHD_Connection *mhd, struct conn *conn,
         const char *target, struct pass **ret)
{
    struct pass *pass = calloc(1, sizeof(*pass));

    if (pass == NULL) {
        return AG_ENOMEM;
    }
    pass->target = strdup(target);
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
    (void)pthread_cond_signal(&all->more);
    (void)pthread_mutex_unlock(&all->lock);
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
    (void)pthread_mutex_unlock(&all->lock);
    if (pass->state != NULL) {
        all->app.end(pass->state);
    }
    if (pass->response != NULL) {
        MHD_destroy_response(pass->response);
    }
    (void)pthread_mutex_destroy(&pass->lock);
    free(pass->method);
    free(pass->target);
    free(pass);
}

void
passes_cut(struct passes *all)
{
    struct pass *pass = NULL;

    (void)pthread_mutex_lock(&all->lock);
    TAILQ_FOREACH(pass, &all->all, all)
    {
        if (pass_is_answered(pass)) {
            all->app.cut(pass->state);
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
}
