/*
 * filter_live.h - in the broker: streams whose end has not come, and what the
 * filter process reports of them.
 * Floor: privsep. Depends on: privsep/filter_msg.
 */
#ifndef AG_PRIVSEP_FILTER_LIVE_H
#define AG_PRIVSEP_FILTER_LIVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "privsep/filter.h"

struct live;

struct flive_list {
    pthread_mutex_t lock; /* over what follows */
    struct live *first;
    uint64_t last_id;
};

AG_NONNULL void flive_init(struct flive_list *list);
/* Those that are left are told nothing. */
AG_NONNULL void flive_done(struct flive_list *list);

/* Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err flive_add(struct flive_list *list,
                                          const struct filter_route *route,
                                          uint64_t *ret_id);
/* Without telling it. False: its end was told already. */
AG_NONNULL bool flive_drop(struct flive_list *list, uint64_t id);

/* An event of the process; any other is passed over. One thread. */
AG_NONNULL void flive_on_event(struct flive_list *list, uint16_t op,
                               struct span body);
/* The process is dead: AG_EFILTER to all. */
AG_NONNULL void flive_on_death(struct flive_list *list);

#endif
