/*
 * reach.h - may a task have a connection to this host: the decision for each
 * connection of the forward proxy, and its record.
 * Floor: core. Depends on: core/proxied, policy/allow.
 *
 * A host that a value of the task's goes to is never tunnelled: its requests are
 * looked at one by one (core/permit). Any other must be allowed by name.
 */
#ifndef AG_CORE_REACH_H
#define AG_CORE_REACH_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"
#include "upstream/guard.h"

struct core;
struct leaf;
struct place;
struct proxied;

enum reach_how {
    REACH_TUNNEL,
    REACH_INTERCEPT,
};

struct reach {
    enum reach_how how;
    int64_t task_id;
    bool inner;
    bool any_protocol; /* of a tunnel: what passes need not be TLS */
    struct leaf *leaf; /* of REACH_INTERCEPT: what the client is shown */
};

void reach_done(struct reach *reach);
AG_DEFINE_CLEANUP_INPLACE(reach, reach_done)

/*
 * On AG_OK a tunnel is on the record, or counted (core/folds.h); what is intercepted will be, request by
 * request. So is every refusal, within the bound of core/permit. *ret is {0}
 * before, reach_done() after.
 * Errors: AG_EDENIED the caller is no task; AG_ENOTALLOWED, with what to type;
 *         AG_EREVOKED, AG_ELOCKED; those of the record; AG_ERATE refused too
 *         often: this one has no row of its own.
 * Threads: any that may block.
 */
AG_CHECK AG_NONNULL enum ag_err reach_decide(struct core *core,
                                             const struct call *call,
                                             const struct guard_host *host,
                                             uint16_t port, struct reach *ret);

/* A connection that was permitted and then was not what it said: on the
 * record. Gives `why` back with its sentence, or AG_ERATE as above. Blocks. */
AG_CHECK AG_NONNULL enum ag_err reach_refuse(struct core *core,
                                             const struct call *call,
                                             const struct guard_host *host,
                                             uint16_t port, enum ag_err why);

/* A place of the task's that covers this host, spelled as in a grant, and is
 * reached like this; or NULL. */
AG_NONNULL const struct place *reach_place(const struct proxied *set,
                                           struct span host, bool plain);

/* The entry of the task's list that covers the host, or NULL. */
AG_NONNULL const struct allow *reach_allowed(const struct proxied *set,
                                             const struct guard_host *host,
                                             uint16_t port);

#endif
