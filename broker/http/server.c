#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "caller/peer.h"
#include "http/answer.h"
#include "http/conn.h"
#include "http/dispatch.h"
#include "http/gate.h"
#include "http/given.h"
#include "http/pass.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/worker.h"

enum {
    WORKERS_COUNT = 2,
    STATUS_CLASSES_COUNT = 6, /* 0, 1xx … 5xx */
};

struct server {
    struct server_app app;
    struct conns *conns;
    struct dispatch *dispatch;
    struct passes *passes; /* NULL: nothing is passed on */
    atomic_bool draining;
    struct worker *workers[WORKERS_COUNT];
    atomic_uint next;     /* whose the next connection of nobody is */
    pthread_mutex_t lock; /* of those who wait for `idle` */
    pthread_cond_t idle;
    atomic_size_t active_count; /* requests between first call and completion */
    atomic_bool waiting;        /* somebody wants to know when it is 0 */
    _Atomic int64_t drain_s;
    atomic_uint_fast64_t answered[STATUS_CLASSES_COUNT];
};

/* ---- counting what is under way ---- */

static void
count_begun(struct server *s)
{
    atomic_fetch_add(&s->active_count, 1);
}

static void
count_ended(struct server *s)
{
    if (atomic_fetch_sub(&s->active_count, 1) == 1 &&
        atomic_load(&s->waiting)) {
        (void)pthread_mutex_lock(&s->lock);
        (void)pthread_cond_broadcast(&s->idle);
        (void)pthread_mutex_unlock(&s->lock);
    }
}

static enum MHD_Result
send_reply(struct server *s, struct request *rq)
{
    size_t class = (size_t)rq->reply.status / 100;

    atomic_fetch_add(&s->answered[class < STATUS_CLASSES_COUNT ? class : 0], 1);
    /* MHD_NO, for want of memory, closes the connection. */
    return answer_queue(rq->mhd, rq) == AG_OK ? MHD_YES : MHD_NO;
}

/* ---- a request's steps, as MHD calls for them ---- */

static struct conn *
conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

/* MHD shows the target before anything else; what is passed on needs it as it
 * came. The result is the first *con_cls. */
static void *
on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct server *s = cls;
    struct conn *c = conn_of(mhd);
    struct pass *pass = NULL;

    if (c == NULL || s->passes == NULL || c->socket == HTTP_ADMIN ||
        !pass_is_target(c, target) || atomic_load(&s->draining) ||
        pass_new(s->passes, mhd, c, target, &pass) != AG_OK) {
        return NULL;
    }
    c->pass = pass;
    return pass;
}

static enum MHD_Result
begin_request(struct server *s, struct MHD_Connection *mhd, void **con_cls)
{
    struct request *rq = NULL;
    struct conn *c = conn_of(mhd);

    /* A connection that isn't in the table was not checked by anybody; what
     * comes to the client's proxy is never for us. */
    if (c == NULL || c->via != REQUEST_REVERSE ||
        request_new(s, &rq) != AG_OK) {
        return MHD_NO;
    }
    rq->mhd = mhd;
    rq->conn = c;
    *con_cls = rq;
    count_begun(s);
    return MHD_YES;
}

static enum MHD_Result
take_body(struct request *rq, const char *data, size_t *size)
{
    enum ag_err err = buf_add(&rq->raw_body, span_of(data, *size));

    given_wipe(data, *size);
    *size = 0;
    return err == AG_OK ? MHD_YES : MHD_NO;
}

/* Whether the reply is there now; if not, `rq` is another thread's. */
static bool
dispatch_request(struct server *s, struct request *rq, const char *url,
                 const char *method)
{
    struct dispatch_input in = {.method = method, .path = span_str(url)};
    struct MHD_Connection *mhd = rq->mhd;
    const char *secret;
    bool ready;

    err_clear();
    secret = given_token(mhd, &in);
    in.content_type = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND,
                                                  MHD_HTTP_HEADER_CONTENT_TYPE);
    (void)MHD_get_connection_values_n(mhd, MHD_GET_ARGUMENT_KIND, given_query,
                                      &in);
    ready = dispatch_begin(s->dispatch, rq, &in);
    if (secret != NULL) {
        given_wipe(secret, strlen(secret));
    }
    return ready;
}

/* The same pointer holds a request or a pass: the connection knows which. */
static struct pass *
pass_of(struct MHD_Connection *mhd, const void *con_cls)
{
    const struct conn *c = conn_of(mhd);

    return c != NULL && c->pass == con_cls ? c->pass : NULL;
}

