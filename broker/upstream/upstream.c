#include "upstream/upstream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "upstream/call.h"
#include "upstream/easy.h"
#include "upstream/lane.h"

enum {
    MS_PER_S = 1000,
};

/* ---- life ---- */

enum ag_err
upstream_new(const struct upstream_limits *limits, const char *ca_file,
             struct upstream **ret)
{
    struct upstream *u;
    enum ag_err err = easy_setup();

    if (err != AG_OK) {
        return err;
    }
    if (ca_file != NULL && access(ca_file, R_OK) != 0) {
        return err_why(AG_ENOTFOUND, "the roots in %s can't be read", ca_file);
    }
    u = calloc(1, sizeof(*u));
    if (u == NULL) {
        return AG_ENOMEM;
    }
    u->ca_file = ca_file == NULL ? NULL : strdup(ca_file);
    if (ca_file != NULL && u->ca_file == NULL) {
        free(u);
        return AG_ENOMEM;
    }
    turns_init(&u->turns, limits);
    SLIST_INIT(&u->lanes);
    *ret = u;
    return AG_OK;
}

void
upstream_free(struct upstream *u)
{
    if (u == NULL) {
        return;
    }
    AG_ASSERT(u->held_count == 0);
    reactor_free(u->own);
    AG_ASSERT(SLIST_EMPTY(&u->lanes));
    turns_done(&u->turns);
    free(u->ca_file);
    free(u);
}

void
upstream_set_limits(struct upstream *u, const struct upstream_limits *limits)
{
    turns_set_limits(&u->turns, limits);
}

/* ---- calls ---- */

static struct upstream_times
times_of(const struct upstream_limits *limits)
{
    return (struct upstream_times){
        .connect_ms = limits->connect_s * MS_PER_S,
        .first_byte_ms = limits->first_byte_s * MS_PER_S,
        .idle_ms = limits->idle_s * MS_PER_S,
        .whole_ms = limits->whole_s * MS_PER_S,
    };
}

/* Under the lock: the lane of this thread, or of the upstream's own. */
static enum ag_err
find_lane(struct upstream *u, unsigned flags, struct lane **ret)
{
    struct reactor *here = reactor_here();
    enum ag_err err = AG_OK;

    if (here != NULL && (flags & UPSTREAM_APART) == 0) {
        return lane_need(u, here, ret);
    }
    if (u->own == NULL) {
        err = reactor_new(&u->own);
    }
    return err == AG_OK ? lane_need(u, u->own, ret) : err;
}

static enum ag_err
need_lane(struct upstream *u, unsigned flags, struct lane **ret,
          struct upstream_limits *ret_limits)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&u->turns.lock);
    *ret_limits = u->turns.limits;
    err = find_lane(u, flags, ret);
    (void)pthread_mutex_unlock(&u->turns.lock);
    return err;
}

static enum ag_err
take_turn(struct upstream *u, struct upstream_call *call,
          struct upstream_call **ret)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&u->turns.lock);
    err = turns_take(&u->turns, call);
    if (err == AG_OK) {
        u->held_count++;
        *ret = call; /* before its lane can tell of it */
        call_touch(call);
    }
    (void)pthread_mutex_unlock(&u->turns.lock);
    return err;
}

enum ag_err
upstream_start(struct upstream *u, const struct upstream_request *request,
               const struct upstream_events *events, void *ctx,
               struct upstream_call **ret)
{
    struct upstream_request complete = *request;
    struct upstream_limits limits;
    struct upstream_times times;
    struct upstream_call *call = NULL;
    struct lane *lane = NULL;
    enum ag_err err = need_lane(u, request->flags, &lane, &limits);

    if (err != AG_OK) {
        return err;
    }
    times = times_of(&limits);
    if (complete.times == NULL) {
        complete.times = &times;
    }
    err = call_new(lane, &complete, events, ctx, &call);
    if (err != AG_OK) {
        return err;
    }
    call->wait_ms = limits.wait_s * MS_PER_S;
    err = take_turn(u, call, ret);
    if (err != AG_OK) {
        call_release(call);
        call_release(call);
    }
    return err;
}

enum ag_err
upstream_dial(struct upstream *u, const struct upstream_target *target,
              const struct upstream_events *events, void *ctx,
              struct upstream_call **ret)
{
    const struct upstream_request request = {
        .method = span_str("GET"),
        .host = target->host,
        .port = target->port,
        .target = span_str("/"),
        .body_bytes = UPSTREAM_BODY_NONE,
        .owner = target->owner,
        .flags = UPSTREAM_DIAL | UPSTREAM_PLAIN |
                 (target->inner ? UPSTREAM_INNER : 0U),
    };

    return upstream_start(u, &request, events, ctx, ret);
}

void
upstream_resume(struct upstream_call *call)
{
    if (!atomic_load(&call->ended) && !atomic_exchange(&call->resume, true)) {
        call_touch(call);
    }
}

/* Until its event is over, if one runs. */
static void
wait_for_event(struct gate *gate, const struct upstream_call *call)
{
    (void)pthread_mutex_lock(&gate->lock);
    (void)atomic_fetch_add(&gate->waiting_count, 1);
    while (atomic_load(&gate->busy) == call) {
        (void)pthread_cond_wait(&gate->changed, &gate->lock);
    }
    (void)atomic_fetch_sub(&gate->waiting_count, 1);
    (void)pthread_mutex_unlock(&gate->lock);
}

void
upstream_cancel(struct upstream_call *call)
{
    struct upstream *u = NULL;

    if (call == NULL) {
        return;
    }
    u = call->lane->owner;
    atomic_store(&call->cancelled, true);
    if (reactor_here() != call->lane->reactor) {
        wait_for_event(call->gate, call);
    }
    (void)pthread_mutex_lock(&u->turns.lock);
    u->held_count--;
    (void)pthread_mutex_unlock(&u->turns.lock);
    if (!atomic_load(&call->ended)) {
        call_touch(call);
    }
    call_release(call);
}
