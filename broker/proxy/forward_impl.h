/*
 * forward_impl.h - what the files of the forward proxy share: forward.c has its
 * threads and their loop, link.c the steps of one connection, tunnel.c those
 * of one that is passed on, intercept.c those of one
 * whose TLS ends here, relay.c how bytes pass.
 * Floor: proxy, and only this folder includes it.
 */
#ifndef AG_PROXY_FORWARD_IMPL_H
#define AG_PROXY_FORWARD_IMPL_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/call.h"
#include "core/reach.h"
#include "proxy/connect_head.h"
#include "proxy/forward.h"
#include "proxy/hello.h"

struct upstream_call;

enum {
    LINK_WHY_BYTES = 200,
    LINK_IN_BYTES = HELLO_RECORDS_MAX_BYTES,
    RELAY_SPARE_COUNT = 16, /* pipes at rest */
};

_Static_assert((int)LINK_IN_BYTES >= (int)CONNECT_HEAD_MAX_BYTES, "no room");

enum link_state {
    LINK_HEAD,      /* the CONNECT is read */
    LINK_ASKED,     /* with the thread that may block; nobody else touches it */
    LINK_DIALING,   /* with the upstream */
    LINK_TUNNEL,    /* its greeting, then bytes */
    LINK_HANDSHAKE, /* TLS that ends here */
    LINK_CLEAR,     /* … and what it carries, with the HTTP side */
    LINK_ENDING,    /* refused; what comes is thrown away */
    LINK_DEAD,      /* to be freed when the loop comes round */
};

/* What the blocking thread is asked for. */
enum link_ask {
    ASK_DECIDE,
    ASK_REFUSE, /* to put link->err on the record */
};

/* One of the two sockets, as the loop has it. */
struct end {
    struct link *link;
    int fd;
    unsigned events; /* 0: not in the loop */
};

/* One direction: bytes on their way are in a pipe, lent while there are any. */
struct flow {
    int pipe[2];
    size_t held;
    bool eof;
    bool shut; /* the end was passed on */
};

struct link {
    TAILQ_ENTRY(link) all;
    TAILQ_ENTRY(link) queued; /* for either thread; under the owner's lock */
    struct forward *owner;
    struct end client;
    struct end server;
    struct peer *peer;
    struct call call;
    struct connect_head head;
    struct reach reach;
    uint8_t *in; /* of the client's: the head, then its greeting */
    size_t in_at;
    size_t in_len;
    struct upstream_call *dial;
    struct flow up;
    struct flow down;
    /* Interception: `server` is our end of a pair, `in` what it has no room
     * for. */
    struct gnutls_session_int *tls;
    int64_t since_ms; /* the state, or the last byte of a tunnel */
    enum link_state state;
    enum link_ask ask;
    enum ag_err err;
    int dialed_fd;    /* under the lock while dialing */
    bool posted;      /* in the owner's list; under its lock */
    bool established; /* the client was told that it has its tunnel */
    bool greeted;     /* the greeting was judged */
    bool sends;       /* a record that the client has no room for */
    char why[LINK_WHY_BYTES];
};

TAILQ_HEAD(link_list, link);

struct forward {
    struct forward_parts parts;
    int epoll_fd;
    int wake_fd;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t more;
    struct forward_limits limits;
    struct link_list fresh;  /* for the loop: new ones, … */
    struct link_list posted; /* … and those that come back */
    struct link_list asked;  /* for the blocking thread */
    size_t count;
    bool runs;
    bool stopping;
    pthread_t loop;
    pthread_t asker;
    /* The loop's thread only: */
    struct link_list links;
    uint8_t scratch[HELLO_MAX_BYTES];
    int spare[RELAY_SPARE_COUNT][2];
    size_t spare_count;
};

/* ---- forward.c ---- */

/* To the blocking thread; the link is out of the loop until it comes back. */
AG_NONNULL void forward_ask(struct link *link, enum link_ask ask);

/* Back to the loop. Threads: any. */
AG_NONNULL void forward_post(struct link *link);

/* Takes that back: the link goes. */
AG_NONNULL void forward_unpost(struct link *link);

AG_NONNULL struct forward_limits forward_limits_of(struct forward *f);

/* Says which events of a socket are waited for. */
AG_NONNULL void end_wait(struct end *end, unsigned events);

/* How many of the others are of this task. */
AG_NONNULL size_t forward_count_task(const struct forward *f,
                                     const struct link *but);

/* ---- link.c: the loop's thread ---- */

AG_CHECK AG_NONNULL enum ag_err link_new(struct forward *f, int fd,
                                         struct peer *peer, struct link **ret);
void link_free(struct link *link);

/* Ends it if it has no head yet, or was refused: there are too many. */
AG_CHECK AG_NONNULL bool link_give_way(struct link *link);

/* It is new; something happened at a socket; it came back; time has passed. */
AG_NONNULL void link_start(struct link *link);
AG_NONNULL void link_step(struct link *link);
AG_NONNULL void link_back(struct link *link);
AG_NONNULL void link_look(struct link *link, int64_t now_ms,
                          const struct forward_limits *limits);

/* The blocking thread: does what was asked. */
AG_NONNULL void link_serve_ask(struct link *link);

/* Pieces of these, for tunnel.c. */
AG_NONNULL void link_move(struct link *link, enum link_state state);
AG_NONNULL void link_die(struct link *link);
AG_NONNULL void link_keep_error(struct link *link, enum ag_err err);

/* It was told why; what still comes is thrown away for a while. */
AG_NONNULL void link_end_refused(struct link *link);

/* Reads on into `in`. False: nothing came, or it ended and is dead. */
AG_CHECK AG_NONNULL bool link_read_in(struct link *link);

/* ---- tunnel.c: the loop's thread ---- */

AG_NONNULL void tunnel_step(struct link *link);

/* That its greeting was refused is on record. */
AG_NONNULL void tunnel_refused(struct link *link);

/* ---- intercept.c: the loop's thread ---- */

/* Its greeting is good: TLS begins, with what was read of it. */
AG_NONNULL void intercept_start(struct link *link);
AG_NONNULL void intercept_step(struct link *link);
AG_NONNULL void intercept_done(struct link *link);

/* ---- relay.c: the loop's thread ---- */

AG_NONNULL void flow_init(struct flow *flow);

/* Lets go of its pipe. */
AG_NONNULL void flow_done(struct forward *f, struct flow *flow);

/* Passes on what can be now; *ret_moved is set if anything was. False: the
 * connection broke. */
AG_CHECK AG_NONNULL bool flow_run(struct forward *f, struct flow *flow,
                                  int from, int to, bool *ret_moved);

#endif
