#include "http/worker.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <stdlib.h>

#include <microhttpd.h>

#include "base/log.h"
#include "base/reactor.h"
#include "http/conn.h"

struct worker {
    struct reactor *reactor;
    struct reactor_work nudge;
    /* The reactor's thread only: */
    struct MHD_Daemon *mhd; /* NULL: stopped */
    enum ag_err err;
};

/* Of this thread, while it is in wait(). */
static _Thread_local struct {
    struct reactor *reactor; /* NULL: it is not */
    bool asked;
} heard;

/* The reactor's come first out of what epoll has found. How many are left. */
static int
take_out(struct epoll_event *events, int count)
{
    int left = 0;

    for (int i = 0; i < count; i++) {
        if (!reactor_heard(heard.reactor, &events[i])) {
            events[left++] = events[i];
        }
    }
    return left;
}

int
worker_epoll_wait(int fd, struct epoll_event *events, int max_count,
                  int timeout_ms)
{
    int count = 0;

    if (heard.reactor == NULL) {
        return epoll_pwait(fd, events, max_count, timeout_ms, NULL);
    }
    heard.asked = true;
    count = epoll_pwait(fd, events, max_count, timeout_ms, NULL);
    return count <= 0 ? count : take_out(events, count);
}

/* MHD asks its epoll each time it runs, so it waits as well. What is due by its
 * own clocks it knows. */
static void
wait(void *ctx, int timeout_ms)
{
    struct worker *w = ctx;

    heard.reactor = w->reactor;
    (void)MHD_run_wait(w->mhd, timeout_ms);
    heard.reactor = NULL;
}

/* Another turn of the reactor is all that is needed: MHD_run_wait() looks at who
 * was resumed first. */
static void
nudge(void *ctx)
{
    (void)ctx;
}

static void
wake(struct worker *w)
{
    if (reactor_here() != w->reactor) {
        (void)reactor_post(w->reactor, &w->nudge);
    }
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
    wake(w);
}

void
worker_close(struct worker *w, struct MHD_UpgradeResponseHandle *urh)
{
    (void)MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
    wake(w);
}

/* ---- life: on the reactor's thread ---- */

/* Does MHD ask as it is thought to? It would take the reactor's events for
 * its own. */
static bool
asks_us(struct worker *w)
{
    heard.asked = false;
    wait(w, 0);
    return heard.asked;
}

static void
watch(void *ctx)
{
    struct worker *w = ctx;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);

    w->err = info == NULL || !asks_us(w)
                 ? err_why(AG_EIO, "the HTTP server can't be waited for")
                 : reactor_share(w->reactor, info->epoll_fd, wait, w);
}

static void
stop(void *ctx)
{
    struct worker *w = ctx;

    reactor_unshare(w->reactor);
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
        w->nudge = (struct reactor_work){.fn = nudge, .ctx = w};
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
