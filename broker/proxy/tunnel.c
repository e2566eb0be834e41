/* The steps of a tunnel (forward_impl.h): the greeting is judged, then bytes
 * pass. */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/forward_impl.h"

enum {
    TLS_FIRST_BYTE = 22, /* of a greeting */
};

/* A fatal alert, unrecognized_name. Source: RFC 8446 sections 5.1 and 6. */
static const uint8_t ALERT[] = {21, 3, 3, 0, 2, 2, 112};

/* Its greeting is not what was said: on the record, then told. */
static void
refuse_greeting(struct link *link, const char *why)
{
    link_keep_error(
        link, err_why(AG_ESERVERNAME, "%s: %s", link->head.host.text, why));
    forward_ask(link, ASK_REFUSE);
}

static void
judge_hello(struct link *link, const struct hello *hello)
{
    if (!hello_is_for(hello, &link->head.host)) {
        refuse_greeting(link, "the TLS greeting names another server, or none");
    } else if (hello->encrypted && link->reach.how == REACH_TUNNEL) {
        refuse_greeting(link, "an encrypted TLS greeting hides its server");
    } else {
        link->greeted = true;
    }
}

/* The client's first bytes say whether it is what the tunnel is for. */
static void
judge_greeting(struct link *link)
{
    struct span bytes =
        span_of(link->in + link->in_at, link->in_len - link->in_at);
    struct hello hello = {0};

    switch (hello_read(bytes, link->owner->scratch, &hello)) {
    case HELLO_MORE:
        if (link->in_len == LINK_IN_BYTES) {
            refuse_greeting(link, "the TLS greeting is too long");
        }
        return;
    case HELLO_WHOLE:
        judge_hello(link, &hello);
        return;
    case HELLO_NOT_TLS:
        if (link->reach.any_protocol) {
            link->greeted = true;
        } else {
            refuse_greeting(link, "what comes is not TLS; another protocol "
                                  "needs its port said: run --allow HOST:PORT");
        }
        return;
    case HELLO_MALFORMED:
        refuse_greeting(link, "the TLS greeting is malformed");
        return;
    }
}

static void
take_greeting(struct link *link)
{
    if (link->in_at > 0) {
        memmove(link->in, link->in + link->in_at, link->in_len - link->in_at);
        link->in_len -= link->in_at;
        link->in_at = 0;
    }
    if (link->in_len > 0) {
        judge_greeting(link);
    }
    while (link->state == LINK_TUNNEL && !link->greeted && link_read_in(link)) {
        judge_greeting(link);
    }
}

/* What was read to judge it goes first. False: the connection broke. */
static bool
send_in(struct link *link, bool *ret_moved)
{
    while (link->in_at < link->in_len) {
        ssize_t n =
            send(link->server.fd, link->in + link->in_at,
                 link->in_len - link->in_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        link->in_at += (size_t)n;
        *ret_moved = true;
    }
    free(AG_TAKE(link->in));
    link->in_at = 0;
    link->in_len = 0;
    return true;
}

static void
wait_on(struct link *link)
{
    bool sends = link->in != NULL && link->greeted;
    bool reads =
        link->greeted ? !sends && !link->up.eof && link->up.held == 0 : true;
    bool hears = (link->greeted || link->reach.any_protocol) &&
                 !link->down.eof && link->down.held == 0;

    end_wait(&link->client,
             (reads ? EPOLLIN : 0U) | (link->down.held > 0 ? EPOLLOUT : 0U));
    end_wait(&link->server, (hears ? EPOLLIN : 0U) |
                                (sends || link->up.held > 0 ? EPOLLOUT : 0U));
}

static void
wait_for_tls(struct link *link)
{
    if (link->greeted) {
        intercept_start(link);
    } else {
        end_wait(&link->client, EPOLLIN);
    }
}

void
tunnel_step(struct link *link)
{
    struct forward *f = link->owner;
    bool moved = false;
    bool whole = true;

    if (!link->greeted) {
        take_greeting(link);
    }
    if (link->state != LINK_TUNNEL) {
        return;
    }
    if (link->reach.how == REACH_INTERCEPT) {
        wait_for_tls(link);
        return;
    }
    if (link->greeted) {
        whole = link->in == NULL || send_in(link, &moved);
        if (whole && link->in == NULL) {
            whole = flow_run(f, &link->up, link->client.fd, link->server.fd,
                             &moved);
        }
    }
    if (whole && (link->greeted || link->reach.any_protocol)) {
        whole =
            flow_run(f, &link->down, link->server.fd, link->client.fd, &moved);
    }
    if (!whole || (link->up.shut && link->down.shut)) {
        link_die(link);
        return;
    }
    link->since_ms = moved ? clock_steady_ms() : link->since_ms;
    wait_on(link);
}

void
tunnel_refused(struct link *link)
{
    if (link->in_len > 0 && link->in[0] == TLS_FIRST_BYTE) {
        (void)!send(link->client.fd, ALERT, sizeof(ALERT),
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    link_end_refused(link);
}
