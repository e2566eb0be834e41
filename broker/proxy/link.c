/* The steps of one connection of the forward proxy (forward_impl.h). */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "caller/peer.h"
#include "core/access.h"
#include "core/permit.h"
#include "proxy/forward_impl.h"
#include "upstream/upstream.h"

enum {
    MS_PER_S = 1000,
    ENDING_MS = 2000, /* for a refused client to read why */
    PEEK_BYTES = 8,   /* "CONNECT " */
};

static const char ESTABLISHED[] = "HTTP/1.1 200 Connection established\r\n\r\n";

void
link_move(struct link *link, enum link_state state)
{
    link->state = state;
    link->since_ms = clock_steady_ms();
}

void
link_die(struct link *link)
{
    end_wait(&link->client, 0);
    end_wait(&link->server, 0);
    link_move(link, LINK_DEAD);
}

void
link_keep_error(struct link *link, enum ag_err err)
{
    link->err = err;
    (void)snprintf(link->why, sizeof(link->why), "%s", err_text(err));
}

/* Told; then what still comes is thrown away, since closing first would send a
 * reset, and the answer could be lost. */
void
link_end_refused(struct link *link)
{
    (void)shutdown(link->client.fd, SHUT_WR);
    end_wait(&link->server, 0);
    end_wait(&link->client, EPOLLIN);
    link_move(link, LINK_ENDING);
}

static void
refuse(struct link *link, enum ag_err err, const char *why)
{
    const struct forward_parts *parts = &link->owner->parts;

    parts->refuse(parts->ctx, link->client.fd, err, why);
    link_end_refused(link);
}

bool
link_give_way(struct link *link)
{
    const struct forward_parts *parts = &link->owner->parts;

    if (link->state != LINK_HEAD && link->state != LINK_ENDING) {
        return false;
    }
    if (link->state == LINK_HEAD) {
        parts->refuse(parts->ctx, link->client.fd, AG_EBUSY,
                      "too many connections of the forward proxy; close some");
    }
    link_die(link);
    return true;
}

/* ---- lives ---- */

enum ag_err
link_new(struct forward *f, int fd, struct peer *peer, struct link **ret)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return AG_ENOMEM;
    }
    link->in = malloc(LINK_IN_BYTES);
    if (link->in == NULL) {
        free(link);
        return AG_ENOMEM;
    }
    link->owner = f;
    link->peer = peer;
    link->client = (struct end){.link = link, .fd = fd};
    link->server = (struct end){.link = link, .fd = -1};
    link->dialed_fd = -1;
    flow_init(&link->up);
    flow_init(&link->down);
    *ret = link;
    return AG_OK;
}

void
link_free(struct link *link)
{
    if (link == NULL) {
        return;
    }
    upstream_cancel(link->dial);
    forward_unpost(link);
    flow_done(link->owner, &link->up);
    flow_done(link->owner, &link->down);
    intercept_done(link);
    reach_done(&link->reach);
    fd_close(link->client.fd);
    fd_close(link->server.fd);
    fd_close(link->dialed_fd);
    peer_free(link->peer);
    free(link->in);
    free(link);
}

void
link_start(struct link *link)
{
    link_move(link, LINK_HEAD);
    end_wait(&link->client, EPOLLIN);
}

/* ---- the head ---- */

bool
link_read_in(struct link *link)
{
    ssize_t n = recv(link->client.fd, link->in + link->in_len,
                     LINK_IN_BYTES - link->in_len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n == 0 && link->state == LINK_TUNNEL && link->reach.any_protocol) {
        link->greeted = true; /* it only listens */
        return false;
    }
    if (n <= 0) {
        link_die(link);
        return false;
    }
    link->in_len += (size_t)n;
    return true;
}

/* Not for us: the HTTP side reads it from its first byte. */
static void
hand_over(struct link *link)
{
    const struct forward_parts *parts = &link->owner->parts;

    end_wait(&link->client, 0);
    (void)!parts->serve(parts->ctx, FD_TAKE(link->client.fd), NULL,
                        AG_TAKE(link->peer));
    link_die(link);
}

/* Is it a CONNECT? Too few bytes to tell are looked at again later: the loop
 * would say again and again that they are there. */
static bool
is_connect(struct link *link)
{
    uint8_t first[PEEK_BYTES];
    ssize_t n = recv(link->client.fd, first, sizeof(first), MSG_PEEK);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            link_die(link);
        }
        return false;
    }
    if (!connect_head_begins(span_of(first, (size_t)n))) {
        hand_over(link);
        return false;
    }
    if ((size_t)n < sizeof(first)) {
        end_wait(&link->client, 0);
        return false;
    }
    return true;
}

static void
step_head(struct link *link)
{
    size_t len = 0;
    enum ag_err err = AG_OK;

    err_clear();
    if ((link->in_len == 0 && !is_connect(link)) || !link_read_in(link)) {
        return;
    }
    err = connect_head_read(span_of(link->in, link->in_len), &link->head, &len);
    if (err != AG_OK) {
        refuse(link, err, err_text(err));
    } else if (len > 0) {
        link->in_at = len;
        forward_ask(link, ASK_DECIDE);
    }
}

/* ---- the blocking thread ---- */

static enum ag_err
decide(struct link *link)
{
    struct core *core = link->owner->parts.core;
    enum ag_err err = access_caller(core, link->peer, &link->call);

    return err == AG_OK ? reach_decide(core, &link->call, &link->head.host,
                                       link->head.port, &link->reach)
                        : err;
}

static enum ag_err
serve(struct link *link)
{
    switch (link->ask) {
    case ASK_DECIDE:
        return decide(link);
    case ASK_REFUSE:
        (void)!err_why(link->err, "%s", link->why);
        return reach_refuse(link->owner->parts.core, &link->call,
                            &link->head.host, link->head.port, link->err);
    }
    return AG_EINTERNAL;
}

