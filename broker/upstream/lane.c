#include "upstream/lane.h"

#include <stdlib.h>

#include "base/clock.h"
#include "upstream/easy.h"

enum {
    MS_PER_S = 1000,
    REST_MS = 120 * MS_PER_S, /* without a call; then all connections close */
};

void
lane_changed(struct lane *lane, struct upstream_call *call)
{
    if (!call->is_changed) {
        call->is_changed = true;
        TAILQ_INSERT_TAIL(&lane->changed, call, changed);
    }
}

static void
look_by(struct lane *lane, int64_t at_ms)
{
    if (at_ms != INT64_MAX &&
        (!lane->look.is_set || at_ms < lane->look.at_ms)) {
        reactor_set(lane->reactor, &lane->look, at_ms);
    }
}

/* ---- calls ---- */

static void
end_call(struct lane *lane, struct upstream_call *call, CURLcode code,
         enum ag_err err)
{
    if (call->state == CALL_RUNNING) {
        (void)curl_multi_remove_handle(lane->multi, call->easy);
    }
    TAILQ_REMOVE(&lane->calls, call, link);
    turns_note_bytes(call, call->got_bytes);
    turns_leave(&lane->owner->turns, call);
    call_end(call, code, err);
    if (call->is_changed) {
        TAILQ_REMOVE(&lane->changed, call, changed);
    }
    if (TAILQ_EMPTY(&lane->calls)) {
        lane->rest_ms = clock_steady_ms() + REST_MS;
        look_by(lane, lane->rest_ms);
    }
    call_release(call);
}

static void
run_call(struct lane *lane, struct upstream_call *call)
{
    enum ag_err err = easy_trust(call->easy, lane->owner->ca_file);

    if (err == AG_OK) {
        err = easy_expect(call->easy, turns_expects_much(call));
    }
    if (err == AG_OK) {
        err = lane_multi_need(lane);
    }
    if (err == AG_OK &&
        curl_multi_add_handle(lane->multi, call->easy) != CURLM_OK) {
        err = AG_ENOMEM;
    }
    if (err != AG_OK) {
        end_call(lane, call, CURLE_OK, err);
        return;
    }
    call->state = CALL_RUNNING;
    call->begun_ms = clock_steady_ms();
    call->progress_ms = call->begun_ms;
    lane->now_ms = call->begun_ms;
    lane_changed(lane, call);
}

static void
serve_call(struct lane *lane, struct upstream_call *call)
{
    bool resumed = atomic_exchange(&call->resume, false);
    CURLcode code = CURLE_OK;

    if (!call_may_go_on(call) || call->is_unwatched) {
        end_call(lane, call, CURLE_ABORTED_BY_CALLBACK, AG_OK);
        return;
    }
    switch (call->state) {
    case CALL_STARTED:
        break;
    case CALL_WAITING:
        if (atomic_load(&call->has_turn)) {
            run_call(lane, call);
        }
        break;
    case CALL_RUNNING:
        if (resumed) {
            code = call_unpause(call);
        }
        if (code != CURLE_OK) {
            end_call(lane, call, code, AG_OK);
        }
        break;
    case CALL_ENDED:
        break;
    }
}

void
lane_serve(void *ctx)
{
    struct upstream_call *call = ctx;
    struct lane *lane = call->lane;

    if (call->state == CALL_STARTED) {
        call->state = CALL_WAITING;
        TAILQ_INSERT_TAIL(&lane->calls, call, link);
        lane_changed(lane, call);
    }
    if (call->state != CALL_ENDED) {
        serve_call(lane, call);
    }
    (void)reactor_post(lane->reactor, &lane->turn);
    call_release(call);
}

/* ---- turns ---- */

static void
take_ends(struct lane *lane)
{
    const CURLMsg *message;
    int left = 0;

    while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
        struct upstream_call *call = NULL;
        CURLcode code = message->data.result;
        enum ag_err err = AG_OK;

        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) ==
                CURLE_OK) {
            err = code == CURLE_OK ? call_keep_socket(call) : AG_OK;
            end_call(lane, call, code, err);
        }
    }
}

static void
end_running(struct lane *lane)
{
    struct upstream_call *call = TAILQ_FIRST(&lane->calls);

    while (call != NULL) {
        struct upstream_call *following = TAILQ_NEXT(call, link);

        if (call->state == CALL_RUNNING) {
            end_call(lane, call, CURLE_OUT_OF_MEMORY, AG_OK);
        }
        call = following;
    }
}

