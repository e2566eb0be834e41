#include "caller/toll.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    MINUTE_MS = 60 * 1000,
    NEVER_MS = -MINUTE_MS,
};

struct caller {
    int64_t id;
    int64_t since_ms;
    int64_t count; /* 0: free */
};

struct toll {
    /* When a token was refused last: while that is long ago, as it mostly is,
     * nobody need be looked up. */
    _Atomic int64_t last_ms;
    pthread_mutex_t lock; /* over all below */
    struct caller callers[TOLL_CALLERS_COUNT];
};

enum ag_err
toll_new(struct toll **ret)
{
    struct toll *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&t->lock, NULL);
    atomic_init(&t->last_ms, NEVER_MS);
    *ret = t;
    return AG_OK;
}

void
toll_free(struct toll *t)
{
    if (t != NULL) {
        (void)pthread_mutex_destroy(&t->lock);
        free(t);
    }
}

static struct caller *
find(struct toll *t, int64_t id, int64_t now_ms)
{
    for (size_t i = 0; i < TOLL_CALLERS_COUNT; i++) {
        struct caller *c = &t->callers[i];

        if (c->count > 0 && c->id == id && now_ms - c->since_ms < MINUTE_MS) {
            return c;
        }
    }
    return NULL;
}

/* Is `a` to go rather than `b`? The free one, then the one whose minute began
 * first. */
static bool
goes_first(const struct caller *a, const struct caller *b)
{
    if ((a->count == 0) != (b->count == 0)) {
        return a->count == 0;
    }
    return a->since_ms < b->since_ms;
}

static struct caller *
place(struct toll *t)
{
    struct caller *best = &t->callers[0];

    for (size_t i = 1; i < TOLL_CALLERS_COUNT; i++) {
        if (goes_first(&t->callers[i], best)) {
            best = &t->callers[i];
        }
    }
    return best;
}

enum ag_err
toll_check(struct toll *t, int64_t caller, int64_t per_minute, int64_t now_ms)
{
    const struct caller *c;
    enum ag_err err = AG_OK;

    if (now_ms - atomic_load(&t->last_ms) >= MINUTE_MS) {
        return AG_OK;
    }
    (void)pthread_mutex_lock(&t->lock);
    c = find(t, caller, now_ms);
    if (c != NULL && c->count >= per_minute) {
        err = err_why(AG_ERATE, "too many refused tokens; wait a minute");
    }
    (void)pthread_mutex_unlock(&t->lock);
    return err;
}

void
toll_add(struct toll *t, int64_t caller, int64_t now_ms)
{
    struct caller *c = NULL;

    (void)pthread_mutex_lock(&t->lock);
    c = find(t, caller, now_ms);
    if (c == NULL) {
        c = place(t);
        *c = (struct caller){.id = caller, .since_ms = now_ms};
    }
    c->count++;
    atomic_store(&t->last_ms, now_ms);
    (void)pthread_mutex_unlock(&t->lock);
}
