/*
 * accept.h - the accept loop over all listening sockets: establishes who
 * connects, then hands the connection to the HTTP server or to handover.
 * Floor: http. Depends on: http/server, caller/peer.
 */
#ifndef AG_HTTP_ACCEPT_H
#define AG_HTTP_ACCEPT_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"
#include "http/conn.h"

struct acceptor;
struct peer;
struct server;

enum {
    ACCEPT_SOCKETS_MAX_COUNT = 8,
    ACCEPT_BURST_COUNT = 64, /* of one socket before the others get a turn */
};

enum accept_kind {
    ACCEPT_HTTP,
    ACCEPT_HANDOVER, /* fd.sock */
    ACCEPT_FORWARD,  /* proxy.sock, and the forward proxy's port */
};

struct accept_socket {
    int fd; /* listening, non-blocking; borrowed */
    enum accept_kind kind;
    enum http_socket socket; /* of other kinds: TCP or not */
    uint16_t port;           /* of HTTP_TCP */
};

struct accept_parts {
    struct server *server;
    const struct proc_source *source; /* the witness */
    uid_t own_uid;                    /* who may connect: this one and root */
    void *ctx;
    /* Takes over both, also on error. */
    enum ag_err (*handover)(void *ctx, int fd, struct peer *peer);
    enum ag_err (*forward)(void *ctx, int fd, struct peer *peer);
};

/* Starts the thread. What the parts point to outlives it. */
AG_CHECK AG_NONNULL enum ag_err
acceptor_new(const struct accept_socket *sockets, size_t count,
             const struct accept_parts *parts, struct acceptor **ret);

/* Stops accepting and joins the thread; sockets stay open. */
void acceptor_free(struct acceptor *a);
AG_DEFINE_CLEANUP(acceptor, acceptor_free)

#endif
