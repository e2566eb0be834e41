/* How a lane drives its multi handle: which descriptors libcurl waits for, when
 * it wants to run, how many connections it keeps. */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "upstream/lane.h"

enum {
    SOCKETS_MIN_COUNT = 64,
};

/*
 * One of libcurl's descriptors. The source of a connected one outlives a rest
 * between two calls, so that a kept connection costs epoll nothing. One that is
 * given up before libcurl closes by itself, without lane_close_socket().
 */
struct lane_socket {
    struct reactor_source *source; /* NULL: never waited for */
    bool is_open;                  /* by lane_open_socket(); counted */
    bool is_connected;             /* libcurl waited for bytes on it */
};

/* ---- sockets ---- */

/* Borrowed until the next descriptor is put there; NULL: no memory. */
static struct lane_socket *
socket_at(struct lane *lane, int fd)
{
    size_t count = lane->socket_count;
    struct lane_socket *grown = NULL;

    if ((size_t)fd < count) {
        return &lane->sockets[fd];
    }
    count = count == 0 ? SOCKETS_MIN_COUNT : count;
    while (count <= (size_t)fd) {
        count *= 2;
    }
    grown = realloc(lane->sockets, count * sizeof(grown[0]));
    if (grown == NULL) {
        return NULL;
    }
    memset(grown + lane->socket_count, 0,
           (count - lane->socket_count) * sizeof(grown[0]));
    lane->sockets = grown;
    lane->socket_count = count;
    return &lane->sockets[fd];
}

static void
forget_socket(struct lane *lane, struct lane_socket *at)
{
    reactor_source_close(AG_TAKE(at->source));
    if (at->is_open) {
        lane->open_count--;
        (void)atomic_fetch_sub(&lane->owner->open_count, 1);
    }
    at->is_open = false;
    at->is_connected = false;
}

int
lane_open_socket(struct lane *lane, int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);
    struct lane_socket *at = fd < 0 ? NULL : socket_at(lane, fd);

    if (at == NULL) {
        fd_close(fd);
        return -1;
    }
    forget_socket(lane, at); /* of one that nobody heard of again */
    at->is_open = true;
    lane->has_opened = true;
    lane->open_count++;
    (void)atomic_fetch_add(&lane->owner->open_count, 1);
    return fd;
}

int
lane_close_socket(void *ctx, curl_socket_t fd)
{
    struct lane *lane = ctx;

    forget_socket(lane, &lane->sockets[fd]);
    fd_close(fd);
    return 0;
}

/* What fails here is libcurl's memory, and it does not say whose. */
void
lane_multi_run(struct lane *lane, curl_socket_t fd, int mask)
{
    int running = 0;

    lane->now_ms = clock_steady_ms();
    lane->has_failed =
        curl_multi_socket_action(lane->multi, fd, mask, &running) != CURLM_OK ||
        lane->has_failed;
}

static void
on_ready(void *ctx, int fd, unsigned events)
{
    struct lane *lane = ctx;
    struct upstream_call *call = NULL;
    int mask = 0;

    mask |= (events & REACTOR_READ) != 0 ? CURL_CSELECT_IN : 0;
    mask |= (events & REACTOR_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    lane_multi_run(lane, fd, mask);
    /* The end of an upgraded connection is told to nobody. A look at one that is
     * not concerned would find nothing. */
    TAILQ_FOREACH(call, &lane->calls, link)
    {
        if (call->upgrade && call->own_fd == fd) {
            lane_changed(lane, call);
        }
    }
    (void)reactor_post(lane->reactor, &lane->turn);
}

static enum ag_err
watch(struct lane *lane, curl_socket_t fd, unsigned events)
{
    struct lane_socket *at = socket_at(lane, fd);
    enum ag_err err = AG_OK;

    if (at == NULL) {
        return AG_ENOMEM;
    }
    at->is_connected = at->is_connected || (events & REACTOR_READ) != 0;
    if (at->source == NULL) {
        err = reactor_watch(lane->reactor, fd, on_ready, lane, &at->source);
    }
    return err == AG_OK ? reactor_want(at->source, events) : err;
}

static void
unwatch(struct lane *lane, curl_socket_t fd)
{
    struct lane_socket *at =
        (size_t)fd < lane->socket_count ? &lane->sockets[fd] : NULL;

    if (at == NULL) {
        return;
    }
    if (at->is_open && at->is_connected && at->source != NULL) {
        (void)!reactor_want(at->source, REACTOR_NOTHING);
    } else {
        forget_socket(lane, at);
    }
}

/* CURLMOPT_SOCKETFUNCTION: an error of it would end all calls, so the one that
 * wants to wait ends alone. */
static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    struct lane *lane = ctx;
    struct upstream_call *call = NULL;
    unsigned events = REACTOR_NOTHING;
    enum ag_err err = AG_OK;

    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        unwatch(lane, fd);
        return 0;
    }
    events |= (what & CURL_POLL_IN) != 0 ? (unsigned)REACTOR_READ : 0U;
    events |= (what & CURL_POLL_OUT) != 0 ? (unsigned)REACTOR_WRITE : 0U;
    err = watch(lane, fd, events);
    if (err != AG_OK &&
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call) == CURLE_OK) {
        call->is_unwatched = true; /* it ends as one without memory does */
        call_touch(call);
    }
    return 0;
}

/* ---- libcurl's times ---- */

/* CURLMOPT_TIMERFUNCTION */
static int
on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct lane *lane = ctx;

    (void)multi;
    lane->wants = timeout_ms == 0;
    if (lane->wants) {
        (void)reactor_post(lane->reactor, &lane->turn);
    }
    reactor_set(lane->reactor, &lane->due,
                timeout_ms > 0 ? clock_steady_ms() + timeout_ms : INT64_MAX);
    return 0;
}

void
lane_multi_due(void *ctx)
{
    struct lane *lane = ctx;

    lane->wants = true;
    (void)reactor_post(lane->reactor, &lane->turn);
}

void
lane_multi_close(struct lane *lane)
{
    (void)curl_multi_cleanup(AG_TAKE(lane->multi));
    reactor_set(lane->reactor, &lane->due, INT64_MAX);
    lane->wants = false;
}

/* One call at a time on a connection. */
enum ag_err
lane_multi_need(struct lane *lane)
{
    CURLM *multi = NULL;

    if (lane->multi != NULL) {
        return AG_OK;
    }
    multi = curl_multi_init();
    if (multi == NULL) {
        return AG_ENOMEM;
    }
    if (curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) !=
            CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_watch) !=
            CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) !=
            CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane) != CURLM_OK) {
        (void)curl_multi_cleanup(multi);
        return AG_ENOMEM;
    }
    lane->multi = multi;
    return AG_OK;
}

/* What the other lanes have open is not this one's to keep. With nothing left
 * no connection is kept at all. */
void
lane_multi_fit(struct lane *lane)
{
    struct upstream *u = lane->owner;
    struct upstream_call *call = NULL;
    int64_t open_count = atomic_load(&u->open_count);
    int64_t share_count =
        turns_limits(&u->turns).connections - (open_count - lane->open_count);

    if (share_count < 1) {
        TAILQ_FOREACH(call, &lane->calls, link)
        {
            (void)curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
        }
        share_count = 1; /* 0 would be no limit to libcurl */
    }
    (void)curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS,
                            (long)share_count);
}
