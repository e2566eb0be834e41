#include "proxy/shares.h"

#include <pthread.h>
#include <stdlib.h>

#include "proxy/decode.h"

struct share {
    struct decode_memory memory; /* first: it is what the user has */
    struct share *next;
    int64_t task_id;
    size_t refs;
};

struct shares {
    struct decode_memory memory; /* of all */
    pthread_mutex_t lock;        /* over the list */
    struct share *first;
};

enum ag_err
shares_new(struct shares **ret)
{
    struct shares *all = calloc(1, sizeof(*all));

    if (all == NULL) {
        return AG_ENOMEM;
    }
    all->memory.max_bytes = SHARES_ALL_BYTES;
    (void)pthread_mutex_init(&all->lock, NULL);
    *ret = all;
    return AG_OK;
}

void
shares_free(struct shares *all)
{
    if (all != NULL) {
        AG_ASSERT(all->first == NULL);
        (void)pthread_mutex_destroy(&all->lock);
        free(all);
    }
}

/* Under the lock; NULL: no memory. */
static struct share *
find_or_add(struct shares *all, int64_t task_id)
{
    struct share *share = all->first;

    while (share != NULL && share->task_id != task_id) {
        share = share->next;
    }
    if (share != NULL) {
        return share;
    }
    share = calloc(1, sizeof(*share));
    if (share != NULL) {
        share->memory.max_bytes = SHARES_TASK_BYTES;
        share->memory.of = &all->memory;
        share->task_id = task_id;
        share->next = all->first;
        all->first = share;
    }
    return share;
}

enum ag_err
shares_take(struct shares *all, int64_t task_id, struct decode_memory **ret)
{
    struct share *share = NULL;

    (void)pthread_mutex_lock(&all->lock);
    share = find_or_add(all, task_id);
    if (share != NULL) {
        share->refs++;
    }
    (void)pthread_mutex_unlock(&all->lock);
    if (share == NULL) {
        return AG_ENOMEM;
    }
    *ret = &share->memory;
    return AG_OK;
}

void
shares_give(struct shares *all, struct decode_memory *memory)
{
    struct share *share = (struct share *)memory;
    struct share **link = &all->first;

    if (memory == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&all->lock);
    share->refs--;
    while (share->refs == 0 && *link != share) {
        link = &(*link)->next;
    }
    if (share->refs == 0) {
        *link = share->next;
        AG_ASSERT(atomic_load(&memory->used_bytes) == 0);
        free(share);
    }
    (void)pthread_mutex_unlock(&all->lock);
}
