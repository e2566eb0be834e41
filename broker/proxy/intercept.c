/* TLS of a task's client that ends here (forward_impl.h): what it carries goes
 * through a pair of sockets to the HTTP side, which knows whom it is for. */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "base/clock.h"
#include "base/secret.h"
#include "proxy/forward_impl.h"
#include "tls/authority.h"

enum {
    PORT_HTTPS = 443,
};

static const char VERSIONS[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* Parsed once; lives as long as the process. */
static pthread_once_t priority_once = PTHREAD_ONCE_INIT;
static gnutls_priority_t priority;

static void
make_priority(void)
{
    if (gnutls_priority_init(&priority, VERSIONS, NULL) != GNUTLS_E_SUCCESS) {
        priority = NULL;
    }
}

/* ---- how GnuTLS reads and writes ---- */

/* First what was read to judge the greeting. */
static ssize_t
on_pull(gnutls_transport_ptr_t arg, void *out, size_t len)
{
    struct link *link = arg;
    size_t left =
        link->state == LINK_HANDSHAKE ? link->in_len - link->in_at : 0;
    ssize_t n = 0;

    if (left > 0) {
        len = left < len ? left : len;
        memcpy(out, link->in + link->in_at, len);
        link->in_at += len;
        return (ssize_t)len;
    }
    n = recv(link->client.fd, out, len, MSG_DONTWAIT);
    if (n < 0) {
        gnutls_transport_set_errno(link->tls, errno);
    }
    return n;
}

static int
on_pull_timeout(gnutls_transport_ptr_t arg, unsigned int ms)
{
    const struct link *link = arg;
    struct pollfd fd = {.fd = link->client.fd, .events = POLLIN};

    (void)ms;
    return poll(&fd, 1, 0);
}

static ssize_t
on_push(gnutls_transport_ptr_t arg, const void *bytes, size_t len)
{
    const struct link *link = arg;
    ssize_t n = send(link->client.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0) {
        gnutls_transport_set_errno(link->tls, errno);
    }
    return n;
}

static bool
is_again(ssize_t code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

/* ---- the handshake ---- */

static int
set_up(struct link *link)
{
    static uint8_t http[] = "http/1.1";
    const gnutls_datum_t protocol = {http, sizeof(http) - 1};
    int code = gnutls_priority_set(link->tls, priority);

    if (code == 0) {
        code = gnutls_credentials_set(link->tls, GNUTLS_CRD_CERTIFICATE,
                                      leaf_credentials(link->reach.leaf));
    }
    if (code == 0) {
        code = gnutls_alpn_set_protocols(link->tls, &protocol, 1,
                                         GNUTLS_ALPN_MANDATORY);
    }
    gnutls_transport_set_ptr(link->tls, link);
    gnutls_transport_set_pull_function(link->tls, on_pull);
    gnutls_transport_set_pull_timeout_function(link->tls, on_pull_timeout);
    gnutls_transport_set_push_function(link->tls, on_push);
    return code;
}

void
intercept_start(struct link *link)
{
    (void)pthread_once(&priority_once, make_priority);
    if (priority == NULL ||
        gnutls_init(&link->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK |
                                    GNUTLS_NO_SIGNAL) != GNUTLS_E_SUCCESS ||
        set_up(link) != GNUTLS_E_SUCCESS) {
        link_die(link);
        return;
    }
    link_move(link, LINK_HANDSHAKE);
    intercept_step(link);
}

/* The clear side: one end is ours, the other the HTTP side's. */
static void
open_clear(struct link *link)
{
    const struct forward_parts *parts = &link->owner->parts;
    char authority[GUARD_AUTHORITY_BYTES];
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) != 0) {
        link_die(link);
        return;
    }
    guard_write_authority(&link->head.host, link->head.port, PORT_HTTPS,
                          authority);
    link->server.fd = pair[0];
    link->in_at = 0;
    link->in_len = 0;
    link_move(link, LINK_CLEAR);
    /* Refused: it was told on the pair, from where the client gets it. */
    (void)!parts->serve(parts->ctx, pair[1], authority, AG_TAKE(link->peer));
}

