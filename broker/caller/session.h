/*
 * session.h - the table of approved terminal sessions and of fresh proofs.
 * Floor: caller. Depends on: base/proc.
 *
 * A session is its id, its leader's start time and its terminal. One whose
 * leader is dead is never approved and never matches: what outlives the
 * person's shell is not the person. Times are clock_steady_ms().
 *
 * A proof holds for the process that gave it, and for others of the same
 * session with the same parent process, if that parent is of the session too
 * (else every orphan below process 1 would share one).
 */
#ifndef AG_CALLER_SESSION_H
#define AG_CALLER_SESSION_H

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"

struct sessions;

enum {
    SESSION_MAX_COUNT = 64, /* when full the one that ends first goes */
    SESSION_PROOF_MAX_COUNT = 64,
};

AG_CHECK AG_NONNULL enum ag_err sessions_new(struct sessions **ret);
void sessions_free(struct sessions *s);
AG_DEFINE_CLEANUP(sessions, sessions_free)

/*
 * Approves the session of `who` until `until_ms`; a later end replaces an
 * earlier one, never the other way round.
 * Errors: AG_EUNTRACED no session, or its leader is dead.
 * Threads: every function here is safe.
 */
AG_CHECK AG_NONNULL enum ag_err sessions_approve(struct sessions *s,
                                                 const struct proc_facts *who,
                                                 int64_t now_ms,
                                                 int64_t until_ms);

/* When the approval ends, or 0 when there is none. */
AG_NONNULL int64_t sessions_until(struct sessions *s,
                                  const struct proc_facts *who, int64_t now_ms);

/*
 * Records that `who` gave the passphrase now; good until `until_ms` while its
 * session stays approved.
 * Errors: AG_EOPERATOR the session is not approved.
 */
AG_CHECK AG_NONNULL enum ag_err sessions_prove(struct sessions *s,
                                               const struct proc_facts *who,
                                               int64_t now_ms,
                                               int64_t until_ms);
AG_NONNULL int64_t sessions_proof_until(struct sessions *s,
                                        const struct proc_facts *who,
                                        int64_t now_ms);

/* On `lock`: every approval and every proof. */
AG_NONNULL void sessions_forget(struct sessions *s);

AG_NONNULL size_t sessions_count(struct sessions *s, int64_t now_ms);

#endif
