/*
 * conn.h - what we know of a connection beside what libmicrohttpd knows: which
 * socket it came by, whose it is, how far its request was read; and the table
 * by which recv() finds it.
 * Floor: http. Depends on: base/reactor, http/intake, caller/peer.
 *
 * Life: made by the accept thread, put into the table, handed to a worker; used
 * only by the thread of that worker; freed when MHD says closed,
 * which is before it closes the descriptor.
 */
#ifndef AG_HTTP_CONN_H
#define AG_HTTP_CONN_H

#include <sys/queue.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/reactor.h"
#include "http/intake.h"
#include "policy/request.h"

struct pass;
struct peer;
struct worker;

/* The sockets, and their bits in a route's row. */
enum http_socket {
    HTTP_ADMIN = 1,
    HTTP_TASK = 2,
    HTTP_TCP = 4,
    HTTP_UNIX = HTTP_ADMIN | HTTP_TASK,
    HTTP_ANY = HTTP_ADMIN | HTTP_TASK | HTTP_TCP,
};

/* How a connection came in. */
struct conn_door {
    enum http_socket socket;
    uint16_t port; /* ours, of HTTP_TCP: every Host must name it; 0: any */
    enum request_via via;
    const char *authority; /* of REQUEST_INTERCEPTED; borrowed for the call */
};

enum conn_state {
    CONN_OPEN,
    CONN_DOOMED, /* malformed, but earlier requests are still being answered */
    CONN_ENDING, /* the refusal is written; what comes is thrown away */
};

struct conns;

struct conn {
    LIST_ENTRY(conn) link; /* of the table */
    int fd;
    enum http_socket socket;
    enum request_via via;
    enum conn_state state;
    uid_t uid; /* as counted: (uid_t)-1 on TCP */
    pid_t pid;
    struct peer *peer; /* owned */
    struct conns *owner;
    struct worker *worker;     /* who serves it: worker_add() */
    struct reactor_work added; /* worker_add()'s */
    struct pass *pass; /* the request under way, if it is passed on (pass.h) */
    struct intake intake;
    size_t unanswered; /* whole requests given to MHD and not completed */
    size_t lingered_bytes;
    int64_t ended_ms;   /* when the refusal was written */
    int64_t moved_ms;   /* since when so few bytes of a passed body came; 0 */
    size_t moved_bytes; /* as these */
    int64_t begun_ms;   /* when the request under way began */
    int64_t request_ms; /* how long it may take: limits.request_s */
    /* Once it is a WebSocket: limits.socket_..._s */
    int64_t socket_stall_ms;
    int64_t socket_left_ms;
    int64_t socket_end_ms;
    enum ag_err refusal; /* of CONN_DOOMED */
    char why[200];
};

/* The table and the caps. Limits are copied. */
AG_CHECK AG_NONNULL enum ag_err conns_new(const struct http_limits *limits,
                                          struct conns **ret);
void conns_free(struct conns *t);
AG_DEFINE_CLEANUP(conns, conns_free)

AG_NONNULL void conns_set_limits(struct conns *t,
                                 const struct http_limits *limits);

/*
 * A connection for `fd`, counted and in the table; `peer` is taken over on
 * AG_OK only.
 * Errors: AG_EBUSY a cap is reached (its sentence says which), AG_ENOMEM.
 * Threads: the accept thread; the rest of the table is safe for all.
 */
AG_CHECK AG_NONNULL enum ag_err conns_add(struct conns *t, int fd,
                                          const struct conn_door *door,
                                          struct peer *peer, struct conn **ret);

/* Out of the table, uncounted, freed. */
void conn_free(struct conn *c);

AG_NONNULL size_t conns_count(struct conns *t);

/* The connection of a descriptor, or NULL if it is none of ours. */
struct conn *conn_of_fd(int fd);

#endif
