/*
 * serve.h - a real server with tiny handlers, for tests that speak to it over
 * raw sockets.
 */
#ifndef AG_TESTS_UNIT_HTTP_SERVE_H
#define AG_TESTS_UNIT_HTTP_SERVE_H

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "http/conn.h"
#include "http/request.h"
#include "http/route.h"
#include "http/server.h"
#include "wire/json.h"
#include "wire/msg.h"

enum {
    SERVE_PORT = 4711,
    SERVE_ARENA_BYTES = 1024 * 1024,
    SERVE_WAIT_MS = 60000, /* a hang is a failure, not a slow machine */
    SERVE_ANSWER_BYTES = 2048,
};

/* What the handlers saw. */
struct served {
    atomic_int calls;
    atomic_int admitted;
    _Atomic pthread_t plain_thread; /* the last that answered so */
    atomic_int left;
    atomic_int used;
    atomic_int stops;
    atomic_int state;      /* enum vault_state */
    atomic_int who;        /* enum caller_class of every caller */
    atomic_int admit_err;  /* what admit() answers when a token is shown */
    atomic_bool must_hide; /* a value waits for the filter … */
    atomic_int hide_err;   /* … which is answered so */
    atomic_int hides;
    pthread_mutex_t gate; /* held by a test that wants jobs to wait */
    struct server *server;
};

static struct served served;

/* Who answers below /p/ and /t/; NULL: nobody. */
static const struct pass_app *serve_pass;

struct echo_body {
    struct secret *value;
    char *note;
    int64_t count;
};

static const struct msg_field ECHO_FIELDS[] = {
    MSG_FIELD_SECRET(struct echo_body, value, 0, HTTP_BODY_MAX_BYTES,
                     MSG_REQUIRED),
    MSG_FIELD_STRING(struct echo_body, note, 1, 64, MSG_OPTIONAL, NULL),
    MSG_FIELD_INT(struct echo_body, count, 1, 10, MSG_OPTIONAL, 1),
};
static const struct msg_spec ECHO_BODY =
    MSG_SPEC(struct echo_body, ECHO_FIELDS);

struct show_query {
    char *field;
    int64_t version;
};

static const struct msg_field SHOW_FIELDS[] = {
    MSG_FIELD_STRING(struct show_query, field, 1, 64, MSG_OPTIONAL, NULL),
    MSG_FIELD_INT(struct show_query, version, 0, 99, MSG_OPTIONAL, 0),
};
static const struct msg_spec SHOW_QUERY =
    MSG_SPEC(struct show_query, SHOW_FIELDS);

static enum ag_err
h_plain(struct request *rq)
{
    atomic_fetch_add(&served.calls, 1);
    atomic_store(&served.plain_thread, pthread_self());
    return buf_add_str(&rq->reply.body, "{\"ok\":true}");
}

static enum ag_err
h_show(struct request *rq)
{
    const struct show_query *q = rq->query;

    atomic_fetch_add(&served.calls, 1);
    return buf_fmt(
        &rq->reply.body, "{\"name\":\"%s\",\"field\":\"%s\",\"version\":%d}",
        rq->param[0], q->field != NULL ? q->field : "", (int)q->version);
}

static enum ag_err
h_echo(struct request *rq)
{
    const struct echo_body *body = rq->body;

    atomic_fetch_add(&served.calls, 1);
    return buf_fmt(&rq->reply.body, "{\"bytes\":%zu,\"count\":%d}",
                   secret_len(body->value), (int)body->count);
}

static enum ag_err
h_wait(struct request *rq)
{
    (void)pthread_mutex_lock(&served.gate);
    (void)pthread_mutex_unlock(&served.gate);
    return h_plain(rq);
}

static enum ag_err
h_busy(struct request *rq)
{
    (void)rq;
    return AG_EBUSY;
}

static enum ag_err
h_fail(struct request *rq)
{
    (void)rq;
    atomic_fetch_add(&served.calls, 1);
    return err_why(AG_ECONFLICT, "it is at version 7");
}

