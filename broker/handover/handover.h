/*
 * handover.h - fd.sock: one connection serves one `auth-guard run`, `redact` or
 * `adopt`. Messages are JSON objects of at most 8 KiB, one per packet, with the
 * descriptors they speak of; each names its ticket.
 * Floor: handover. Depends on: core/handout, caller/peer, privsep/filter, wire.
 *
 *   op        with        answer, besides "ok"
 *   life      -           task
 *   stream    [src, dst]  stream (a number of this connection); "audience":
 *                         "task" when the task can read what dst gets
 *   deliver   [dst]       bytes
 *   take      [src]       version, changed, retained, replace; name if retained
 *   end       -           task, hits, exposed
 *
 * Unasked: {"event":"stream_end", …}, {"event":"end","reason":…}. A refused
 * message: {"ok":false,"code":…,"detail":…}; the connection stays, unless the
 * message was no message or there were too many. The end of a connection that
 * holds a life is the end of the task; what holds nothing after 30 s is closed.
 * Each connection has a thread of its own, since reading a file, writing a
 * value and waiting for the writer all block.
 */
#ifndef AG_HANDOVER_HANDOVER_H
#define AG_HANDOVER_HANDOVER_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct core;
struct filter;
struct handover;
struct peer;

enum {
    HANDOVER_CONNECTIONS_MAX_COUNT = 512, /* two for each running task */
    HANDOVER_OF_TASK_MAX_COUNT = 16,      /* redacts at once within one task */
    HANDOVER_KILL_MS = 500, /* a supervisor's time to end its task itself */
    HANDOVER_STACK_BYTES = 256 * 1024,
};

/* The parts are borrowed and outlive it. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
handover_new(struct core *core, struct filter *filter, struct handover **ret);

/*
 * Tells every supervisor that its task ends ("broker"), gives it
 * HANDOVER_KILL_MS, then ends every connection and waits for its thread. Before
 * core_free(). NULL is allowed. A thread that hangs in a file system is left
 * behind after 3 s, so the program should end soon.
 */
void handover_free(struct handover *h);
AG_DEFINE_CLEANUP(handover, handover_free)

/*
 * Takes over an accepted SOCK_SEQPACKET connection and its peer, also on error
 * (both are then closed and freed, and the caller was told why).
 * Errors: AG_EBUSY too many connections; AG_EDENIED a peer of another uid or
 *         not established; AG_ENOMEM, AG_EIO.
 * Threads: the accept thread. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err handover_accept(struct handover *h, int sock,
                                                struct peer *peer);

AG_NONNULL size_t handover_connection_count(struct handover *h);

#endif
