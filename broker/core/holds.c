#include "core/holds.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/incidents.h"

struct holds {
    pthread_mutex_t lock; /* over `keys` */
    atomic_size_t count;  /* most often none: asked without the lock */
    struct incident_key keys[HOLDS_MAX_COUNT];
};

enum ag_err
holds_new(struct holds **ret)
{
    struct holds *h = calloc(1, sizeof(*h));

    if (h == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&h->lock, NULL);
    *ret = h;
    return AG_OK;
}

void
holds_free(struct holds *h)
{
    if (h != NULL) {
        (void)pthread_mutex_destroy(&h->lock);
        free(h);
    }
}

enum ag_err
holds_load(struct holds *h, struct db_read *r)
{
    struct incident_key *keys = calloc(HOLDS_MAX_COUNT, sizeof(*keys));
    size_t count = 0;
    enum ag_err err =
        keys == NULL
            ? AG_ENOMEM
            : incidents_answered(r, ANSWER_HOLD, keys, HOLDS_MAX_COUNT, &count);

    if (err == AG_OK) {
        (void)pthread_mutex_lock(&h->lock);
        memcpy(h->keys, keys, sizeof(h->keys));
        atomic_store(&h->count, count);
        (void)pthread_mutex_unlock(&h->lock);
    }
    free(keys);
    return err;
}

enum ag_err
holds_check(struct holds *h, int64_t secret_id, const char *name)
{
    bool held = false;
    size_t count = 0;

    if (atomic_load(&h->count) == 0) {
        return AG_OK;
    }
    (void)pthread_mutex_lock(&h->lock);
    count = atomic_load(&h->count);
    held = count == HOLDS_MAX_COUNT;
    for (size_t i = 0; i < count && !held; i++) {
        held = h->keys[i].secret_id == secret_id;
    }
    (void)pthread_mutex_unlock(&h->lock);
    return held ? err_why(AG_EONHOLD,
                          "%s is on hold until the operator lets it go", name)
                : AG_OK;
}