static const struct route SERVE_ROUTES[] = {
    {"GET", "/v1/plain", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_READ, NULL, NULL, h_plain, NULL},
    {"GET", "/v1/secrets/{name}/value", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY,
     ROUTE_PLAIN, WORK_READ, &SHOW_QUERY, NULL, h_show, NULL},
    {"PUT", "/v1/echo", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_READ, NULL, &ECHO_BODY, h_echo, NULL},
    {"POST", "/v1/write", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_WRITE, NULL, &ECHO_BODY, h_echo, NULL},
    {"POST", "/v1/wait", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_WAIT, NULL, NULL, h_wait, NULL},
    {"POST", "/v1/slow", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_SLOW, NULL, NULL, h_wait, NULL},
    {"GET", "/v1/durable", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_READ, NULL, NULL, h_busy, h_plain},
    {"POST", "/v1/give", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_GIVES,
     WORK_WRITE, NULL, NULL, h_plain, NULL},
    {"POST", "/v1/hide", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_HIDE,
     WORK_WRITE, NULL, NULL, h_plain, NULL},
    {"POST", "/v1/fail", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_WRITE, NULL, NULL, h_fail, NULL},
    {"GET", "/v1/open", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_OPEN,
     WORK_READ, NULL, NULL, h_plain, NULL},
    {"GET", "/v1/token", CALLER_MAY_ALL, ROLES_NONE, HTTP_ANY, ROUTE_TOKEN,
     WORK_READ, NULL, NULL, h_plain, NULL},
    {"GET", "/v1/operator", CALLER_MAY_OPERATOR, ROLES_NONE, HTTP_ANY,
     ROUTE_PLAIN, WORK_READ, NULL, NULL, h_plain, NULL},
    {"GET", "/v1/proof", CALLER_MAY_PROOF, ROLES_NONE, HTTP_ANY, ROUTE_PLAIN,
     WORK_READ, NULL, NULL, h_plain, NULL},
    {"GET", "/v1/unix", CALLER_MAY_ALL, ROLES_NONE, HTTP_UNIX, ROUTE_PLAIN,
     WORK_READ, NULL, NULL, h_plain, NULL},
};

static enum vault_state
serve_state(void *ctx)
{
    (void)ctx;
    return (enum vault_state)atomic_load(&served.state);
}

static enum ag_err
serve_admit(void *ctx, struct peer *peer, struct span token, bool renews,
            struct call *ret)
{
    (void)ctx;
    (void)renews;
    if (token.len > 0 && atomic_load(&served.admit_err) != AG_OK) {
        return (enum ag_err)atomic_load(&served.admit_err);
    }
    *ret = (struct call){.peer = peer,
                         .who = (enum caller_class)atomic_load(&served.who)};
    atomic_fetch_add(&served.admitted, 1);
    return AG_OK;
}

static void
serve_leave(void *ctx, struct call *call)
{
    (void)ctx;
    (void)call;
    atomic_fetch_add(&served.left, 1);
}

static void
serve_used(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&served.used, 1);
}

/* The writer: a thread per job is enough here. */
static void *
serve_writer(void *arg)
{
    struct core_job *job = arg;

    (void)pthread_mutex_lock(&served.gate);
    (void)pthread_mutex_unlock(&served.gate);
    job->err = job->run(NULL, NULL, job);
    job->done(NULL, job);
    return NULL;
}

static void
serve_write(void *ctx, struct core_job *job)
{
    pthread_t thread;

    (void)ctx;
    assert_int_equal(pthread_create(&thread, NULL, serve_writer, job), 0);
    (void)pthread_detach(thread);
}

static enum ag_err
serve_hide(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&served.hides, 1);
    return (enum ag_err)atomic_load(&served.hide_err);
}

static bool
serve_must_hide(void *ctx)
{
    (void)ctx;
    return atomic_load(&served.must_hide);
}

static void
serve_stop(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&served.stops, 1);
}

static inline void
serve_start(const struct http_limits *limits)
{
    const struct server_app app = {
        .state = serve_state,
        .admit = serve_admit,
        .leave = serve_leave,
        .used = serve_used,
        .write = serve_write,
        .hide = serve_hide,
        .must_hide = serve_must_hide,
        .stop = serve_stop,
        .pass = serve_pass,
    };
    const struct route_set routes = {SERVE_ROUTES, AG_COUNT(SERVE_ROUTES)};
    struct http_limits otherwise = http_limits_default();

    otherwise.request_s = 600; /* a stalled machine is no slow client */
    memset(&served, 0, sizeof(served));
    (void)pthread_mutex_init(&served.gate, NULL);
    atomic_store(&served.state, VAULT_OPEN);
    atomic_store(&served.who, CALLER_OPERATOR);
    assert_int_equal(server_new(&app, &routes,
                                limits != NULL ? limits : &otherwise,
                                &served.server),
                     AG_OK);
}

