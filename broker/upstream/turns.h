/*
 * turns.h - whose turn it is: how many calls run at one time, in all and to one
 * host, and who waits, in the order they came, whichever thread they are on.
 * Floor: upstream. Depends on: upstream/call.
 */
#ifndef AG_UPSTREAM_TURNS_H
#define AG_UPSTREAM_TURNS_H

#include <pthread.h>

#include "base/attr.h"
#include "base/err.h"
#include "upstream/call.h"

TAILQ_HEAD(turns_list, upstream_call);
TAILQ_HEAD(turns_places, turns_place);

struct turns {
    pthread_mutex_t lock; /* over all below, and what upstream.c puts there */
    struct upstream_limits limits;
    int64_t unended_count; /* in turns_take(), not in turns_leave() yet */
    int64_t running_count; /* of these, who had their turn */
    struct turns_list waiting;
    struct turns_places places; /* with none running, too: to be used again */
};

AG_NONNULL void turns_init(struct turns *t,
                           const struct upstream_limits *limits);
AG_NONNULL void turns_done(struct turns *t);

/* Under the lock: counts the call and sets its has_turn, or lets it wait; it is
 * touched (call_touch()) when its turn comes.
 * Errors: AG_EBUSY too many wait already; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err turns_take(struct turns *t,
                                           struct upstream_call *call);

/* The call is over, or waits no more: others have their turn. */
AG_NONNULL void turns_leave(struct turns *t, struct upstream_call *call);

/* Was the last answer from there a large one? What this one has so far. On the
 * call's thread, before turns_leave(). */
AG_NONNULL bool turns_expects_much(const struct upstream_call *call);
AG_NONNULL void turns_note_bytes(struct upstream_call *call, int64_t bytes);

AG_NONNULL void turns_set_limits(struct turns *t,
                                 const struct upstream_limits *limits);

/* The limits as they are now. */
AG_NONNULL struct upstream_limits turns_limits(struct turns *t);

#endif
