#include "base/timers.h"

#include <limits.h>
#include <stddef.h>

#include "base/clock.h"

void
timers_set(struct timer_list *list, struct reactor_timer *timer, int64_t at_ms)
{
    timer->at_ms = at_ms;
    if (at_ms == INT64_MAX && timer->is_set) {
        LIST_REMOVE(timer, link);
    } else if (at_ms != INT64_MAX && !timer->is_set) {
        LIST_INSERT_HEAD(list, timer, link);
    }
    timer->is_set = at_ms != INT64_MAX;
}

void
timers_do(struct timer_list *list)
{
    struct timer_list due = LIST_HEAD_INITIALIZER(due);
    struct reactor_timer *timer = LIST_FIRST(list);
    int64_t now_ms = timer == NULL ? 0 : clock_steady_ms();

    while (timer != NULL) {
        struct reactor_timer *next = LIST_NEXT(timer, link);

        if (timer->at_ms <= now_ms) {
            LIST_REMOVE(timer, link);
            LIST_INSERT_HEAD(&due, timer, link);
        }
        timer = next;
    }
    while ((timer = LIST_FIRST(&due)) != NULL) {
        LIST_REMOVE(timer, link);
        timer->is_set = false;
        timer->fn(timer->ctx);
    }
}

int
timers_wait_ms(const struct timer_list *list)
{
    const struct reactor_timer *timer = NULL;
    int64_t next_ms = INT64_MAX;
    int64_t left_ms = 0;

    LIST_FOREACH(timer, list, link)
    {
        next_ms = timer->at_ms < next_ms ? timer->at_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        return -1;
    }
    left_ms = next_ms - clock_steady_ms();
    return left_ms < 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}
