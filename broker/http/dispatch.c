#include "http/dispatch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "caller/class.h"
#include "caller/toll.h"
#include "core/live.h"
#include "http/decode.h"
#include "http/work.h"

static const char STOPPING[] = "the broker is stopping";

struct dispatch {
    struct dispatch_parts parts;
    _Atomic int64_t bad_tokens_per_minute;
    atomic_bool draining;
    struct toll *toll;
    struct work *slow;
    struct work *wait;
    struct work *hide;
    struct work *rotate;
    pthread_mutex_t lock; /* over away_count */
    pthread_cond_t settled;
    size_t away_count; /* suspended requests */
};

enum ag_err
dispatch_new(const struct dispatch_parts *parts,
             const struct http_limits *limits, struct dispatch **ret)
{
    struct dispatch *d = calloc(1, sizeof(*d));
    enum ag_err err;

    if (d == NULL) {
        return AG_ENOMEM;
    }
    d->parts = *parts;
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->settled, NULL);
    dispatch_set_limits(d, limits);
    err = toll_new(&d->toll);
    if (err == AG_OK) {
        err = work_new(HTTP_SLOW_MAX_COUNT, &d->slow);
    }
    if (err == AG_OK) {
        err = work_new(HTTP_WAIT_MAX_COUNT, &d->wait);
    }
    if (err == AG_OK) {
        err = work_new(HTTP_HIDE_MAX_COUNT, &d->hide);
    }
    if (err == AG_OK) {
        err = work_new(HTTP_ROTATE_MAX_COUNT, &d->rotate);
    }
    if (err != AG_OK) {
        dispatch_free(d);
        return err;
    }
    *ret = d;
    return AG_OK;
}