static void
end_pass(struct server *s, struct pass *pass, struct conn *c)
{
    size_t class = (size_t)pass_status(pass) / 100;

    atomic_fetch_add(&s->answered[class < STATUS_CLASSES_COUNT ? class : 0], 1);
    c->pass = NULL;
    gate_completed(c);
    pass_free(pass);
}

/*
 * MHD calls once with the head, then with each part of the body, then without
 * one: only there it may be answered, or it would close the connection.
 */
/* The signature is libmicrohttpd's. */
static enum MHD_Result // NOLINTNEXTLINE(readability-function-size)
on_access(void *cls, struct MHD_Connection *mhd, const char *url,
          const char *method, const char *version, const char *upload_data,
          size_t *upload_data_size, void **con_cls)
{
    struct server *s = cls;
    struct request *rq = *con_cls;

    (void)version;
    if (rq == NULL) {
        return begin_request(s, mhd, con_cls);
    }
    if (pass_of(mhd, *con_cls) != NULL) {
        return pass_step(*con_cls, method, upload_data, upload_data_size)
                   ? MHD_YES
                   : MHD_NO;
    }
    if (*upload_data_size > 0) {
        return take_body(rq, upload_data, upload_data_size);
    }
    if (atomic_load_explicit(&rq->phase, memory_order_acquire) ==
            REQUEST_BODY &&
        !dispatch_request(s, rq, url, method)) {
        return MHD_YES; /* suspended: called again when it is resumed */
    }
    return send_reply(s, rq);
}

static void
on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
             enum MHD_RequestTerminationCode code)
{
    struct server *s = cls;
    struct request *rq = *con_cls;

    (void)code;
    if (rq == NULL) {
        return;
    }
    if (pass_of(mhd, rq) != NULL) {
        *con_cls = NULL;
        end_pass(s, (void *)rq, conn_of(mhd));
        return;
    }
    *con_cls = NULL;
    dispatch_end(s->dispatch, rq);
    gate_completed(rq->conn);
    request_free(rq);
    count_ended(s);
}

/* MHD has taken the socket, or is about to close it. */
static void
on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
              enum MHD_ConnectionNotificationCode code)
{
    const union MHD_ConnectionInfo *info;

    (void)cls;
    switch (code) {
    case MHD_CONNECTION_NOTIFY_STARTED:
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info == NULL ? NULL : conn_of_fd(info->connect_fd);
        return;
    case MHD_CONNECTION_NOTIFY_CLOSED:
        conn_free(*socket_context);
        *socket_context = NULL;
        return;
    }
}

/* Paths and queries stay encoded: route.h decodes them, strictly. */
static size_t
on_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static void
on_suspend(struct request *rq)
{
    MHD_suspend_connection(rq->mhd);
}

static void
on_resume(struct request *rq)
{
    worker_resume(rq->conn->worker, rq->mhd);
}

/* ---- the server's life ---- */

static struct MHD_Daemon *
start_mhd(struct server *s, const struct http_limits *limits)
{
    /* Our own cap comes first; MHD's has room for what is just closing. */
    unsigned int connections = (unsigned int)limits->connections * 2;

    return MHD_start_daemon(
        MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
            MHD_ALLOW_UPGRADE | MHD_USE_SUPPRESS_DATE_NO_CLOCK,
        0, NULL, NULL, on_access, s, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)limits->idle_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
        on_unescape, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
}

static enum ag_err
server_start(struct server *s, const struct route_set *routes,
             const struct http_limits *limits)
{
    struct dispatch_parts parts = {
        .app = s->app,
        .routes = *routes,
        .suspend = on_suspend,
        .resume = on_resume,
    };
    enum ag_err err = gate_check();

    if (err == AG_OK) {
        err = conns_new(limits, &s->conns);
    }
    if (err == AG_OK && s->app.pass != NULL) {
        err = passes_new(s->app.pass, &s->passes);
    }
    if (err == AG_OK) {
        err = dispatch_new(&parts, limits, &s->dispatch);
    }
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; err == AG_OK && i < WORKERS_COUNT; i++) {
        struct MHD_Daemon *mhd = start_mhd(s, limits);

        err = mhd == NULL
                  ? err_why(AG_EIO, "the HTTP server could not be started")
                  : worker_new(mhd, &s->workers[i]);
    }
    return err;
}

