#include "client.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/clock.h"
#include "base/fdx.h"
#include "base/secret.h"
#include "base/wipealloc.h"
#include "peer.h"

struct client {
    int fd; /* -1 between connections */
    char *path;
};

/* What one answer is read into: `hidden` for the text of a secret. */
struct incoming {
    struct client *c;
    int64_t deadline_ms;
    bool want_hidden;
    uint8_t *area; /* CLIENT_HEAD_MAX_BYTES for the head and what follows */
    size_t have;
    struct answer_head head;
    struct buf plain;
    struct secret *hidden;
};

enum ag_err
client_open(const char *socket_path, struct client **ret)
{
    AG_AUTO(client) struct client *c = calloc(1, sizeof(*c));
    enum ag_err err;

    if (c == NULL) {
        return AG_ENOMEM;
    }
    c->fd = -1;
    c->path = strdup(socket_path);
    if (c->path == NULL) {
        return AG_ENOMEM;
    }
    err = peer_connect(c->path, SOCK_STREAM, &c->fd);
    if (err == AG_OK) {
        *ret = AG_TAKE(c);
    }
    return err;
}

void
client_close(struct client *c)
{
    if (c == NULL) {
        return;
    }
    fd_close(c->fd);
    free(c->path);
    free(c);
}

static void
hang_up(struct client *c)
{
    fd_close(c->fd);
    c->fd = -1;
}

static enum ag_err
wait_for(const struct incoming *in, short events)
{
    struct pollfd p = {.fd = in->c->fd, .events = events};
    int64_t left_ms = in->deadline_ms - clock_steady_ms();
    int n = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);

    if (n < 0 && errno != EINTR) {
        return AG_EIO;
    }
    if (n == 0) {
        return err_why(AG_ETIMEOUT, "the broker gave no answer in time; see "
                                    "auth-guard status");
    }
    return AG_OK;
}

static enum ag_err
send_parts(const struct incoming *in, struct iovec *iov, size_t count)
{
    size_t at = 0;

    while (at < count) {
        struct msghdr msg = {.msg_iov = iov + at, .msg_iovlen = count - at};
        ssize_t n = sendmsg(in->c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        size_t sent = n > 0 ? (size_t)n : 0;

        if (n < 0 && errno == EAGAIN) {
            enum ag_err err = wait_for(in, POLLOUT);
            if (err != AG_OK) {
                return err;
            }
        } else if (n < 0 && errno != EINTR) {
            return AG_ENOBROKER;
        }
        for (; at < count && sent >= iov[at].iov_len; at++) {
            sent -= iov[at].iov_len;
        }
        if (at < count) {
            iov[at].iov_base = (uint8_t *)iov[at].iov_base + sent;
            iov[at].iov_len -= sent;
        }
    }
    return AG_OK;
}

static enum ag_err
send_request(const struct incoming *in, const struct client_request *rq,
             struct span body)
{
    AG_AUTO(buf) struct buf head;
    struct iovec iov[2];
    enum ag_err err;

    buf_init(&head, CLIENT_HEAD_MAX_BYTES, BUF_WIPE); /* it has the token */
    err = buf_fmt(&head, "%s %s HTTP/1.1\r\nHost: auth-guard\r\n", rq->method,
                  rq->path);
    if (err == AG_OK && rq->token != NULL) {
        err = buf_fmt(&head, "Authorization: Bearer %s\r\n", rq->token);
    }
    if (err == AG_OK && body.len > 0) {
        err = buf_add_str(&head, "Content-Type: application/json\r\n");
    }
    if (err == AG_OK) {
        err = body.len > 0 || strcmp(rq->method, "GET") != 0
                  ? buf_fmt(&head, "Content-Length: %zu\r\n\r\n", body.len)
                  : buf_add_str(&head, "\r\n");
    }
    if (err != AG_OK) {
        return err;
    }
    iov[0] = (struct iovec){.iov_base = head.ptr, .iov_len = head.len};
    /* iov_base is not const; sendmsg() only reads. */
    memcpy(&iov[1].iov_base, &body.ptr, sizeof(iov[1].iov_base));
    iov[1].iov_len = body.len;
    return send_parts(in, iov, body.len > 0 ? 2 : 1);
}

static enum ag_err
receive(const struct incoming *in, uint8_t *to, size_t cap, size_t *ret)
{
    enum ag_err err = AG_OK;
    ssize_t n = -1;

    while (n < 0 && err == AG_OK) {
        err = wait_for(in, POLLIN);
        n = err == AG_OK ? recv(in->c->fd, to, cap, MSG_DONTWAIT) : 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return AG_ENOBROKER;
        }
    }
    if (err == AG_OK && n == 0) {
        return err_why(AG_ENOBROKER, "the broker hung up; see auth-guard "
                                     "status");
    }
    *ret = n > 0 ? (size_t)n : 0;
    return err;
}

