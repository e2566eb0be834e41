#include "redact/rule_events.h"

#include <stdlib.h>

enum {
    FIRST_COUNT = 256,
};

void
rule_events_done(struct rule_events *e)
{
    free(e->items);
    *e = (struct rule_events){.items = NULL};
}

bool
rule_events_add(struct rule_events *e, struct rule_event event)
{
    if (e->count == e->cap) {
        size_t cap = e->cap == 0 ? (size_t)FIRST_COUNT : 2 * e->cap;
        struct rule_event *more =
            reallocarray(e->items, cap, sizeof(*e->items));

        if (more == NULL) {
            e->err = AG_ENOMEM;
            return false;
        }
        e->items = more;
        e->cap = cap;
    }
    e->items[e->count++] = event;
    return true;
}