void
link_serve_ask(struct link *link)
{
    err_clear();
    link_keep_error(link, serve(link));
}

/* ---- dialing ---- */

/* On the upstream's thread: the link waits for these two. */
static void
on_dialed(void *ctx, int fd)
{
    struct link *link = ctx;

    link->dialed_fd = fd;
}

static void
on_end(void *ctx, enum ag_err err)
{
    struct link *link = ctx;

    link_keep_error(link, err);
    forward_post(link);
}

static const struct upstream_events DIALS = {.on_dialed = on_dialed,
                                             .on_end = on_end};

/* The client has its tunnel. */
static void
establish(struct link *link)
{
    if (send(link->client.fd, ESTABLISHED, sizeof(ESTABLISHED) - 1,
             MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(ESTABLISHED) - 1) {
        link_die(link);
        return;
    }
    link->established = true;
    link_move(link, LINK_TUNNEL);
    link_step(link);
}

static void
dial(struct link *link)
{
    const struct upstream_target target = {
        .host = span_str(link->head.host.text),
        .port = link->head.port,
        .owner = (uint32_t)link->reach.task_id,
        .inner = link->reach.inner,
    };
    enum ag_err err;

    link_move(link, LINK_DIALING);
    err = upstream_dial(link->owner->parts.upstream, &target, &DIALS, link,
                        &link->dial);
    if (err != AG_OK) {
        link_keep_error(link, err);
        link->ask = ASK_REFUSE;
        forward_ask(link, ASK_REFUSE);
    }
}

static bool
is_full(struct link *link)
{
    const struct forward_limits limits = forward_limits_of(link->owner);

    return (int64_t)forward_count_task(link->owner, link) >=
           limits.connections_per_task;
}

static void
decided(struct link *link)
{
    if (link->err != AG_OK) {
        refuse(link, link->err, link->why);
    } else if (is_full(link)) {
        refuse(link, AG_EBUSY, "too many connections of this task");
    } else if (link->reach.how == REACH_INTERCEPT) {
        establish(link);
    } else {
        dial(link);
    }
}

/* A name that stands for an address inside is worth a hint. */
static void
told_why_not(struct link *link)
{
    char text[LINK_WHY_BYTES + 80];

    (void)snprintf(text, sizeof(text), "%s%s", link->why,
                   link->err == AG_EADDRESS
                       ? "; if that is meant: run --allow HOST:PORT,inner"
                       : "");
    refuse(link, link->err, text);
}

static void
dialed(struct link *link)
{
    upstream_cancel(AG_TAKE(link->dial));
    if (link->err == AG_EADDRESS) {
        forward_ask(link, ASK_REFUSE); /* that goes on the record */
        return;
    }
    if (link->err != AG_OK) {
        told_why_not(link);
        return;
    }
    link->server.fd = FD_TAKE(link->dialed_fd);
    establish(link);
}

/* ---- what the loop calls ---- */

static void
step_ending(struct link *link)
{
    ssize_t n = 0;

    do {
        n = recv(link->client.fd, link->owner->scratch,
                 sizeof(link->owner->scratch), 0);
    } while (n > 0);
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        link_die(link);
    }
}

void
link_step(struct link *link)
{
    switch (link->state) {
    case LINK_HEAD:
        step_head(link);
        return;
    case LINK_TUNNEL:
        tunnel_step(link);
        return;
    case LINK_HANDSHAKE:
    case LINK_CLEAR:
        intercept_step(link);
        return;
    case LINK_ENDING:
        step_ending(link);
        return;
    case LINK_ASKED:
    case LINK_DIALING:
    case LINK_DEAD:
        return;
    }
}

/* A refusal is on the record now. */
static void
refused(struct link *link)
{
    if (!link->established) {
        told_why_not(link);
        return;
    }
    tunnel_refused(link);
}

void
link_back(struct link *link)
{
    if (link->state == LINK_DIALING) {
        dialed(link);
    } else if (link->state == LINK_ASKED && link->ask == ASK_DECIDE) {
        decided(link);
    } else if (link->state == LINK_ASKED) {
        refused(link);
    }
}

static bool
is_late(const struct link *link, int64_t now_ms,
        const struct forward_limits *limits)
{
    int64_t age_ms = now_ms - link->since_ms;

    switch (link->state) {
    case LINK_HEAD:
    case LINK_HANDSHAKE:
        return age_ms > limits->head_s * MS_PER_S;
    case LINK_CLEAR: /* the HTTP side has limits of its own */
        return age_ms > limits->idle_s * MS_PER_S;
    case LINK_TUNNEL:
        return age_ms > (link->greeted || link->reach.any_protocol
                             ? limits->idle_s
                             : limits->head_s) *
                            MS_PER_S;
    case LINK_ENDING:
        return age_ms > ENDING_MS;
    case LINK_ASKED:
    case LINK_DIALING: /* the upstream has a limit of its own */
    case LINK_DEAD:
        return false;
    }
    return false;
}

void
link_look(struct link *link, int64_t now_ms,
          const struct forward_limits *limits)
{
    bool running = link->state >= LINK_DIALING && link->state <= LINK_CLEAR;
    bool alone = link->peer != NULL; /* else the HTTP side has it */

    if (link->state == LINK_HEAD) {
        end_wait(&link->client, EPOLLIN);
    }
    /* A socket that was passed on stays its connector's. */
    if (is_late(link, now_ms, limits) ||
        (running &&
         ((alone && peer_check(link->peer) != AG_OK) ||
          !permit_stands(link->owner->parts.core, link->reach.task_id)))) {
        link_die(link);
    }
}