static enum ag_err
read_head(struct incoming *in, size_t *ret_len)
{
    size_t len = 0;
    size_t got = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && len == 0) {
        if (in->have == CLIENT_HEAD_MAX_BYTES) {
            return err_why(AG_ECORRUPT, "the head of the broker's answer is "
                                        "too long");
        }
        err = receive(in, in->area + in->have, CLIENT_HEAD_MAX_BYTES - in->have,
                      &got);
        in->have += err == AG_OK ? got : 0;
        len = answer_head_len(span_of(in->area, in->have));
    }
    if (err == AG_OK) {
        err = answer_parse(span_of(in->area, len), CLIENT_BODY_MAX_BYTES,
                           &in->head);
    }
    *ret_len = len;
    return err;
}

static enum ag_err
read_body(struct incoming *in, size_t head_len)
{
    size_t want = in->head.body_len;
    size_t have = in->have - head_len;
    uint8_t *to = NULL;
    enum ag_err err;

    if (have > want) {
        return err_why(AG_ECORRUPT, "the broker's answer goes on after its "
                                    "end");
    }
    if (in->want_hidden && in->head.status < 300) {
        err = secret_new(want, &in->hidden);
        to = err == AG_OK ? secret_bytes(in->hidden) : NULL;
    } else {
        err = buf_room(&in->plain, want, &to);
    }
    if (err != AG_OK) {
        return err;
    }
    if (have > 0) {
        memcpy(to, in->area + head_len, have);
    }
    while (err == AG_OK && have < want) {
        size_t got = 0;

        err = receive(in, to + have, want - have, &got);
        have += got;
    }
    if (err == AG_OK && in->hidden == NULL) {
        buf_grew(&in->plain, want);
    }
    return err;
}

static enum ag_err
exchange(struct incoming *in, const struct client_request *rq, struct span body)
{
    size_t head_len = 0;
    enum ag_err err = AG_OK;

    if (in->c->fd < 0) {
        err = peer_connect(in->c->path, SOCK_STREAM, &in->c->fd);
    }
    if (err == AG_OK) {
        err = send_request(in, rq, body);
    }
    if (err == AG_OK) {
        err = read_head(in, &head_len);
    }
    if (err == AG_OK) {
        err = read_body(in, head_len);
    }
    if (err != AG_OK || in->head.close) {
        hang_up(in->c);
    }
    return err;
}

/* A connection that stood open, be it while a person typed, may have been
 * closed by the broker before it saw the request: that one is sent again,
 * once, on a new one. */
static enum ag_err
exchange_or_again(struct incoming *in, const struct client_request *rq,
                  struct span body)
{
    bool was_idle = in->c->fd >= 0;
    enum ag_err err = exchange(in, rq, body);

    if (err == AG_ENOBROKER && was_idle && in->have == 0) {
        err = exchange(in, rq, body);
    }
    return err;
}

/* What a problem+json says, as our own error. */
static enum ag_err
problem(const struct incoming *in)
{
    json_auto_t *body = json_loadb((const char *)in->plain.ptr, in->plain.len,
                                   JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(body, "code"));
    const char *detail = json_string_value(json_object_get(body, "detail"));
    enum ag_err err;

    if (code == NULL) {
        return err_why(AG_ECORRUPT, "the broker answered %d without a reason",
                       in->head.status);
    }
    err = err_from_code(code);
    if (err == AG_OK || err == AG_EFOUND) {
        return err_why(AG_ECORRUPT, "the broker's answer contradicts itself");
    }
    return detail == NULL ? err : err_why(err, "%s", detail);
}

