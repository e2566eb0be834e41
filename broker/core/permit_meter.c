/* Rate and bytes of the grants that a request uses. */
#include <stdlib.h>

#include "core/permit_impl.h"

struct permit_meter {
    struct proxied *set;
    size_t count;
    struct proxied_item *items[PERMIT_EDITS_MAX_COUNT]; /* one has a limit */
};

static enum ag_err
why(enum ag_err err, const struct proxied_item *item)
{
    if (err == AG_ERATE) {
        return err_why(err, "the grant on %s allows %lld requests each %lld s",
                       item->name, (long long)item->budget.rate_count,
                       (long long)item->budget.rate_ms / 1000);
    }
    return err == AG_OK ? AG_OK
                        : err_why(err,
                                  "the %lld bytes that the grant on %s allows "
                                  "have passed",
                                  (long long)item->budget.bytes, item->name);
}

enum ag_err
permit_spend(const struct deciding *d, int64_t now_ms)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&d->set->lock);
    for (size_t i = 0; err == AG_OK && i < d->used_count; i++) {
        const struct proxied_item *item = d->used[i].item;

        err = why(budget_check(&item->budget, &item->spent, now_ms), item);
    }
    for (size_t i = 0; err == AG_OK && i < d->used_count; i++) {
        struct proxied_item *item = d->used[i].item;

        budget_take(&item->budget, &item->spent, now_ms);
    }
    (void)pthread_mutex_unlock(&d->set->lock);
    return err;
}

void
permit_unspend(const struct deciding *d, int64_t spent_ms)
{
    (void)pthread_mutex_lock(&d->set->lock);
    for (size_t i = 0; i < d->used_count; i++) {
        budget_give_back(&d->used[i].item->spent, spent_ms);
    }
    (void)pthread_mutex_unlock(&d->set->lock);
}

enum ag_err
permit_meter_new(const struct deciding *d, struct permit_meter **ret)
{
    struct permit_meter *meter = NULL;
    size_t count = 0;

    for (size_t i = 0; i < d->used_count; i++) {
        count += d->used[i].item->budget.bytes > 0 ? 1 : 0;
    }
    if (count == 0) {
        return AG_OK;
    }
    meter = calloc(1, sizeof(*meter));
    if (meter == NULL) {
        return AG_ENOMEM;
    }
    meter->set = proxied_share(d->set);
    for (size_t i = 0; i < d->used_count; i++) {
        meter->items[meter->count++] = d->used[i].item;
    }
    *ret = meter;
    return AG_OK;
}

void
permit_meter_free(struct permit_meter *meter)
{
    if (meter != NULL) {
        proxied_release(meter->set);
        free(meter);
    }
}

enum ag_err
permit_meter_add(struct permit_meter *meter, size_t bytes)
{
    enum ag_err err = AG_OK;

    if (meter == NULL) {
        return AG_OK;
    }
    (void)pthread_mutex_lock(&meter->set->lock);
    for (size_t i = 0; i < meter->count; i++) {
        struct proxied_item *item = meter->items[i];
        enum ag_err over =
            budget_add(&item->budget, &item->spent, (int64_t)bytes);

        err = err == AG_OK ? why(over, item) : err;
    }
    (void)pthread_mutex_unlock(&meter->set->lock);
    return err;
}
