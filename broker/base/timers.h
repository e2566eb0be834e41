/*
 * timers.h - the times that a reactor has to keep: few, in a list.
 * Floor: base. Depends on: base/reactor (its timers), base/clock.
 * Threads: the reactor's only. Blocks: no.
 */
#ifndef AG_BASE_TIMERS_H
#define AG_BASE_TIMERS_H

#include <sys/queue.h>

#include "base/reactor.h"

LIST_HEAD(timer_list, reactor_timer);

/* reactor_set(). */
AG_NONNULL void timers_set(struct timer_list *list, struct reactor_timer *timer,
                           int64_t at_ms);

/* Those that are due now; one that is set anew meanwhile waits for the next
 * time, whenever it is for. */
AG_NONNULL void timers_do(struct timer_list *list);

/* How long until the first, for epoll_wait(): -1 is for ever. */
AG_NONNULL int timers_wait_ms(const struct timer_list *list);

#endif
