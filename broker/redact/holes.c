#include "redact/holes.h"

#include <string.h>

static bool
overlap(const struct hole *a, const struct hole *b)
{
    return a->start < b->end && b->start < a->end;
}

/* `other` goes into `into`. */
static void
join(struct hole *into, const struct hole *other)
{
    uint64_t end = into->end > other->end ? into->end : other->end;

    if (other->start < into->start ||
        (other->start == into->start && other->len > into->len)) {
        *into = *other;
    }
    into->end = end;
}

void
holes_add(struct holes *h, const struct hole *one)
{
    struct hole joined = *one;
    size_t from = h->count;
    size_t to;

    while (from > 0 && h->list[from - 1].end > one->start) {
        from--;
    }
    for (to = from; to < h->count && overlap(&h->list[to], &joined); to++) {
        join(&joined, &h->list[to]);
    }
    if (to == from && h->count == HOLES_MAX_COUNT) {
        from = from == h->count ? from - 1 : from;
        join(&joined, &h->list[from]);
        to = from + 1;
    }
    memmove(&h->list[from + 1], &h->list[to],
            (h->count - to) * sizeof(h->list[0]));
    h->count = h->count - (to - from) + 1;
    h->list[from] = joined;
}

void
holes_drop(struct holes *h, size_t count)
{
    h->count -= count;
    memmove(h->list, h->list + count, h->count * sizeof(h->list[0]));
}
