/*
 * peer.h - who is at the other end of a connection, established once, when it
 * is accepted; per request only whether that process is still there.
 * Floor: caller. Depends on: base/proc, crypt/memo.
 *
 * Unix sockets: SO_PEERCRED and SO_PEERPIDFD (where the kernel has it, 6.5)
 * name the process that called connect(). The facts are read between two looks
 * at its pidfd, so they are of that process and of no later one with its pid.
 * Without SO_PEERPIDFD the pidfd is opened by pid and the process must have
 * started before the connection was accepted; what remains there is a pid that
 * died and was given again while the connection waited in the backlog.
 *
 * TCP: nothing is known at first; peer_trace() finds the owner when a request
 * shows a token, for only then it is known which trees to search.
 *
 * A connection that was passed on stays its connector's: when that process is
 * gone, peer_check() refuses whoever holds the socket now.
 */
#ifndef AG_CALLER_PEER_H
#define AG_CALLER_PEER_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"

struct peer;
struct token_memo;
struct tree;

enum peer_transport {
    PEER_UNIX,
    PEER_TCP,
};

/*
 * Establishes the peer of an accepted Unix connection. `sock` is borrowed for
 * the call, `source` too. Never fails for reasons of the peer's: what can't be
 * established gives a peer without facts, whose class is `other`.
 * Errors: AG_ENOMEM, AG_EIO (out of descriptors).
 * Threads: safe. Blocks: for the witness, at most a second.
 */
AG_CHECK AG_NONNULL enum ag_err
peer_from_unix(int sock, const struct proc_source *source, struct peer **ret);

/* The same for an accepted TCP connection; does not ask the witness yet. */
AG_CHECK AG_NONNULL enum ag_err peer_from_tcp(int sock, struct peer **ret);

/* A peer made of given facts, for tests and for in-process callers. Without a
 * pidfd it is always alive. */
AG_CHECK AG_NONNULL enum ag_err peer_from_facts(const struct proc_facts *facts,
                                                struct peer **ret);

void peer_free(struct peer *p);
AG_DEFINE_CLEANUP(peer, peer_free)

/*
 * Per request: AG_OK while the connector lives; AG_EPROCESS when it is gone
 * ("passed on"); AG_OK too for a TCP peer not traced yet. One poll(2), no
 * question to the witness.
 */
AG_CHECK AG_NONNULL enum ag_err peer_check(const struct peer *p);

/*
 * TCP only, at a request that shows a token: looks for the owner among the
 * descendants of task `task_id`, or of all tasks with 0 (role tokens, unbound
 * tokens: AG_OK then also for a process outside every tree, whose uid alone is
 * known). A peer whose process was found stays what it is. Unix: AG_OK, nothing
 * to do.
 * Errors: AG_EPROCESS   positively outside that task: the caller may revoke;
 *         AG_EUNTRACED  can't be established: refuse only.
 * Threads: one at a time per peer. Blocks: for the witness.
 */
AG_CHECK AG_NONNULL enum ag_err peer_trace(struct peer *p,
                                           const struct proc_source *source,
                                           struct tree *tree, int64_t task_id);

AG_NONNULL enum peer_transport peer_transport(const struct peer *p);

/* NULL when nothing is established (other uid, not visible, TCP not traced). */
AG_NONNULL const struct proc_facts *peer_facts(const struct peer *p);

/* For logs, limits per caller and the class: (uid_t)-1 and 0 when unknown. */
AG_NONNULL uid_t peer_uid(const struct peer *p);
AG_NONNULL pid_t peer_pid(const struct peer *p);

/* A number that no other peer of this broker ever has; above 0. */
AG_NONNULL uint64_t peer_id(const struct peer *p);

/* The token last shown on this connection; borrowed. Threads: one at a time per
 * peer. */
AG_NONNULL struct token_memo *peer_memo(struct peer *p);

/* A pidfd of the connector, -1 without; borrowed. */
AG_NONNULL int peer_pidfd(const struct peer *p);

#endif
