#include "core/proxied.h"

#include <stdlib.h>

#include "core/turned.h"
#include "redact/matcher.h"
#include "tls/authority.h"

enum {
    TASK_BITS = 32,
    DELIVERY_BITS = 8,
    PART_BITS = 8,
};

enum ag_err
proxied_new(size_t count, struct proxied **ret)
{
    struct proxied *set =
        calloc(1, sizeof(*set) + count * sizeof(struct proxied_item));

    if (set == NULL || pthread_mutex_init(&set->lock, NULL) != 0) {
        free(set);
        return AG_ENOMEM;
    }
    atomic_init(&set->refs, 1);
    set->count = count;
    *ret = set;
    return AG_OK;
}

struct proxied *
proxied_share(struct proxied *set)
{
    (void)atomic_fetch_add(&set->refs, 1);
    return set;
}

void
proxied_release(struct proxied *set)
{
    if (set == NULL || atomic_fetch_sub(&set->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        places_done(&set->items[i].places);
    }
    matcher_unref(set->filter);
    free(set->allow);
    authority_free(set->authority);
    turned_free(set->turned);
    (void)pthread_mutex_destroy(&set->lock);
    free(set);
}

void
proxied_turn_away(struct proxied *set, const char *host)
{
    (void)pthread_mutex_lock(&set->lock);
    turned_note(&set->turned, host);
    (void)pthread_mutex_unlock(&set->lock);
}

void
proxied_bind(struct proxied *set, const int64_t *ids)
{
    for (size_t i = 0; i < set->count; i++) {
        set->items[i].grant_id = ids[set->items[i].grant_id];
    }
}

enum ag_err
proxied_id(int64_t task_id, size_t delivery, uint64_t *ret)
{
    if (task_id <= 0 || task_id >= INT64_C(1) << TASK_BITS ||
        delivery >= (size_t)1 << DELIVERY_BITS) {
        return err_why(AG_ELIMIT, "no more placeholders can be made");
    }
    *ret = ((uint64_t)task_id << DELIVERY_BITS | delivery) << PART_BITS;
    return AG_OK;
}
