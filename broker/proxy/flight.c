#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/access.h"
#include "core/core.h"
#include "proxy/answer.h"
#include "proxy/body_json.h"
#include "proxy/flight_impl.h"
#include "proxy/flight_login.h"
#include "proxy/later.h"
#include "redact/matcher.h"
#include "redact/redactor.h"

enum {
    DOWN_BYTES = 128 * 1024, /* of an answer's: more is not read */
    /* What the filter may let out at once on top: a line and a part of 64 KiB
     * each, and markers for what is shorter. */
    DOWN_MAX_BYTES = 4 * DOWN_BYTES,
    WHY_BYTES = 200,
    STATUS_NO_CONTENT = 204,
    STATUS_NOT_MODIFIED = 304,
};

enum ag_err
proxy_new(struct core *core, struct upstream *upstream, struct proxy **ret)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));

    if (proxy == NULL || later_new(&proxy->later) != AG_OK) {
        free(proxy);
        return AG_ENOMEM;
    }
    proxy->core = core;
    proxy->upstream = upstream;
    *ret = proxy;
    return AG_OK;
}

void
proxy_free(struct proxy *proxy)
{
    if (proxy != NULL) {
        later_free(proxy->later);
        free(proxy);
    }
}

void
flight_fail(struct flight *f, enum ag_err err, const char *why)
{
    (void)pthread_mutex_lock(&f->lock);
    f->cut = true;
    f->ended = true;
    f->err = f->err == AG_OK ? err : f->err;
    (void)pthread_mutex_unlock(&f->lock);
    f->client.fail(f->client.arg, err, why);
}

/* ---- down: the answer ---- */

static enum ag_err
on_filtered(void *ctx, struct span part)
{
    struct flight *f = ctx;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    err = backlog_add(&f->down, part);
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}

static void
head_free(struct proxy_head *head)
{
    if (head != NULL) {
        proxy_head_done(head);
        free(head);
    }
}

static void
tell_answer(struct flight *f)
{
    const struct proxy_answer answer = {
        .status = f->status,
        .body_bytes = f->head->body_bytes,
        .fields = f->head->fields,
        .field_count = f->head->field_count,
    };

    f->client.answer(f->client.arg, &answer);
    head_free(AG_TAKE(f->head));
}

static enum ag_err
start_answer(struct flight *f, const struct upstream_head *head)
{
    const struct redactor_options options = {.audience = REDACTOR_TASK,
                                             .marker = PROXY_MARKER};
    const struct sink sink = {.ctx = f, .feed = on_filtered};
    enum ag_err err = AG_ENOMEM;

    f->head = calloc(1, sizeof(*f->head));
    if (f->head == NULL) {
        return err;
    }
    err = answer_head(head, f->filter, f->head);
    if (err == AG_OK) {
        err = redactor_new(&options, &sink, &f->redactor);
    }
    if (err == AG_OK) {
        err = redactor_use(f->redactor, f->filter);
    }
    if (err == AG_OK) {
        f->has_head = true;
        f->status = head->status;
        f->body_bytes = f->head->body_bytes;
    }
    return err;
}

/*
 * A client that has its whole answer ends the flight, and with it what of its
 * own body is not out yet: the service may have answered early. So the last of
 * the answer waits for the call's end: the head when there is no body, else the
 * body's last byte (give_some()).
 */
static void
on_head(void *ctx, const struct upstream_head *head)
{
    struct flight *f = ctx;
    enum ag_err err = AG_OK;

    err_clear();
    if (flight_login_refused(f, head->status)) {
        return;
    }
    err = start_answer(f, head);
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
    } else if (f->body_bytes != 0 && f->status != STATUS_NO_CONTENT &&
               f->status != STATUS_NOT_MODIFIED) {
        tell_answer(f);
    }
}

static enum upstream_flow
on_body(void *ctx, struct span part)
{
    struct flight *f = ctx;
    bool full = false;
    bool cut = false;
    enum ag_err err = AG_OK;

    if (f->swallows) {
        return UPSTREAM_GO;
    }
    (void)pthread_mutex_lock(&f->lock);
    cut = f->cut;
    full = backlog_waiting_bytes(&f->down) >= DOWN_BYTES;
    f->down_waits = full && !cut;
    (void)pthread_mutex_unlock(&f->lock);
    if (cut) {
        return UPSTREAM_GO; /* read for nothing until it is cancelled */
    }
    if (full) {
        return UPSTREAM_WAIT;
    }
    err = permit_meter_add(f->meter, part.len);
    if (err == AG_OK) {
        err = redactor_feed(f->redactor, part);
    }
    if (err != AG_OK) {
        flight_fail(f, err, err_text(err));
    }
    f->client.wake(f->client.arg);
    return UPSTREAM_GO;
}

