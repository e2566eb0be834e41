/*
 * conn.h - one connection of fd.sock: its thread, its messages, its streams
 * and its life.
 * Floor: handover. Depends on: core/handout, privsep/filter, caller/peer.
 *
 * Counted: the thread holds one, every live stream another (its end is told
 * from the filter's thread, perhaps after the connection is gone), the table
 * of connections none.
 */
#ifndef AG_HANDOVER_CONN_H
#define AG_HANDOVER_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/handout.h"
#include "handover/message.h"

struct buf;
struct core;
struct filter;
struct killer;
struct peer;
struct stream;

enum {
    CONN_STREAMS_MAX_COUNT = 16,
    CONN_IDLE_MS = 30 * 1000,     /* to show a first good ticket */
    CONN_REFUSALS_MAX_COUNT = 64, /* then it only guesses */
};

/* What all connections share; borrowed. */
struct conn_parts {
    struct core *core;
    struct filter *filter;
    struct killer *killer;
};

/* Written by its own thread unless it says otherwise. */
struct conn {
    struct conn_parts parts;
    int sock;
    int wake_fd; /* eventfd: a stream has ended */
    struct peer *peer;
    uint64_t id;
    int64_t tree_id;         /* the task whose tree the caller is in; 0: none */
    _Atomic int64_t task_id; /* whose life this line is; 0: none */
    bool useful;             /* a ticket was good */
    size_t refusals;
    uint64_t last_stream;
    size_t stream_count;
    struct stream *streams; /* live ones */
    atomic_size_t references;
    pthread_mutex_t lock; /* over the three below */
    struct stream *ended; /* what the filter's thread left here */
    bool closed;          /* nobody will look there any more */
    bool said_end;        /* the supervisor, of the task it had */
    char text[MESSAGE_MAX_BYTES];
};

/* Takes over sock and peer, also on error. */
AG_CHECK AG_NONNULL enum ag_err conn_new(const struct conn_parts *parts,
                                         int sock, struct peer *peer,
                                         struct conn **ret);
AG_NONNULL void conn_hold(struct conn *c);
void conn_drop(struct conn *c); /* NULL is allowed */

/* The thread's work: serves until the end, then undoes what is left. */
AG_NONNULL void conn_serve(struct conn *c);

/* Tells a supervisor that its task has ended, and starts its time; nothing
 * happens on a connection without a task, or whose supervisor has said the end
 * itself. Threads: any. Blocks: no. */
AG_NONNULL void conn_end_task(struct conn *c, const char *reason);

/* Says {"ok":false,…}. */
AG_NONNULL void conn_refuse(struct conn *c, enum ag_err err);

/* Lets conn_serve() return soon. Threads: any. */
AG_NONNULL void conn_shut(struct conn *c);

/* Sends a message without waiting; a peer that doesn't read is cut off.
 * Threads: any. */
AG_NONNULL void conn_send(struct conn *c, const struct buf *message);

#endif
