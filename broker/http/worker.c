#include "http/worker.h"

#include <sys/socket.h>

#include <stdlib.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reactor.h"
#include "http/conn.h"

struct worker {
    struct reactor *reactor;
    struct reactor_work run;
    /* The reactor's thread only: */
    struct MHD_Daemon *mhd;        /* NULL: stopped */
    struct reactor_source *source; /* MHD's epoll */
    struct reactor_timer timer;    /* when a connection is too old */
    enum ag_err err;
};

/* It waits for nothing itself; whatever else it has to do at once, it does when
 * others had their turn. */
static void
run(void *ctx)
{
    struct worker *w = ctx;
    MHD_UNSIGNED_LONG_LONG left_ms = 0;
    int64_t at_ms = INT64_MAX;

    if (w->mhd == NULL) {
        return;
    }
    (void)MHD_run(w->mhd);
    if (MHD_get_timeout(w->mhd, &left_ms) == MHD_YES) {
        if (left_ms == 0) {
            (void)reactor_post(w->reactor, &w->run);
            return;
        }
        at_ms = left_ms < INT32_MAX ? clock_steady_ms() + (int64_t)left_ms
                                    : INT64_MAX;
    }
    reactor_set(w->reactor, &w->timer, at_ms);
}

static void
on_ready(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    run(ctx);
}

/* ---- connections ---- */

/* MHD closes the socket also when it fails, and then tells nobody. */
static void
add(void *ctx)
{
    struct conn *c = ctx;
    struct worker *w = c->worker;
    /* MHD looks at the family only; who it is, is in the connection. */
    const struct sockaddr addr = {.sa_family = c->socket == HTTP_TCP ? AF_INET
                                                                     : AF_UNIX};

    if (MHD_add_connection(w->mhd, c->fd, &addr, sizeof(addr)) != MHD_YES) {
        log_warn("connection refused", "code", err_code(AG_ENOMEM));
        conn_free(c);
    }
}

void
worker_add(struct worker *w, struct conn *c)
{
    c->worker = w;
    c->added = (struct reactor_work){.fn = add, .ctx = c};
    (void)reactor_post(w->reactor, &c->added);
}

void
worker_resume(struct worker *w, struct MHD_Connection *mhd)
{
    MHD_resume_connection(mhd);
    (void)reactor_post(w->reactor, &w->run);
}

void
worker_close(struct worker *w, struct MHD_UpgradeResponseHandle *urh)
{
    (void)MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
    (void)reactor_post(w->reactor, &w->run);
}

/* ---- life: on the reactor's thread ---- */

static void
watch(void *ctx)
{
    struct worker *w = ctx;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);

    w->err = AG_EIO;
    if (info != NULL && info->epoll_fd >= 0) {
        w->err =
            reactor_watch(w->reactor, info->epoll_fd, on_ready, w, &w->source);
    }
    if (w->err == AG_OK) {
        w->err = reactor_want(w->source, REACTOR_READ);
    }
}

static void
stop(void *ctx)
{
    struct worker *w = ctx;

    reactor_source_close(AG_TAKE(w->source));
    reactor_set(w->reactor, &w->timer, INT64_MAX);
    MHD_stop_daemon(AG_TAKE(w->mhd));
}

/* ---- */

enum ag_err
worker_new(struct MHD_Daemon *mhd, struct worker **ret)
{
    struct worker *w = calloc(1, sizeof(*w));
    enum ag_err err = AG_ENOMEM;

    if (w != NULL) {
        w->mhd = mhd;
        w->run = (struct reactor_work){.fn = run, .ctx = w};
        w->timer = (struct reactor_timer){.fn = run, .ctx = w};
        err = reactor_new(&w->reactor);
    }
    if (err != AG_OK) {
        MHD_stop_daemon(mhd);
        free(w);
        return err;
    }
    reactor_call(w->reactor, watch, w);
    if (w->err != AG_OK) {
        err = w->err;
        worker_stop(w);
        worker_free(w);
        return err;
    }
    *ret = w;
    return AG_OK;
}

void
worker_stop(struct worker *w)
{
    if (w != NULL) {
        reactor_call(w->reactor, stop, w);
    }
}

void
worker_free(struct worker *w)
{
    if (w != NULL) {
        reactor_free(w->reactor);
    }
    free(w);
}