enum ag_err
server_new(const struct server_app *app, const struct route_set *routes,
           const struct http_limits *limits, struct server **ret)
{
    struct server *s = calloc(1, sizeof(*s));
    enum ag_err err;

    if (s == NULL) {
        return AG_ENOMEM;
    }
    s->app = *app;
    atomic_store(&s->drain_s, limits->drain_s);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->idle, NULL);
    err = server_start(s, routes, limits);
    if (err != AG_OK) {
        server_free(s);
        return err;
    }
    *ret = s;
    return AG_OK;
}

/* Waits until no request is under way, at most until then. */
static void
wait_idle(struct server *s, const struct timespec *until)
{
    int result = 0;

    (void)pthread_mutex_lock(&s->lock);
    atomic_store(&s->waiting, true);
    while (atomic_load(&s->active_count) > 0 && result == 0) {
        result = pthread_cond_timedwait(&s->idle, &s->lock, until);
    }
    atomic_store(&s->waiting, false);
    (void)pthread_mutex_unlock(&s->lock);
}

/* What is passed on may last for hours: it is cut at once, and what is our own
 * to answer is waited for. */
void
server_drain(struct server *s)
{
    struct timespec until;

    atomic_store(&s->draining, true);
    if (s->passes != NULL) {
        passes_stop(s->passes);
    }
    dispatch_drain(s->dispatch);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += atomic_load(&s->drain_s);
    wait_idle(s, &until);
    if (s->passes != NULL) {
        passes_drain(s->passes);
    }
}

/* MHD aborts the process if a suspended connection is left. */
static void
settle(struct server *s)
{
    atomic_store(&s->draining, true);
    dispatch_drain(s->dispatch);
    dispatch_settle(s->dispatch);
    if (s->passes != NULL) {
        passes_stop(s->passes);
        passes_settle(s->passes);
    }
}

void
server_free(struct server *s)
{
    if (s == NULL) {
        return;
    }
    if (s->workers[0] != NULL) {
        settle(s);
    }
    for (size_t i = 0; i < WORKERS_COUNT; i++) {
        worker_stop(s->workers[i]);
    }
    /* Their threads may be waking a worker still. */
    dispatch_free(s->dispatch);
    passes_free(s->passes);
    for (size_t i = 0; i < WORKERS_COUNT; i++) {
        worker_free(s->workers[i]);
    }
    conns_free(s->conns);
    (void)pthread_cond_destroy(&s->idle);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* All connections of a process have one: what comes together is served in one
 * turn, by the same connections to services. */
static struct worker *
worker_for(struct server *s, const struct peer *peer)
{
    unsigned number = (unsigned)peer_pid(peer);

    number = number == 0 ? atomic_fetch_add(&s->next, 1) : number;
    return s->workers[number % WORKERS_COUNT];
}

enum ag_err
server_take(struct server *s, int fd, const struct conn_door *door,
            struct peer *peer)
{
    struct worker *worker = worker_for(s, peer);
    struct conn *c = NULL;
    enum ag_err err = conns_add(s->conns, fd, door, peer, &c);

    if (err != AG_OK) {
        gate_refuse(fd, err, err_text(err));
        peer_free(peer);
        fd_close(fd);
        return err;
    }
    worker_add(worker, c);
    return AG_OK;
}

void
server_set_limits(struct server *s, const struct http_limits *limits)
{
    conns_set_limits(s->conns, limits);
    dispatch_set_limits(s->dispatch, limits);
    atomic_store(&s->drain_s, limits->drain_s);
}

void
server_stop_requested(struct server *s)
{
    s->app.stop(s->app.ctx);
}

enum ag_err
server_metrics(struct server *s, struct buf *out)
{
    enum ag_err err = buf_fmt(
        out,
        "# HELP auth_guard_http_connections Open HTTP connections.\n"
        "# TYPE auth_guard_http_connections gauge\n"
        "auth_guard_http_connections %zu\n"
        "# HELP auth_guard_http_refused_total Malformed or unwanted requests "
        "refused before the parser.\n"
        "# TYPE auth_guard_http_refused_total counter\n"
        "auth_guard_http_refused_total %llu\n"
        "# HELP auth_guard_http_answers_total Answers by class of status.\n"
        "# TYPE auth_guard_http_answers_total counter\n",
        conns_count(s->conns), (unsigned long long)gate_refused_count());

    for (size_t i = 2; err == AG_OK && i < STATUS_CLASSES_COUNT; i++) {
        err = buf_fmt(out,
                      "auth_guard_http_answers_total{class=\"%zuxx\"} %llu\n",
                      i, (unsigned long long)atomic_load(&s->answered[i]));
    }
    return err;
}
