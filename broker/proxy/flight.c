#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/access.h"
#include "core/core.h"
#include "proxy/answer.h"
#include "proxy/body_json.h"
#include "proxy/flight_impl.h"
#include "proxy/flight_login.h"
#include "proxy/flight_socket.h"
#include "proxy/later.h"
#include "proxy/shares.h"
#include "proxy/sieve.h"
#include "redact/matcher.h"
#include "redact/redactor.h"

enum ag_err
proxy_new(struct core *core, struct upstream *upstream, struct proxy **ret)
{
    AG_AUTO(proxy) struct proxy *proxy = calloc(1, sizeof(*proxy));
    enum ag_err err;

    if (proxy == NULL) {
        return AG_ENOMEM;
    }
    proxy->core = core;
    proxy->upstream = upstream;
    err = later_new(&proxy->later);
    if (err == AG_OK) {
        err = sieves_new(&proxy->sieves);
    }
    if (err == AG_OK) {
        err = shares_new(&proxy->shares);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(proxy);
    }
    return err;
}

void
proxy_free(struct proxy *proxy)
{
    if (proxy != NULL) {
        later_free(proxy->later);
        sieves_free(proxy->sieves);
        shares_free(proxy->shares);
    }
    free(proxy);
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

/* ---- its life ---- */

static const struct upstream_events EVENTS = {
    .on_send = flight_on_send,
    .on_head = flight_on_head,
    .on_body = flight_on_body,
    .on_turn = flight_on_turn,
    .on_end = flight_on_end,
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
    sieves_give(f->proxy->sieves, f->sieve);
    decode_free(f->decode);
    shares_give(f->proxy->shares, f->decoding);
    flight_head_free(f->head);
    matcher_unref(f->filter);
    backlog_done(&f->down);
    flight_login_free(f->login);
    flight_socket_free(f->socket);
    (void)pthread_mutex_destroy(&f->lock);
    free(f->up);
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
    backlog_init(&f->down, FLIGHT_DOWN_MAX_BYTES);
    if (request->body_bytes != PROXY_BODY_NONE) {
        f->up = malloc(FLIGHT_UP_BYTES);
        err = f->up == NULL
                  ? AG_ENOMEM
                  : permit_scan_new(proxy->core, flight_on_stray, f, &f->scan);
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

    f->sent = f->permit.sent;
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
    return err == AG_OK && f->socket != NULL ? flight_socket_prepare(f) : err;
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
    return err == AG_OK && f->permit.mint_id == 0
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
    if (err == AG_OK) {
        err = flight_socket_open(f, request);
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
        err = flight_login_decide(f, &ask, may_block);
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
