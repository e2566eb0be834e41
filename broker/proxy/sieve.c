#include "proxy/sieve.h"

#include <pthread.h>
#include <stdlib.h>

#include "redact/redactor.h"
#include "redact/sink.h"

struct sieves {
    pthread_mutex_t lock; /* over all below */
    struct redactor *kept[SIEVES_KEPT_MAX_COUNT];
    size_t kept_count;
};

static void
on_hit(void *ctx, const struct redactor_hit *hit)
{
    size_t *hits = ctx;

    (void)hit;
    if (hits != NULL) {
        (*hits)++;
    }
}

static struct redactor_options
options(size_t *hits)
{
    return (struct redactor_options){.audience = REDACTOR_TASK,
                                     .marker = SIEVE_MARKER,
                                     .hit_ctx = hits,
                                     .on_hit = on_hit};
}

static enum ag_err
nowhere(void *ctx, struct span part)
{
    (void)ctx;
    (void)part;
    return AG_EINTERNAL;
}

static const struct sink NOWHERE = {.feed = nowhere};

enum ag_err
sieves_new(struct sieves **ret)
{
    struct sieves *all = calloc(1, sizeof(*all));

    if (all == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&all->lock, NULL);
    *ret = all;
    return AG_OK;
}

void
sieves_free(struct sieves *all)
{
    if (all == NULL) {
        return;
    }
    for (size_t i = 0; i < all->kept_count; i++) {
        redactor_free(all->kept[i]);
    }
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

enum ag_err
sieves_take(struct sieves *all, struct redactor **ret)
{
    const struct redactor_options fresh = options(NULL);
    struct redactor *sieve = NULL;

    (void)pthread_mutex_lock(&all->lock);
    if (all->kept_count > 0) {
        sieve = all->kept[--all->kept_count];
    }
    (void)pthread_mutex_unlock(&all->lock);
    if (sieve == NULL) {
        return redactor_new(&fresh, &NOWHERE, ret);
    }
    *ret = sieve;
    return AG_OK;
}

void
sieves_give(struct sieves *all, struct redactor *sieve)
{
    const struct redactor_options fresh = options(NULL);

    if (sieve == NULL) {
        return;
    }
    if (redactor_restart(sieve, &fresh, &NOWHERE) == AG_OK) {
        (void)pthread_mutex_lock(&all->lock);
        if (all->kept_count < SIEVES_KEPT_MAX_COUNT) {
            all->kept[all->kept_count++] = AG_TAKE(sieve);
        }
        (void)pthread_mutex_unlock(&all->lock);
    }
    redactor_free(sieve);
}

enum ag_err
sieve_begin(struct redactor *sieve, const struct matcher *filter,
            const struct sink *next, size_t *hits)
{
    const struct redactor_options fresh = options(hits);
    enum ag_err err = redactor_restart(sieve, &fresh, next);

    return err == AG_OK ? redactor_use(sieve, filter) : err;
}
