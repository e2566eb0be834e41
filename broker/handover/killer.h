/*
 * killer.h - ends the supervisors that did not end their task by themselves:
 * told first, killed by their pidfd when the time is over. With the supervisor
 * its tree goes, for its keeper dies with it.
 * Floor: handover. Depends on: base/err.
 */
#ifndef AG_HANDOVER_KILLER_H
#define AG_HANDOVER_KILLER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct killer;

enum {
    KILLER_MAX_COUNT = 512, /* waiting; above that it kills at once */
};

/* Starts a thread. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err killer_new(struct killer **ret);

/* Who still waits is killed now: nobody would do it later. NULL is allowed. */
void killer_free(struct killer *k);
AG_DEFINE_CLEANUP(killer, killer_free)

/*
 * Kills the process of `pidfd` (borrowed; -1 is nobody) in `wait_ms`, unless
 * killer_cancel(id) comes before. A second call for an id changes nothing.
 * Threads: safe. Blocks: no.
 */
AG_NONNULL void killer_later(struct killer *k, uint64_t id, int pidfd,
                             int64_t wait_ms);
AG_NONNULL void killer_cancel(struct killer *k, uint64_t id);

/* SIGKILL now; one that is gone is no error. */
void killer_now(int pidfd);

#endif
