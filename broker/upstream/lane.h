/*
 * lane.h - the calls of one thread: a libcurl multi handle driven by the reactor
 * of that thread, which starts them when their turn comes, lets them go on, and
 * ends them. Connections stay with their lane.
 * Floor: upstream. Depends on: base/reactor, upstream/call, turns, libcurl.
 */
#ifndef AG_UPSTREAM_LANE_H
#define AG_UPSTREAM_LANE_H

#include "base/reactor.h"
#include "upstream/call.h"
#include "upstream/turns.h"

struct lane_socket;

SLIST_HEAD(lane_list, lane);

struct upstream {
    struct turns turns; /* its lock also guards what follows */
    int64_t held_count; /* started and not given to upstream_cancel() */
    struct lane_list lanes;
    struct reactor *own; /* for calls from threads without; NULL: none yet */
    atomic_int_fast64_t open_count; /* sockets, those at rest included */
    char *ca_file;                  /* NULL: the system's */
};

struct lane {
    SLIST_ENTRY(lane) link; /* under the lock of the turns */
    struct upstream *owner;
    struct reactor *reactor;
    struct gate gate;
    /* The reactor's thread only: */
    struct reactor_work turn;    /* libcurl ran, or wants to */
    struct reactor_work end;     /* the reactor goes */
    struct reactor_timer due;    /* libcurl's */
    struct reactor_timer look;   /* for who is late, and for rest */
    CURLM *multi;                /* NULL: at rest */
    bool wants;                  /* libcurl does, now */
    int64_t now_ms;              /* when libcurl was called last */
    bool has_failed;             /* libcurl could not wait for somebody */
    struct call_list calls;      /* seen and not ended */
    struct changed_list changed; /* something is new about them */
    int64_t rest_ms;             /* without calls until then: all closes */
    int64_t open_count;          /* its part of the owner's */
    bool has_opened;             /* one since the last turn */
    struct lane_socket *sockets; /* by descriptor */
    size_t socket_count;
};

/*
 * The lane of a reactor, which goes when that ends: no call may be left then.
 * Under the lock of the turns. Errors: AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err
lane_need(struct upstream *u, struct reactor *reactor, struct lane **ret);

/* What a call's work does: starts it, lets it go on, ends it. A reactor_fn;
 * `ctx` is the call. */
void lane_serve(void *ctx);

/* ---- for libcurl's callbacks ---- */

/* A socket for a call, as libcurl asks for one; -1. */
AG_NONNULL int lane_open_socket(struct lane *lane, int family, int type,
                                int protocol);

/* CURLOPT_CLOSESOCKETFUNCTION; `ctx` is the lane. */
int lane_close_socket(void *ctx, curl_socket_t fd);

/* ---- its multi handle: lane_multi.c ---- */

/* It is there when this returns AG_OK. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err lane_multi_need(struct lane *lane);

/* Closes it with all its connections; none may be running. */
AG_NONNULL void lane_multi_close(struct lane *lane);

/* curl_multi_socket_action(); sets now_ms and has_failed. */
AG_NONNULL void lane_multi_run(struct lane *lane, curl_socket_t fd, int mask);

/* After a socket was opened: how many connections may be kept now. */
AG_NONNULL void lane_multi_fit(struct lane *lane);

/* Of `due`. A reactor_fn; `ctx` is the lane. */
void lane_multi_due(void *ctx);

/* ---- */

/* It may be late sooner than thought, or be told of its turn. */
AG_NONNULL void lane_changed(struct lane *lane, struct upstream_call *call);

#endif
