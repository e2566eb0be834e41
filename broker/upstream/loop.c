#include "upstream/loop.h"

#include <string.h>

#include "base/clock.h"
#include "upstream/easy.h"

enum {
    MS_PER_S = 1000,
    REST_MS = 120 * MS_PER_S, /* without a call; then all connections close */
};

void
loop_wake(struct upstream *u)
{
    if (u->loop == LOOP_RUNS && !u->woken) {
        u->woken = true;
        (void)curl_multi_wakeup(u->multi);
    }
}

struct upstream_limits
loop_limits(struct upstream *u)
{
    struct upstream_limits limits;

    (void)pthread_mutex_lock(&u->gate.lock);
    limits = u->limits;
    (void)pthread_mutex_unlock(&u->gate.lock);
    return limits;
}

/* One list for both, so that order is kept. */
static bool
take_inbox(struct upstream *u)
{
    bool stop;

    (void)pthread_mutex_lock(&u->gate.lock);
    TAILQ_CONCAT(&u->calls, &u->inbox, link);
    stop = u->stop;
    u->woken = false;
    (void)pthread_mutex_unlock(&u->gate.lock);
    return stop;
}

static void
end_call(struct upstream *u, struct upstream_call *call, CURLcode code,
         enum ag_err err)
{
    if (call->state == CALL_RUNNING) {
        (void)curl_multi_remove_handle(u->multi, call->easy);
        u->running_count--;
    }
    TAILQ_REMOVE(&u->calls, call, link);
    (void)pthread_mutex_lock(&u->gate.lock);
    u->unended_count--;
    (void)pthread_mutex_unlock(&u->gate.lock);
    call_end(call, code, err);
    call_release(call);
}

static int64_t
running_at_host(const struct upstream *u, const struct upstream_call *like)
{
    const struct upstream_call *call = TAILQ_FIRST(&u->calls);
    int64_t count = 0;

    for (; call != NULL; call = TAILQ_NEXT(call, link)) {
        count += call->state == CALL_RUNNING &&
                 call->parts.port == like->parts.port &&
                 strcmp(call->parts.host.text, like->parts.host.text) == 0;
    }
    return count;
}

static void
run_call(struct upstream *u, struct upstream_call *call)
{
    enum ag_err err = easy_trust(call->easy, u->ca_file);

    if (err == AG_OK &&
        curl_multi_add_handle(u->multi, call->easy) != CURLM_OK) {
        err = AG_ENOMEM;
    }
    if (err != AG_OK) {
        end_call(u, call, CURLE_OK, err);
        return;
    }
    call->state = CALL_RUNNING;
    call->begun_ms = clock_steady_ms();
    call->progress_ms = call->begun_ms;
    u->running_count++;
}

static void
serve_call(struct upstream *u, struct upstream_call *call,
           const struct upstream_limits *limits)
{
    CURLcode code = CURLE_OK;

    if (!call_may_go_on(call)) {
        end_call(u, call, CURLE_ABORTED_BY_CALLBACK, AG_EINTERNAL);
        return;
    }
    switch (call->state) {
    case CALL_WAITING:
        if (u->running_count < limits->calls &&
            running_at_host(u, call) < limits->calls_per_host) {
            run_call(u, call);
        }
        break;
    case CALL_RUNNING:
        if (atomic_exchange(&call->resume, false)) {
            code = call_unpause(call);
        }
        if (code != CURLE_OK) {
            end_call(u, call, code, AG_OK);
        }
        break;
    case CALL_ENDED:
        break;
    }
}

static void
serve_all(struct upstream *u)
{
    struct upstream_limits limits = loop_limits(u);
    struct upstream_call *call = TAILQ_FIRST(&u->calls);

    while (call != NULL) {
        struct upstream_call *next = TAILQ_NEXT(call, link);

        serve_call(u, call, &limits);
        call = next;
    }
}

/* Did one end? Then a waiting one may begin. */
static bool
take_ends(struct upstream *u)
{
    const CURLMsg *message;
    bool any = false;
    int left = 0;

    while ((message = curl_multi_info_read(u->multi, &left)) != NULL) {
        struct upstream_call *call = NULL;
        CURLcode code = message->data.result;
        enum ag_err err = AG_OK;

        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) ==
                CURLE_OK) {
            err = code == CURLE_OK ? call_keep_socket(call) : AG_OK;
            end_call(u, call, code, err);
            any = true;
        }
    }
    return any;
}