static inline void
serve_end(void)
{
    server_drain(served.server);
    server_free(served.server);
    served.server = NULL;
    assert_int_equal(atomic_load(&served.admitted), atomic_load(&served.left));
    assert_int_equal(secret_arena_used_bytes(), 0);
}

static inline int
serve_setup(void **state)
{
    (void)state;
    serve_start(NULL);
    return 0;
}

static inline int
serve_teardown(void **state)
{
    (void)state;
    serve_end();
    return 0;
}

/* A connection of process `pid`; -1 if the server refused it (told why on the
 * returned *told, when given). */
static inline int
serve_connect_as(enum http_socket socket, pid_t pid)
{
    const struct timeval wait = {.tv_sec = SERVE_WAIT_MS / 1000};
    struct proc_facts facts = {.self = {.pid = pid, .start_ticks = 1},
                               .uid = getuid()};
    struct peer *peer = NULL;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                                ends),
                     0);
    assert_int_equal(fd_set_nonblock(ends[1], false), AG_OK);
    assert_int_equal(
        setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    assert_int_equal(peer_from_facts(&facts, &peer), AG_OK);
    (void)!server_take(
        served.server, ends[0],
        &(struct conn_door){.socket = socket,
                            .port = socket == HTTP_TCP ? SERVE_PORT : 0},
        peer);
    return ends[1];
}

static inline int
serve_connect(enum http_socket socket)
{
    return serve_connect_as(socket, 77);
}

static inline void
serve_send(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    /* A refused client may find the connection closed: that's an answer. */
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n < 0) {
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

/* A process that was stopped and goes on finds its waiting broken off. */
static inline ssize_t
serve_recv(int fd, void *out, size_t len)
{
    ssize_t n;

    do {
        n = recvfrom(fd, out, len, 0, NULL, NULL);
    } while (n < 0 && errno == EINTR);
    return n;
}

struct answer {
    int status; /* 0: closed without one */
    char head[SERVE_ANSWER_BYTES];
    char body[SERVE_ANSWER_BYTES];
};

/* Reads exactly one answer, by its Content-Length. */
static inline void
serve_read(int fd, struct answer *a)
{
    size_t head_len = 0;
    size_t body_len = 0;
    const char *length;

    memset(a, 0, sizeof(*a));
    while (strstr(a->head, "\r\n\r\n") == NULL) {
        ssize_t n = serve_recv(fd, a->head + head_len, 1);

        if (n <= 0) {
            return;
        }
        head_len++;
        assert_true(head_len < sizeof(a->head) - 1);
    }
    assert_memory_equal(a->head, "HTTP/1.1 ", 9);
    a->status = (int)strtoul(a->head + 9, NULL, 10);
    length = strstr(a->head, "Content-Length: ");
    if (length != NULL) {
        body_len = strtoul(length + 16, NULL, 10);
    }
    assert_true(body_len < sizeof(a->body));
    for (size_t got = 0; got < body_len;) {
        ssize_t n = serve_recv(fd, a->body + got, body_len - got);

        assert_true(n > 0);
        got += (size_t)n;
    }
}

/* The other end must close now. */
static inline bool
serve_is_closed(int fd)
{
    char byte;

    return serve_recv(fd, &byte, 1) == 0 || errno == ECONNRESET;
}

/* One request on a new connection; the answer. */
static inline void
serve_ask(enum http_socket socket, const char *request, struct answer *a)
{
    int fd = serve_connect(socket);

    serve_send(fd, request, strlen(request));
    serve_read(fd, a);
    (void)close(fd);
}

static inline void
assert_code(const struct answer *a, int status, const char *code)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), "\"code\":\"%s\"", code);
    if (a->status != status || strstr(a->body, wanted) == NULL) {
        fail_msg("wanted %d %s, got %d: %s %s", status, code, a->status,
                 a->head, a->body);
    }
}

#endif