static void
on_end(void *ctx, enum ag_err err)
{
    struct flight *f = ctx;
    char why[WHY_BYTES];

    if (f->swallows) {
        return;
    }
    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    if (err == AG_OK && f->has_head && f->redactor != NULL) {
        err = redactor_finish(f->redactor);
    }
    if (!f->has_head || (err != AG_OK && f->head != NULL)) {
        flight_fail(f, err != AG_OK ? err : AG_EUPSTREAM, why);
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    f->ended = true;
    f->err = f->err == AG_OK ? err : f->err;
    (void)pthread_mutex_unlock(&f->lock);
    if (f->head != NULL) {
        tell_answer(f);
    }
    f->client.wake(f->client.arg);
}

/* Under the lock: line ends for what the markers saved of a length. */
static ssize_t
give_rest(struct flight *f, uint8_t *into, size_t room)
{
    int64_t left = f->body_bytes - f->given_bytes;

    if (f->body_bytes < 0 || left <= 0) {
        return PROXY_END;
    }
    room = left < (int64_t)room ? (size_t)left : room;
    memset(into, '\n', room);
    f->given_bytes += (int64_t)room;
    return (ssize_t)room;
}

/* Under the lock. */
static ssize_t
give_some(struct flight *f, uint8_t *into, size_t room)
{
    size_t n = 0;

    if (f->cut) {
        return PROXY_BROKEN;
    }
    if (!f->ended && f->body_bytes > 0 &&
        f->body_bytes - f->given_bytes <= (int64_t)room) {
        room = (size_t)(f->body_bytes - f->given_bytes - 1);
    }
    n = backlog_give(&f->down, into, room);
    if (n == 0 && f->ended) {
        return f->err == AG_OK ? give_rest(f, into, room) : PROXY_BROKEN;
    }
    f->given_bytes += (int64_t)n;
    return (ssize_t)n; /* 0 is PROXY_WAIT */
}

ssize_t
flight_give(struct flight *f, uint8_t *into, size_t room)
{
    ssize_t n = 0;
    bool asks = false;

    (void)pthread_mutex_lock(&f->lock);
    n = give_some(f, into, room);
    asks = f->down_waits && backlog_waiting_bytes(&f->down) < DOWN_BYTES / 2;
    f->down_waits = f->down_waits && !asks;
    (void)pthread_mutex_unlock(&f->lock);
    if (asks) {
        flight_resume(f);
    }
    return n;
}

/* ---- its life ---- */

static const struct upstream_events EVENTS = {
    .on_send = flight_on_send,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
};

static void
flight_free(struct flight *f)
{
    if (f == NULL) {
        return;
    }
    rebuilt_done(&f->rebuilt);
    permit_done(&f->permit);
    permit_meter_free(f->meter);
    body_json_free(f->json);
    permit_scan_free(f->scan);
    redactor_free(f->redactor);
    head_free(f->head);
    matcher_unref(f->filter);
    backlog_done(&f->down);
    flight_login_free(f->login);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

AG_DEFINE_CLEANUP(flight, flight_free)

bool
flight_is_out(struct flight *f)
{
    bool is_out = false;

    (void)pthread_mutex_lock(&f->lock);
    is_out = f->out != NULL;
    (void)pthread_mutex_unlock(&f->lock);
    return is_out;
}

struct upstream_call *
flight_take_out(struct flight *f)
{
    struct upstream_call *out = NULL;

    (void)pthread_mutex_lock(&f->lock);
    out = AG_TAKE(f->out);
    (void)pthread_mutex_unlock(&f->lock);
    return out;
}

void
flight_resume(struct flight *f)
{
    struct upstream_call *out = NULL;

    (void)pthread_mutex_lock(&f->lock);
    out = f->out;
    (void)pthread_mutex_unlock(&f->lock);
    if (out != NULL) {
        upstream_resume(out);
    }
}

/* Under the lock: no event of the call finds it half sent. */
enum ag_err
flight_send(struct flight *f)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    err = upstream_start(f->proxy->upstream, &f->request, &EVENTS, f, &f->out);
    rebuilt_done(&f->rebuilt);
    permit_done(&f->permit); /* the call has copies of its own */
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}

/* A body that fits is searched whole before a byte of the request goes out. */
enum ag_err
flight_launch(struct flight *f)
{
    bool done = false;
    enum ag_err err = flight_login_launch(f, &done);

    return err == AG_OK && !done ? flight_send(f) : err;
}

static enum ag_err
make(struct proxy *proxy, const struct proxy_request *request,
     const struct proxy_client *client, struct flight **ret)
{
    AG_AUTO(flight) struct flight *f = calloc(1, sizeof(*f));
    enum ag_err err = AG_OK;

    if (f == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&f->lock, NULL);
    f->proxy = proxy;
    f->client = *client;
    backlog_init(&f->down, DOWN_MAX_BYTES);
    if (request->body_bytes != PROXY_BODY_NONE) {
        err = permit_scan_new(proxy->core, flight_on_stray, f, &f->scan);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(f);
    }
    return err;
}

enum ag_err
flight_prepare(struct flight *f, const struct request_ask *ask,
               int64_t body_bytes)
{
    enum ag_err err = rebuild(ask, &f->permit, &f->rebuilt);

    f->login_id = f->permit.login_id;
    f->login_version = f->permit.login_version;
    f->filter = matcher_ref(f->permit.filter);
    f->meter = AG_TAKE(f->permit.meter);
    f->request = (struct upstream_request){
        .method = ask->method,
        .host = span_str(f->permit.host),
        .port = f->permit.port,
        .target = buf_view(&f->rebuilt.target),
        .fields = f->rebuilt.fields,
        .field_count = f->rebuilt.field_count,
        .body_bytes = body_bytes,
        .owner = (uint32_t)f->permit.task_id,
        .flags = (f->permit.plain ? UPSTREAM_PLAIN : 0U) |
                 (f->permit.inner ? UPSTREAM_INNER : 0U),
    };
    return err;
}

static bool
has_body(const struct proxy_request *request)
{
    return request->body_bytes > 0 || request->body_bytes == PROXY_BODY_CHUNKED;
}

enum ag_err
flight_decide(struct flight *f, const struct permit_ask *ask, bool may_block)
{
    enum ag_err err =
        permit_decide(f->proxy->core, ask, !may_block, &f->permit);

    if (err == AG_OK && f->permit.in_body) {
        return body_json_new(ask, &f->json);
    }
    return err == AG_OK
               ? flight_prepare(f, &ask->request, f->request.body_bytes)
               : err;
}

enum ag_err
flight_begin(struct proxy *proxy, const struct proxy_request *request,
             bool may_block, const struct proxy_client *client,
             struct flight **ret)
{
    AG_AUTO(flight) struct flight *f = NULL;
    struct target target = {0};
    struct call call = {0};
    bool holds = false;
    struct permit_ask ask = {
        .request = {.method = request->method,
                    .fields = request->fields,
                    .field_count = request->field_count},
    };
    enum ag_err err = target_read(request->target, &target);

    /* First who asks, and that the vault is open: all else needs its keys. */
    if (err == AG_OK) {
        err = access_caller(proxy->core, request->peer, &call);
    }
    if (err == AG_OK) {
        err = make(proxy, request, client, &f);
    }
    if (err != AG_OK) {
        return err;
    }
    f->call = call;
    ask.call = &f->call;
    ask.path_task_id = target.task_id;
    ask.service = target.service;
    ask.via = request->via;
    ask.request.path = target.path;
    ask.request.query = target.query;
    ask.request.body_follows = has_body(request);
    err = flight_login_open(f, request, &ask, &holds);
    if (err == AG_OK && !holds) {
        err = flight_decide(f, &ask, may_block);
    }
    /* A body that is to be sent again must be known to be whole: of one that is
     * empty flight_taken() tells. */
    if (err == AG_OK && f->login == NULL && !has_body(request)) {
        err = flight_launch(f);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(f);
    }
    return err;
}

bool
flight_wanted(struct flight *f)
{
    return permit_stands(f->proxy->core, f->call.task_id);
}

void
flight_cut(struct flight *f)
{
    flight_fail(f, AG_EREVOKED, "the task, or its client, is gone");
}

void
flight_end(struct flight *f)
{
    if (f != NULL) {
        flight_login_end(f);
        upstream_cancel(flight_take_out(f));
        flight_free(f);
    }
}