/* Ends it if it is late; else when to look again, INT64_MAX if never. */
static int64_t
examine(struct lane *lane, struct upstream_call *call, int64_t now_ms)
{
    const char *host = call->parts.host.text;
    bool whole = false;
    int64_t late_ms = call_late_ms(call, &whole);
    int64_t look_ms = INT64_MAX;

    if (call_is_left(call, &look_ms)) {
        end_call(lane, call, CURLE_OK, AG_OK);
        return INT64_MAX;
    }
    if (late_ms > now_ms) {
        return look_ms < late_ms ? look_ms : late_ms;
    }
    if (call->state == CALL_WAITING) {
        end_call(lane, call, CURLE_OK,
                 err_why(AG_EBUSY, "%s: too many calls before this one", host));
    } else {
        end_call(lane, call, CURLE_OK, fail_late(call->phase, whole, host));
    }
    return INT64_MAX;
}

static void
take_changed(struct lane *lane)
{
    struct upstream_call *call = NULL;

    while ((call = TAILQ_FIRST(&lane->changed)) != NULL) {
        call_turn(call);
        TAILQ_REMOVE(&lane->changed, call, changed);
        call->is_changed = false;
        look_by(lane, examine(lane, call, clock_steady_ms()));
    }
}

/* A reactor_fn: libcurl ran, or wants to. */
static void
on_turn(void *ctx)
{
    struct lane *lane = ctx;

    if (lane->wants) {
        lane->wants = false;
        lane_multi_run(lane, CURL_SOCKET_TIMEOUT, 0);
    }
    if (lane->multi != NULL) {
        take_ends(lane);
    }
    if (lane->has_failed) {
        lane->has_failed = false;
        end_running(lane);
    }
    take_changed(lane);
    if (lane->has_opened) {
        lane->has_opened = false;
        lane_multi_fit(lane);
    }
}

/* A reactor_fn: somebody may be late, or all of it at rest for long enough. */
static void
on_look(void *ctx)
{
    struct lane *lane = ctx;
    struct upstream_call *call = TAILQ_FIRST(&lane->calls);
    int64_t now_ms = clock_steady_ms();
    int64_t next_ms = INT64_MAX;

    while (call != NULL) {
        struct upstream_call *following = TAILQ_NEXT(call, link);
        int64_t look_ms = examine(lane, call, now_ms);

        next_ms = look_ms < next_ms ? look_ms : next_ms;
        call = following;
    }
    look_by(lane, next_ms);
    if (TAILQ_EMPTY(&lane->calls) && lane->multi != NULL) {
        if (now_ms >= lane->rest_ms) {
            lane_multi_close(lane);
        } else {
            look_by(lane, lane->rest_ms);
        }
    }
}

/* ---- life ---- */

/* A reactor_fn: the reactor ends, and what is posted now is not done. */
static void
on_end(void *ctx)
{
    struct lane *lane = ctx;
    struct upstream *u = lane->owner;

    AG_ASSERT(TAILQ_EMPTY(&lane->calls));
    lane_multi_close(lane);
    reactor_set(lane->reactor, &lane->look, INT64_MAX);
    (void)pthread_mutex_lock(&u->turns.lock);
    SLIST_REMOVE(&u->lanes, lane, lane, link);
    (void)pthread_mutex_unlock(&u->turns.lock);
    (void)pthread_cond_destroy(&lane->gate.changed);
    (void)pthread_mutex_destroy(&lane->gate.lock);
    free(lane->sockets);
    free(lane);
}

enum ag_err
lane_need(struct upstream *u, struct reactor *reactor, struct lane **ret)
{
    struct lane *lane = NULL;

    SLIST_FOREACH(lane, &u->lanes, link)
    {
        if (lane->reactor == reactor) {
            *ret = lane;
            return AG_OK;
        }
    }
    lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        return AG_ENOMEM;
    }
    lane->owner = u;
    lane->reactor = reactor;
    lane->turn = (struct reactor_work){.fn = on_turn, .ctx = lane};
    lane->end = (struct reactor_work){.fn = on_end, .ctx = lane};
    lane->due = (struct reactor_timer){.fn = lane_multi_due, .ctx = lane};
    lane->look = (struct reactor_timer){.fn = on_look, .ctx = lane};
    (void)pthread_mutex_init(&lane->gate.lock, NULL);
    (void)pthread_cond_init(&lane->gate.changed, NULL);
    TAILQ_INIT(&lane->calls);
    TAILQ_INIT(&lane->changed);
    reactor_at_end(reactor, &lane->end);
    SLIST_INSERT_HEAD(&u->lanes, lane, link);
    *ret = lane;
    return AG_OK;
}