static enum ag_err
run_call(struct incoming *in, const struct client_request *rq)
{
    char *text = NULL;
    struct span body = {0};
    enum ag_err err;

    in->deadline_ms = clock_steady_ms() +
                      (rq->timeout_ms > 0 ? rq->timeout_ms : CLIENT_TIMEOUT_MS);
    if (rq->secret_body != NULL) {
        body = secret_view(rq->secret_body);
    } else if (rq->body != NULL) {
        text = json_dumps(rq->body, JSON_COMPACT);
        if (text == NULL) {
            return err_why(AG_EINVAL, "the request is not UTF-8 text");
        }
        body = span_str(text);
    }
    err = exchange_or_again(in, rq, body);
    wipe_free(text);
    if (err == AG_OK && in->head.status >= 300) {
        err = problem(in);
    }
    return err;
}

static enum ag_err
parse_answer(const struct incoming *in, json_t **ret)
{
    json_t *tree;

    if (ret == NULL) {
        return AG_OK;
    }
    if (in->plain.len == 0) { /* 204 */
        tree = json_object();
    } else {
        tree = json_loadb((const char *)in->plain.ptr, in->plain.len,
                          JSON_REJECT_DUPLICATES, NULL);
    }
    if (tree == NULL) {
        return err_why(AG_ECORRUPT, "the broker's answer is not JSON");
    }
    *ret = tree;
    return AG_OK;
}

static enum ag_err
call_public(struct incoming *in, const struct client_request *rq)
{
    enum ag_err err;

    buf_init(&in->plain, CLIENT_BODY_MAX_BYTES, BUF_WIPE);
    in->area = wipe_malloc(CLIENT_HEAD_MAX_BYTES); /* a token may pass here */
    if (in->area == NULL) {
        return AG_ENOMEM;
    }
    err = run_call(in, rq);
    wipe_free(in->area);
    return err;
}

enum ag_err
client_call(struct client *c, const struct client_request *rq, json_t **ret)
{
    struct incoming in = {.c = c};
    enum ag_err err = call_public(&in, rq);

    if (err == AG_OK) {
        err = parse_answer(&in, ret);
    }
    buf_done(&in.plain);
    return err;
}

enum ag_err
client_call_text(struct client *c, const struct client_request *rq,
                 struct buf *out)
{
    struct incoming in = {.c = c};
    enum ag_err err = call_public(&in, rq);

    if (err == AG_OK) {
        err = buf_add(out, buf_view(&in.plain));
    }
    buf_done(&in.plain);
    return err;
}

enum ag_err
client_call_secret(struct client *c, const struct client_request *rq,
                   struct secret **ret)
{
    AG_AUTO(secret) struct secret *area = NULL;
    struct incoming in = {.c = c, .want_hidden = true};
    enum ag_err err = secret_new(CLIENT_HEAD_MAX_BYTES, &area);

    if (err != AG_OK) {
        return err;
    }
    in.area = secret_bytes(area);
    buf_init(&in.plain, CLIENT_BODY_MAX_BYTES, BUF_PLAIN);
    err = run_call(&in, rq);
    buf_done(&in.plain);
    if (err == AG_OK && ret != NULL) {
        *ret = AG_TAKE(in.hidden);
    }
    secret_free(in.hidden);
    return err;
}

static enum ag_err
add_escaped(struct buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                                "rstuvwxyz0123456789-._~";
    enum ag_err err = AG_OK;

    for (const char *p = text; err == AG_OK && *p != '\0'; p++) {
        err = strchr(plain, *p) != NULL
                  ? buf_add_byte(out, (uint8_t)*p)
                  : buf_fmt(out, "%%%02X", (unsigned)(uint8_t)*p);
    }
    return err;
}

enum ag_err
client_path(struct buf *out, const char *fmt, ...)
{
    va_list args;
    enum ag_err err = AG_OK;

    va_start(args, fmt);
    for (const char *p = fmt; err == AG_OK && *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 's') {
            /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): started */
            err = add_escaped(out, va_arg(args, const char *));
            p++;
        } else {
            err = buf_add_byte(out, (uint8_t)*p);
        }
    }
    va_end(args);
    return err;
}