static void
tell_turn(struct upstream *u)
{
    struct upstream_call *call = NULL;

    TAILQ_FOREACH(call, &u->calls, link)
    {
        call_turn(call);
    }
}

/* Ends who is late; the next time to look, INT64_MAX if never. */
static int64_t
end_late(struct upstream *u)
{
    struct upstream_call *call = TAILQ_FIRST(&u->calls);
    int64_t now_ms = clock_steady_ms();
    int64_t next_ms = INT64_MAX;

    while (call != NULL) {
        struct upstream_call *following = TAILQ_NEXT(call, link);
        const char *host = call->parts.host.text;
        bool whole = false;
        int64_t late_ms = call_late_ms(call, &whole);
        int64_t look_ms = INT64_MAX;

        if (call_is_left(call, &look_ms)) {
            end_call(u, call, CURLE_OK, AG_OK);
            call = following;
            continue;
        }
        next_ms = look_ms < next_ms ? look_ms : next_ms;
        if (late_ms > now_ms) {
            next_ms = late_ms < next_ms ? late_ms : next_ms;
        } else if (call->state == CALL_WAITING) {
            end_call(
                u, call, CURLE_OK,
                err_why(AG_EBUSY, "%s: too many calls before this one", host));
        } else {
            end_call(u, call, CURLE_OK, fail_late(call->phase, whole, host));
        }
        call = following;
    }
    return next_ms;
}

/* Nothing to do, for long enough, and nothing came in between? */
static bool
leave_if_at_rest(struct upstream *u, int64_t rest_ms)
{
    bool leave = false;

    if (!TAILQ_EMPTY(&u->calls) || clock_steady_ms() < rest_ms) {
        return false;
    }
    (void)pthread_mutex_lock(&u->gate.lock);
    if (TAILQ_EMPTY(&u->inbox)) {
        u->loop = LOOP_GONE;
        leave = true;
    }
    (void)pthread_mutex_unlock(&u->gate.lock);
    return leave;
}

static int
wait_ms(int64_t next_ms)
{
    int64_t left_ms = next_ms - clock_steady_ms();

    left_ms = left_ms < 0 ? 0 : left_ms;
    return (int)(left_ms < REST_MS ? left_ms : REST_MS);
}

static void
run_loop(struct upstream *u)
{
    int64_t rest_ms = clock_steady_ms() + REST_MS;
    int running = 0;
    bool stop;

    do {
        int64_t next_ms;
        bool any;

        stop = take_inbox(u);
        serve_all(u);
        if (!TAILQ_EMPTY(&u->calls)) {
            rest_ms = clock_steady_ms() + REST_MS;
        }
        (void)curl_multi_perform(u->multi, &running);
        any = take_ends(u);
        tell_turn(u);
        if (any) {
            continue;
        }
        next_ms = end_late(u);
        if (stop || leave_if_at_rest(u, rest_ms)) {
            break;
        }
        next_ms = next_ms < rest_ms ? next_ms : rest_ms;
        (void)curl_multi_poll(u->multi, NULL, 0, wait_ms(next_ms), NULL);
    } while (true);
}

static void *
loop_main(void *arg)
{
    struct upstream *u = arg;

    /* Takes no lock after it: who finds LOOP_GONE joins under the lock. */
    run_loop(u);
    (void)curl_multi_cleanup(AG_TAKE(u->multi));
    return NULL;
}

/* Under the lock: one call at a time on a connection. */
static enum ag_err
open_multi(struct upstream *u)
{
    CURLM *multi = curl_multi_init();

    if (multi == NULL) {
        return AG_ENOMEM;
    }
    if (curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) !=
            CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                          (long)u->limits.connections) != CURLM_OK) {
        (void)curl_multi_cleanup(multi);
        return AG_ENOMEM;
    }
    u->multi = multi;
    return AG_OK;
}

enum ag_err
loop_need(struct upstream *u)
{
    enum ag_err err;

    if (u->loop == LOOP_RUNS) {
        return AG_OK;
    }
    if (u->loop == LOOP_GONE) {
        /* It only lets go of its handle now, and needs no lock for that. */
        (void)pthread_join(u->thread, NULL);
        u->loop = LOOP_NONE;
    }
    err = open_multi(u);
    if (err != AG_OK) {
        return err;
    }
    if (pthread_create(&u->thread, NULL, loop_main, u) != 0) {
        (void)curl_multi_cleanup(AG_TAKE(u->multi));
        return AG_ENOMEM;
    }
    u->loop = LOOP_RUNS;
    return AG_OK;
}