static void
step_handshake(struct link *link)
{
    int code = 0;

    do {
        code = gnutls_handshake(link->tls);
    } while (code != GNUTLS_E_SUCCESS && !is_again(code) &&
             gnutls_error_is_fatal(code) == 0);
    if (code == GNUTLS_E_SUCCESS) {
        open_clear(link);
    } else if (is_again(code)) {
        end_wait(&link->client, gnutls_record_get_direction(link->tls) == 1
                                    ? EPOLLOUT
                                    : EPOLLIN);
    } else {
        (void)gnutls_alert_send_appropriate(link->tls, code);
        link_end_refused(link);
    }
}

/* ---- what it carries ---- */

/* To the HTTP side; what has no room stays in `in`. */
static bool
give(struct link *link, const uint8_t *bytes, size_t len)
{
    ssize_t n = send(link->server.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return false;
    }
    n = n < 0 ? 0 : n;
    if ((size_t)n < len) {
        memmove(link->in, bytes + n, len - (size_t)n);
    }
    link->in_len = len - (size_t)n;
    return true;
}

/* From the client. False: it is over. */
static bool
pass_up(struct link *link, bool *moved)
{
    uint8_t *scratch = link->owner->scratch;
    ssize_t n = 0;

    if (link->in_len > 0 && !give(link, link->in, link->in_len)) {
        return false;
    }
    while (link->in_len == 0 && !link->up.eof) {
        n = gnutls_record_recv(link->tls, scratch, HELLO_MAX_BYTES);
        if (n == 0) {
            link->up.eof = true;
            (void)shutdown(link->server.fd, SHUT_WR);
        } else if (n < 0) {
            return is_again(n);
        } else if (!give(link, scratch, (size_t)n)) {
            return false;
        }
        *moved = true;
    }
    return true;
}

/* To the client: in records of at most its size. */
static bool
pass_down(struct link *link, bool *moved)
{
    uint8_t *scratch = link->owner->scratch;
    size_t most = gnutls_record_get_max_size(link->tls);
    ssize_t n = 0;

    most = most < HELLO_MAX_BYTES ? most : HELLO_MAX_BYTES;
    if (link->sends) {
        n = gnutls_record_send(link->tls, NULL, 0);
        link->sends = is_again(n);
    }
    while (n >= 0 && !link->sends && !link->down.eof) {
        n = recv(link->server.fd, scratch, most, MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        *moved = true;
        link->down.eof = n == 0;
        if (n > 0) {
            n = gnutls_record_send(link->tls, scratch, (size_t)n);
            link->sends = is_again(n);
        }
    }
    return n >= 0 || link->sends;
}

static void
step_clear(struct link *link)
{
    bool moved = false;
    bool whole = pass_up(link, &moved) && pass_down(link, &moved);

    wipe(link->owner->scratch, sizeof(link->owner->scratch));
    if (!whole) {
        link_die(link);
        return;
    }
    if (link->down.eof && !link->sends) {
        (void)gnutls_bye(link->tls, GNUTLS_SHUT_WR);
        link_end_refused(link);
        return;
    }
    link->since_ms = moved ? clock_steady_ms() : link->since_ms;
    end_wait(&link->client,
             (link->in_len == 0 && !link->up.eof ? EPOLLIN : 0U) |
                 (link->sends ? EPOLLOUT : 0U));
    end_wait(&link->server,
             (link->sends ? 0U : EPOLLIN) | (link->in_len > 0 ? EPOLLOUT : 0U));
}

void
intercept_step(struct link *link)
{
    if (link->state == LINK_HANDSHAKE) {
        step_handshake(link);
    }
    if (link->state == LINK_CLEAR) {
        step_clear(link);
    }
}

void
intercept_done(struct link *link)
{
    if (link->tls != NULL) {
        gnutls_deinit(link->tls);
    }
}
