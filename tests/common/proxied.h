/*
 * proxied.h - a real core, proxy, upstream and HTTP server around the service
 * of service.h, one task with a placeholder, and raw clients of that task.
 *
 * The program links the room `daemon`; its main() begins as broker.h says.
 */
#ifndef AG_TESTS_PROXIED_H
#define AG_TESTS_PROXIED_H

#include <sys/socket.h>

#include "base/fdx.h"
#include "common/broker.h"
#include "common/service.h"
#include "daemon/passing.h"
#include "http/routes.h"
#include "proxy/proxy.h"
#include "upstream/upstream.h"

enum {
    PROXIED_WAIT_S = 120, /* a hang is a failure, not a slow machine */
    PROXIED_HEAD_BYTES = 2048,
    PROXIED_PID = 2000, /* of the first client: each is a process of its own */
};

static struct {
    struct upstream *upstream;
    struct proxy *proxy;
    struct server *server;
    struct pass_app pass;
    struct routes_stop stop;
    char service[64]; /* /t/TASK/HOST */
    char key[256];    /* the placeholder of VALUE */
    int64_t task_id;
} proxied;

static inline void
proxied_no_stop(void *arg)
{
    (void)arg;
}

/* A task that may send VALUE to the plain service, and its placeholder. */
static inline void
proxied_start_task(void)
{
    struct call call = call_of(flow.operator_peer);
    char upstream[64];
    const struct task_proxy_request wish = {.ref = "ag://github/bot",
                                            .upstream = upstream,
                                            .url_env = "API_URL",
                                            .key_env = "API_KEY",
                                            .uses = -1,
                                            .inner = true};
    const struct task_request request = {
        .name = "proxied", .proxies = &wish, .proxy_count = 1};
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(secret) struct secret *key = NULL;
    json_t *delivery = NULL;

    (void)snprintf(upstream, sizeof(upstream), "http://127.0.0.1:%u",
                   (unsigned)service.plain);
    check_ok(act(do_start, &call, &request, &answer));
    (void)snprintf(task.id, sizeof(task.id), "%s", text_at(answer, "id"));
    (void)snprintf(proxied.service, sizeof(proxied.service),
                   "/t/%s/127.0.0.1:%u", task.id, (unsigned)service.plain);
    line.peer = flow.operator_peer;
    line.connection_id++;
    ended_reason = NULL;
    check_ok(handout_attach(flow.core, &line, text_at(answer, "life"),
                            &LISTENER, &proxied.task_id));
    delivery = json_array_get(json_object_get(answer, "deliveries"), 0);
    check_ok(
        handout_value(flow.core, &line, text_at(delivery, "ticket"), &key));
    (void)snprintf(proxied.key, sizeof(proxied.key), "%.*s",
                   (int)secret_len(key), (const char *)secret_view(key).ptr);
}

static inline int
proxied_open(void **state)
{
    struct upstream_limits limits = upstream_limits_default();
    struct http_limits http = http_limits_default();
    struct server_app app;

    (void)service_start();
    limits.calls = 128;
    limits.calls_per_host = 128;
    limits.wait_s = PROXIED_WAIT_S;
    http.request_s = PROXIED_WAIT_S;
    http.idle_s = PROXIED_WAIT_S;
    check_ok(upstream_new(&limits, service.ca, &proxied.upstream));
    if (flow_open_vault(state) != 0) {
        return -1;
    }
    check_ok(proxy_new(flow.core, proxied.upstream, &proxied.proxy));
    proxied.stop =
        (struct routes_stop){.core = flow.core, .stop = proxied_no_stop};
    proxied.pass = passing_app(proxied.proxy);
    app = routes_app(&proxied.stop);
    app.pass = &proxied.pass;
    check_ok(server_new(&app, &ROUTES, &http, &proxied.server));
    return 0;
}

static inline int
proxied_close(void **state)
{
    server_drain(proxied.server);
    server_free(proxied.server);
    proxy_free(proxied.proxy);
    upstream_free(proxied.upstream);
    return flow_close(state) != 0 ? -1 : service_stop();
}

/* A connection to task.sock of a process of the task's. Threads: any. */
static inline int
proxied_connect(int number)
{
    const struct timeval wait = {.tv_sec = PROXIED_WAIT_S};
    const struct conn_door door = {.socket = HTTP_TASK};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   ends) != 0 ||
        fd_set_nonblock(ends[1], false) != AG_OK ||
        setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) !=
            0 ||
        setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) !=
            0) {
        return -1;
    }
    if (server_take(proxied.server, ends[0], &door,
                    make_peer(PROXIED_PID + number, 901, OPERATOR_PID)) !=
        AG_OK) {
        (void)close(ends[1]);
        return -1;
    }
    return ends[1];
}

static inline bool
proxied_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* The head of a request with the placeholder; `more` has whole lines. */
static inline bool
proxied_ask(int fd, const char *method, const char *path, const char *more)
{
    char head[PROXIED_HEAD_BYTES];
    int len = snprintf(head, sizeof(head),
                       "%s %s%s HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer %s\r\n%s\r\n",
                       method, proxied.service, path, proxied.key, more);

    return len > 0 && (size_t)len < sizeof(head) &&
           proxied_send(fd, head, (size_t)len);
}

#endif
