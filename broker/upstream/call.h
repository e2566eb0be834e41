/*
 * call.h - one call: its libcurl handle, what is told of it, and the gate that
 * keeps events from a call that was cancelled.
 * Floor: upstream. Depends on: base/reactor, upstream/answer, fail, guard,
 * request, libcurl.
 */
#ifndef AG_UPSTREAM_CALL_H
#define AG_UPSTREAM_CALL_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>

#include "base/reactor.h"
#include "upstream/answer.h"
#include "upstream/fail.h"
#include "upstream/guard.h"
#include "upstream/request.h"
#include "upstream/upstream.h"

enum {
    CALL_OPENED_MAX_COUNT = 8,
    CALL_CLOSED_MS = 100, /* for what is on its way still */
    CALL_LOOK_MS = 1000,  /* between two looks at an upgraded connection */
};

struct lane;
struct turns_place;

/*
 * One per lane: which call is in an event just now. Who enters writes
 * `busy`, then reads `cancelled`; who cancels writes `cancelled`, then reads
 * `busy`: one of them sees the other, and only who has to wait takes the lock.
 */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    _Atomic(const struct upstream_call *) busy;
    atomic_uint
        waiting_count; /* in upstream_cancel(); written under the lock */
};

enum call_state {
    CALL_STARTED, /* its lane has not seen it */
    CALL_WAITING,
    CALL_RUNNING,
    CALL_ENDED,
};

struct upstream_call {
    struct lane *lane;
    struct gate *gate; /* the lane's */
    struct reactor_work work;
    const struct upstream_events *events;
    void *ctx;
    struct request_parts parts;
    struct upstream_times times;
    int64_t wait_ms;
    int64_t body_bytes;
    bool upgrade;
    bool dial;

    /* any thread */
    atomic_bool resume;
    atomic_bool cancelled;
    atomic_bool ended;    /* the lane is done with it */
    atomic_bool has_turn; /* written under the lock of the turns */
    atomic_uint refs;     /* the caller's, the lane's, and of `work` */

    /* under the lock of the turns */
    TAILQ_ENTRY(upstream_call) waits; /* without has_turn */
    struct turns_place *place;

    /* the lane's thread */
    TAILQ_ENTRY(upstream_call) link;
    TAILQ_ENTRY(upstream_call) changed; /* while is_changed */
    bool is_changed;
    bool is_unwatched; /* its socket can't be waited for: it ends */
    enum call_state state;
    enum call_phase phase;
    CURL *easy;
    struct request_lines *lines;
    struct answer answer;
    bool send_paused;
    bool recv_paused;
    bool was_told; /* something in this turn of the lane: on_turn is due */
    int dialed_fd; /* -1: none, or told */
    int opened[CALL_OPENED_MAX_COUNT]; /* of an upgrade: made for it, the latest
                                          of them; libcurl's */
    size_t opened_count;
    int own_fd;        /* of these the one it goes by; -1 */
    int64_t closed_ms; /* since when the service is gone; 0 */
    int64_t sent_bytes;
    int64_t got_bytes;   /* of the answer's body */
    int64_t begun_ms;    /* waiting: since; running: from when */
    int64_t progress_ms; /* the last byte either way */
    enum ag_err err;     /* why a callback of ours stopped it */
    char why[512];       /* its sentence */
};

TAILQ_HEAD(call_list, upstream_call);
TAILQ_HEAD(changed_list, upstream_call);

/*
 * A call ready to run, its request checked and copied.
 * Errors: as upstream_start(). Threads: safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err call_new(struct lane *lane,
                                         const struct upstream_request *request,
                                         const struct upstream_events *events,
                                         void *ctx, struct upstream_call **ret);

/* Gives back a hold; the last frees. */
AG_NONNULL void call_release(struct upstream_call *call);

/* Lets its lane look at it soon; while it has not ended, or with a hold on it.
 * Threads: any. */
AG_NONNULL void call_touch(struct upstream_call *call);

/* ---- the lane's thread ---- */

/* May libcurl go on? False once it was cancelled. */
AG_NONNULL bool call_may_go_on(const struct upstream_call *call);

/* Between these an event runs; false: cancelled, none may. */
AG_CHECK AG_NONNULL bool call_enter(struct upstream_call *call);
AG_NONNULL void call_leave(struct upstream_call *call);

/* The turn of the lane is over: on_turn, if there was an event. */
AG_NONNULL void call_turn(struct upstream_call *call);

/* Keeps the sentence of `err`, raised in a callback, for the end. */
AG_NONNULL void call_stop(struct upstream_call *call, enum ag_err err);

/* Lets both directions go on. Errors: libcurl's. */
AG_CHECK AG_NONNULL CURLcode call_unpause(struct upstream_call *call);

/* Keeps the socket that was dialed; the handle must still be in the multi
 * handle. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err call_keep_socket(struct upstream_call *call);

/* When it is too late, INT64_MAX if never; *ret_whole: for the whole call. */
AG_NONNULL int64_t call_late_ms(const struct upstream_call *call,
                                bool *ret_whole);

/* Of an upgrade: has the service closed the connection? libcurl does not end
 * while it has nothing to send. *ret_look_ms: when to look again. */
AG_NONNULL bool call_is_left(struct upstream_call *call, int64_t *ret_look_ms);

/* Tells the end, as libcurl saw it or by `err`, and lets go of everything. The
 * handle must be out of the multi handle. */
AG_NONNULL void call_end(struct upstream_call *call, CURLcode code,
                         enum ag_err err);

#endif