void
dispatch_free(struct dispatch *d)
{
    if (d == NULL) {
        return;
    }
    work_free(d->slow);
    work_free(d->wait);
    work_free(d->hide);
    work_free(d->rotate);
    toll_free(d->toll);
    (void)pthread_cond_destroy(&d->settled);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

void
dispatch_set_limits(struct dispatch *d, const struct http_limits *limits)
{
    atomic_store(&d->bad_tokens_per_minute, limits->bad_tokens_per_minute);
}

void
dispatch_drain(struct dispatch *d)
{
    (void)pthread_mutex_lock(&d->lock);
    atomic_store(&d->draining, true);
    (void)pthread_mutex_unlock(&d->lock);
}

void
dispatch_settle(struct dispatch *d)
{
    (void)pthread_mutex_lock(&d->lock);
    while (d->away_count > 0) {
        (void)pthread_cond_wait(&d->settled, &d->lock);
    }
    (void)pthread_mutex_unlock(&d->lock);
}

/* ---- what the row demands ---- */

static enum ag_err
check_socket(const struct request *rq)
{
    if ((rq->route->sockets & rq->conn->socket) != 0) {
        return AG_OK;
    }
    return err_why(AG_EDENIED,
                   (rq->route->sockets & HTTP_ADMIN) != 0
                       ? "this is for the operator: it is not served on a "
                         "task's socket"
                       : "this resource is not served on this socket");
}

static enum ag_err
check_open(const struct route *row, enum vault_state state)
{
    if ((row->flags & ROUTE_OPEN) == 0) {
        return AG_OK;
    }
    switch (state) {
    case VAULT_ABSENT:
        return AG_ENOVAULT;
    case VAULT_LOCKED:
        return AG_ELOCKED;
    case VAULT_OPEN:
        return AG_OK;
    }
    return AG_EINTERNAL;
}

static bool
is_token_refusal(enum ag_err err)
{
    return err == AG_ETOKEN || err == AG_ENOTOKEN || err == AG_EREVOKED ||
           err == AG_EEXPIRED || err == AG_EUSEDUP || err == AG_EPROCESS ||
           err == AG_EUNTRACED || err == AG_ERENEWED || err == AG_ECLONED;
}

/* Who asks. While the vault is not open no token can be known, and what needs
 * no vault is answered without looking at one. */
static enum ag_err
admit(struct dispatch *d, struct request *rq, const struct dispatch_input *in,
      enum vault_state state)
{
    const struct server_app *app = &d->parts.app;
    struct span token = state == VAULT_OPEN ? in->token : (struct span){0};
    int64_t now_ms = clock_steady_ms();
    pid_t pid = rq->conn->pid;
    enum ag_err err = AG_OK;

    if (state == VAULT_OPEN && in->token_err != AG_OK) {
        return in->token_err;
    }
    if (token.len > 0) {
        err = toll_check(d->toll, pid, atomic_load(&d->bad_tokens_per_minute),
                         now_ms);
    }
    if (err != AG_OK) {
        return err;
    }
    err = app->admit(app->ctx, rq->conn->peer, token,
                     (rq->route->flags & ROUTE_RENEWS) != 0, &rq->call);
    rq->admitted = err == AG_OK;
    if (token.len > 0 && is_token_refusal(err)) {
        toll_add(d->toll, pid, now_ms);
    }
    return err;
}

static enum ag_err
check_role(const struct request *rq)
{
    unsigned int role =
        rq->call.token != NULL ? (unsigned int)rq->call.token->role : 0;

    if (role != 0 && (rq->route->roles >> role & 1U) != 0) {
        return AG_OK;
    }
    return err_why(AG_EDENIED, "a role token of this kind may not do that");
}

/* The refusal that says what would help. */
static enum ag_err
check_caller(const struct request *rq)
{
    unsigned int may = rq->route->callers;
    enum caller_class who = rq->call.who;

    if (caller_may(who, may)) {
        return who == CALLER_SERVICE ? check_role(rq) : AG_OK;
    }
    if (who == CALLER_OPERATOR && (may & CALLER_MAY_PROOF) != 0) {
        return AG_EPROOF;
    }
    if (who == CALLER_NEIGHBOUR && (may & CALLER_MAY_OPERATOR) != 0) {
        return AG_EOPERATOR;
    }
    return err_why(AG_EDENIED, "a caller of class %s may not do that",
                   caller_class_name(who));
}

static enum ag_err
check_token(const struct request *rq)
{
    if ((rq->route->flags & ROUTE_TOKEN) != 0 && rq->call.token == NULL) {
        return err_why(AG_ENOTOKEN, "this needs a token");
    }
    return AG_OK;
}

/* ---- the work ---- */

static void
finish(struct request *rq, enum ag_err err, const char *why)
{
    if (err != AG_OK) {
        reply_problem(rq, err, why);
    }
    atomic_store_explicit(&rq->phase, REQUEST_READY, memory_order_release);
}

/* From here the request is another thread's; not so (false) when the broker
 * began to stop meanwhile. */
static bool
send_away(struct dispatch *d, struct request *rq)
{
    bool stopping;

    (void)pthread_mutex_lock(&d->lock);
    stopping = atomic_load(&d->draining);
    d->away_count += stopping ? 0 : 1;
    (void)pthread_mutex_unlock(&d->lock);
    if (stopping) {
        finish(rq, AG_EBUSY, STOPPING);
        return false;
    }
    atomic_store_explicit(&rq->phase, REQUEST_AT_WORK, memory_order_relaxed);
    d->parts.suspend(rq);
    return true;
}

/* The reply is there; MHD's thread will send it. */
static void
bring_back(struct request *rq)
{
    struct dispatch *d = rq->dispatch;

    d->parts.resume(rq);
    (void)pthread_mutex_lock(&d->lock);
    d->away_count--;
    if (d->away_count == 0) {
        (void)pthread_cond_broadcast(&d->settled);
    }
    (void)pthread_mutex_unlock(&d->lock);
}

/* On a work thread. */
static void
step_run(struct request *rq)
{
    enum ag_err err;

    err_clear();
    err = rq->route->run(rq);
    finish(rq, err, err_text(err));
    bring_back(rq);
}

/* On the writer thread, inside its transaction. */
static enum ag_err
job_run(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct request *rq = (struct request *)job; /* its first member */
    handler_fn run = rq->route->durable;
    enum ag_err err;

    (void)core;
    if (run == NULL) {
        run = rq->route->run;
    }
    rq->tx = tx;
    err = run(rq);
    rq->tx = NULL;
    return err;
}

/* On a work thread, since it waits for the filter. All that the writer made
 * meanwhile is put in force by the first of those who wait. */
static void
step_hide(struct request *rq)
{
    const struct server_app *app = &rq->dispatch->parts.app;
    enum ag_err err = AG_OK;

    err_clear();
    err = app->hide(app->ctx);
    /* What a person is given is none of a task's output. */
    if ((rq->route->flags & ROUTE_GIVES) != 0 &&
        rq->call.who != CALLER_OPERATOR && rq->call.who != CALLER_PROOF) {
        finish(rq, err, err_text(err));
    }
    bring_back(rq);
}

/* Must the reply wait for the filter? */
static bool
must_hide(const struct request *rq)
{
    const struct server_app *app = &rq->dispatch->parts.app;

    return (rq->route->flags & ROUTE_HIDE) != 0 ||
           ((rq->route->flags & ROUTE_GIVES) != 0 && app->must_hide(app->ctx));
}

static void
job_done(struct core *core, struct core_job *job)
{
    struct request *rq = (struct request *)job;

    (void)core;
    finish(rq, job->err, err_text(job->err));
    rq->step = step_hide;
    if (job->err != AG_OK || !must_hide(rq)) {
        bring_back(rq);
    } else if (work_push(rq->dispatch->hide, rq) != AG_OK) {
        if ((rq->route->flags & ROUTE_GIVES) != 0) {
            finish(rq, AG_EBUSY, err_text(AG_EBUSY));
        }
        bring_back(rq);
    }
}

/* What was waited for is there, or can't be. On another module's thread, which
 * it must not hold up. */
static void
await_done(struct mint_wait *wait, enum ag_err err)
{
    struct request *rq =
        (struct request *)(void *)((char *)wait -
                                   offsetof(struct request, mint));
    const struct server_app *app = &rq->dispatch->parts.app;

    if (err != AG_OK) {
        finish(rq, err, err_text(err));
        bring_back(rq);
        return;
    }
    app->write(app->ctx, &rq->job);
}

/* These three: whether the reply is there already. */
static bool
hand_to_writer(struct dispatch *d, struct request *rq)
{
    bool waits = false;
    enum ag_err err = AG_OK;

    rq->job.run = job_run;
    rq->job.done = job_done;
    rq->mint.done = await_done;
    if (!send_away(d, rq)) {
        return true;
    }
    if (rq->await != NULL) {
        err = rq->await(rq, &waits); /* waits: from here it is another's */
    }
    if (!waits) {
        await_done(&rq->mint, err);
    }
    return false;
}

static bool
hand_to_work(struct dispatch *d, struct work *work, struct request *rq)
{
    enum ag_err err;

    rq->step = step_run;
    if (!send_away(d, rq)) {
        return true;
    }
    err = work_push(work, rq);
    if (err != AG_OK) {
        finish(rq, err, err_text(err));
        bring_back(rq);
    }
    return false;
}

static bool
run_here(struct dispatch *d, struct request *rq)
{
    enum ag_err err = rq->route->run(rq);

    if (err == AG_EBUSY && rq->route->durable != NULL) {
        return hand_to_writer(d, rq);
    }
    finish(rq, err, err_text(err));
    return true;
}

static enum ag_err
check_request(struct dispatch *d, struct request *rq,
              const struct dispatch_input *in)
{
    const struct server_app *app = &d->parts.app;
    enum vault_state state;
    enum ag_err err;

    if (atomic_load(&d->draining)) {
        rq->reply.close = true;
        return err_why(AG_EBUSY, "%s", STOPPING);
    }
    err = route_find(&d->parts.routes, in->method, in->path, rq);
    if (err == AG_OK) {
        err = check_socket(rq);
    }
    if (err != AG_OK) {
        return err;
    }
    state = app->state(app->ctx);
    err = check_open(rq->route, state);
    if (err == AG_OK) {
        err = admit(d, rq, in, state);
    }
    if (err == AG_OK) {
        err = check_caller(rq);
    }
    if (err == AG_OK) {
        err = check_token(rq);
    }
    if (err == AG_OK) {
        err = decode_query(rq, in->query, in->query_err);
    }
    return err == AG_OK ? decode_body(rq, in->content_type) : err;
}

/* Whoever only asks how things are keeps no vault open, nor does a neighbour,
 * of whom nothing is known. */
static void
note_use(struct dispatch *d, const struct request *rq)
{
    const struct server_app *app = &d->parts.app;

    if ((rq->route->flags & ROUTE_OPEN) != 0 &&
        rq->call.who != CALLER_NEIGHBOUR) {
        app->used(app->ctx);
    }
}

bool
dispatch_begin(struct dispatch *d, struct request *rq,
               struct dispatch_input *in)
{
    enum ag_err err;

    rq->dispatch = d;
    rq->core = d->parts.app.core;
    err = check_request(d, rq, in);
    json_decref(AG_TAKE(in->query));
    if (err != AG_OK) {
        finish(rq, err, err_text(err));
        return true;
    }
    note_use(d, rq);
    switch (rq->route->work) {
    case WORK_READ:
        return run_here(d, rq);
    case WORK_WRITE:
        return hand_to_writer(d, rq);
    case WORK_SLOW:
        return hand_to_work(d, d->slow, rq);
    case WORK_WAIT:
        return hand_to_work(d, d->wait, rq);
    case WORK_ROTATE:
        return hand_to_work(d, d->rotate, rq);
    }
    return true;
}

void
dispatch_end(struct dispatch *d, struct request *rq)
{
    const struct server_app *app = &d->parts.app;

    if (rq->admitted) {
        rq->admitted = false;
        app->leave(app->ctx, &rq->call);
    }
}
