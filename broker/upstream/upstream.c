#include "upstream/upstream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "upstream/call.h"
#include "upstream/easy.h"
#include "upstream/loop.h"

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
    u->limits = *limits;
    u->loop = LOOP_NONE;
    TAILQ_INIT(&u->inbox);
    TAILQ_INIT(&u->calls);
    (void)pthread_mutex_init(&u->gate.lock, NULL);
    (void)pthread_cond_init(&u->gate.changed, NULL);
    *ret = u;
    return AG_OK;
}

void
upstream_free(struct upstream *u)
{
    bool join;

    if (u == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&u->gate.lock);
    AG_ASSERT(u->held_count == 0);
    u->stop = true;
    join = u->loop != LOOP_NONE;
    loop_wake(u);
    (void)pthread_mutex_unlock(&u->gate.lock);
    if (join) {
        (void)pthread_join(u->thread, NULL);
    }
    AG_ASSERT(TAILQ_EMPTY(&u->calls) && TAILQ_EMPTY(&u->inbox));
    (void)pthread_cond_destroy(&u->gate.changed);
    (void)pthread_mutex_destroy(&u->gate.lock);
    free(u->ca_file);
    free(u);
}

void
upstream_set_limits(struct upstream *u, const struct upstream_limits *limits)
{
    (void)pthread_mutex_lock(&u->gate.lock);
    u->limits = *limits;
    loop_wake(u);
    (void)pthread_mutex_unlock(&u->gate.lock);
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

/* Under the lock. */
static enum ag_err
add_call(struct upstream *u, struct upstream_call *call,
         struct upstream_call **ret)
{
    enum ag_err err;

    if (u->unended_count >= u->limits.calls + u->limits.waiting) {
        return err_why(AG_EBUSY, "%lld calls to services are under way",
                       (long long)u->unended_count);
    }
    err = loop_need(u);
    if (err != AG_OK) {
        return err;
    }
    u->unended_count++;
    u->held_count++;
    *ret = call; /* before the loop can tell of it */
    TAILQ_INSERT_TAIL(&u->inbox, call, link);
    loop_wake(u);
    return AG_OK;
}

enum ag_err
upstream_start(struct upstream *u, const struct upstream_request *request,
               const struct upstream_events *events, void *ctx,
               struct upstream_call **ret)
{
    struct upstream_request complete = *request;
    struct upstream_limits limits = loop_limits(u);
    struct upstream_times times = times_of(&limits);
    struct upstream_call *call = NULL;
    enum ag_err err;

    if (complete.times == NULL) {
        complete.times = &times;
    }
    err = call_new(&complete, events, ctx, &call);
    if (err != AG_OK) {
        return err;
    }
    call->owner = u;
    call->gate = &u->gate;
    call->wait_ms = limits.wait_s * MS_PER_S;
    (void)pthread_mutex_lock(&u->gate.lock);
    err = add_call(u, call, ret);
    (void)pthread_mutex_unlock(&u->gate.lock);
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
    struct upstream *u = call->owner;

    if (atomic_load(&call->ended) || atomic_exchange(&call->resume, true)) {
        return; /* over, or the loop has not come to it yet */
    }
    (void)pthread_mutex_lock(&u->gate.lock);
    loop_wake(u);
    (void)pthread_mutex_unlock(&u->gate.lock);
}

/* Under the lock: until its event is over, if one runs. */
static void
wait_for_event(struct upstream *u, const struct upstream_call *call)
{
    (void)atomic_fetch_add(&u->gate.waiting_count, 1);
    while (atomic_load(&u->gate.busy) == call) {
        (void)pthread_cond_wait(&u->gate.changed, &u->gate.lock);
    }
    (void)atomic_fetch_sub(&u->gate.waiting_count, 1);
}

void
upstream_cancel(struct upstream_call *call)
{
    struct upstream *u;

    if (call == NULL) {
        return;
    }
    u = call->owner;
    (void)pthread_mutex_lock(&u->gate.lock);
    atomic_store(&call->cancelled, true);
    u->held_count--;
    if (u->loop != LOOP_RUNS || !pthread_equal(pthread_self(), u->thread)) {
        wait_for_event(u, call);
    }
    if (!atomic_load(&call->ended)) {
        loop_wake(u);
    }
    (void)pthread_mutex_unlock(&u->gate.lock);
    call_release(call);
}
