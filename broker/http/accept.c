#include "http/accept.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/log.h"
#include "caller/peer.h"
#include "http/gate.h"
#include "http/server.h"

enum {
    PAUSE_MS = 50, /* when descriptors or memory have run out */
};

struct acceptor {
    struct accept_socket sockets[ACCEPT_SOCKETS_MAX_COUNT];
    size_t count;
    struct accept_parts parts;
    int stop_fd;
    pthread_t thread;
};

static enum ag_err
establish(const struct acceptor *a, const struct accept_socket *from, int fd,
          struct peer **ret)
{
    if (from->socket == HTTP_TCP) {
        return peer_from_tcp(fd, ret);
    }
    return peer_from_unix(fd, a->parts.source, ret);
}

/* Another user reaches the socket only by a wrong mode or as root of this
 * machine; root has it all anyway, but is told the truth. */
static bool
is_welcome(const struct acceptor *a, const struct accept_socket *from,
           const struct peer *peer)
{
    return from->socket == HTTP_TCP || peer_uid(peer) == a->parts.own_uid;
}

/* Owns fd from here on. */
static void
take(const struct acceptor *a, const struct accept_socket *from, int fd)
{
    const struct conn_door door = {.socket = from->socket,
                                   .port = from->socket == HTTP_TCP ? from->port
                                                                    : 0};
    AG_AUTO(fd) int sock = fd;
    AG_AUTO(peer) struct peer *peer = NULL;
    enum ag_err err;

    err_clear();
    err = establish(a, from, sock, &peer);
    if (err == AG_OK && !is_welcome(a, from, peer)) {
        err = err_why(AG_EDENIED, "another user's vault");
    }
    if (err != AG_OK) {
        log_warn("connection refused", "code", err_code(err));
        if (from->kind != ACCEPT_HANDOVER) {
            gate_refuse(sock, err, err_text(err));
        }
        return;
    }
    switch (from->kind) {
    case ACCEPT_HTTP:
        err = server_take(a->parts.server, FD_TAKE(sock), &door, AG_TAKE(peer));
        break;
    case ACCEPT_HANDOVER:
        err = a->parts.handover(a->parts.ctx, FD_TAKE(sock), AG_TAKE(peer));
        break;
    case ACCEPT_FORWARD:
        err = a->parts.forward(a->parts.ctx, FD_TAKE(sock), AG_TAKE(peer));
        break;
    }
    if (err != AG_OK) {
        log_warn("connection refused", "code", err_code(err));
    }
}

/* Some connections of one socket; false when it is time to pause. */
static bool
accept_some(const struct acceptor *a, const struct accept_socket *from)
{
    for (int i = 0; i < ACCEPT_BURST_COUNT; i++) {
        int fd = accept4(from->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(a, from, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                   errno == ENOMEM) {
            log_warn("accept", "error", strerrorname_np(errno));
            return false;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return true;
        }
    }
    return true;
}

enum waited {
    WAITED_READY,
    WAITED_NOTHING,
    WAITED_STOP,
};

/* For a connection or the end; in a pause for the end alone. The last of
 * `polled` is the end's. */
static enum waited
wait_ready(const struct acceptor *a, struct pollfd *polled, bool is_pause)
{
    struct pollfd *stop = &polled[a->count];
    int ready = is_pause ? poll(stop, 1, PAUSE_MS)
                         : poll(polled, (nfds_t)a->count + 1, -1);

    if (ready < 0 && errno != EINTR) {
        log_error("accept loop", "error", strerrorname_np(errno));
        return WAITED_STOP;
    }
    if (ready > 0 && stop->revents != 0) {
        return WAITED_STOP;
    }
    return ready > 0 ? WAITED_READY : WAITED_NOTHING;
}

static bool
accept_all(const struct acceptor *a, const struct pollfd *polled)
{
    bool has_room = true;

    for (size_t i = 0; i < a->count; i++) {
        if (polled[i].revents != 0 && !accept_some(a, &a->sockets[i])) {
            has_room = false;
        }
    }
    return has_room;
}

static void *
acceptor_main(void *arg)
{
    const struct acceptor *a = arg;
    struct pollfd polled[ACCEPT_SOCKETS_MAX_COUNT + 1];
    enum waited waited = WAITED_NOTHING;
    bool is_pause = false;

    for (size_t i = 0; i < a->count; i++) {
        polled[i] = (struct pollfd){.fd = a->sockets[i].fd, .events = POLLIN};
    }
    polled[a->count] = (struct pollfd){.fd = a->stop_fd, .events = POLLIN};
    while (waited != WAITED_STOP) {
        waited = wait_ready(a, polled, is_pause);
        is_pause = waited == WAITED_READY && !accept_all(a, polled);
    }
    return NULL;
}

enum ag_err
acceptor_new(const struct accept_socket *sockets, size_t count,
             const struct accept_parts *parts, struct acceptor **ret)
{
    struct acceptor *a;

    if (count == 0 || count > ACCEPT_SOCKETS_MAX_COUNT) {
        return err_why(AG_EINVAL, "%zu listening sockets", count);
    }
    a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return AG_ENOMEM;
    }
    memcpy(a->sockets, sockets, count * sizeof(*sockets));
    a->count = count;
    a->parts = *parts;
    a->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (a->stop_fd < 0) {
        free(a);
        return AG_EIO;
    }
    if (pthread_create(&a->thread, NULL, acceptor_main, a) != 0) {
        fd_close(a->stop_fd);
        free(a);
        return err_why(AG_ENOMEM, "no thread could be started");
    }
    *ret = a;
    return AG_OK;
}

void
acceptor_free(struct acceptor *a)
{
    const uint64_t one = 1;

    if (a == NULL) {
        return;
    }
    (void)!write(a->stop_fd, &one, sizeof(one));
    (void)pthread_join(a->thread, NULL);
    fd_close(a->stop_fd);
    free(a);
}
