/* The filter of the answer: whatever of the task's secrets a service could send
 * back. */
#include <stdlib.h>

#include "base/secret.h"
#include "core/permit_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "profile/fields.h"

enum {
    FILTER_VALUES_MAX_COUNT = 256, /* fields of all secrets of one task */
};

struct gathering {
    struct matcher_value values[FILTER_VALUES_MAX_COUNT];
    struct secret *owned[FILTER_VALUES_MAX_COUNT];
    size_t count;
};

static void
gathering_free(struct gathering *g)
{
    for (size_t i = 0; g != NULL && i < g->count; i++) {
        secret_free(g->owned[i]);
    }
    free(g);
}

AG_DEFINE_CLEANUP(gathering, gathering_free)

static bool
is_gathered(const struct gathering *g, const struct secret *value)
{
    for (size_t i = 0; i < g->count; i++) {
        if (secret_equal(g->owned[i], value)) {
            return true;
        }
    }
    return false;
}

static enum ag_err
gather_field(void *arg, const char *pointer, struct secret *value)
{
    struct gathering *g = arg;

    (void)pointer;
    if (secret_len(value) == 0 || is_gathered(g, value)) {
        secret_free(value);
        return AG_OK;
    }
    if (g->count == FILTER_VALUES_MAX_COUNT) {
        secret_free(value);
        return err_why(AG_ELIMIT, "the task's secrets have more than %d fields",
                       FILTER_VALUES_MAX_COUNT);
    }
    g->owned[g->count] = value;
    g->values[g->count] = (struct matcher_value){.id = g->count + 1,
                                                 .name = span_str("secret"),
                                                 .value = secret_view(value)};
    g->count++;
    return AG_OK;
}

/* One secret whose fields are gathered. */
struct source {
    struct span whole;
    const struct profile_file *file;
    struct gathering *g;
};

static enum ag_err
gather_pointer(const struct source *from, const char *pointer)
{
    struct secret *value = NULL;
    enum ag_err err =
        pointer[0] == '\0'
            ? secret_from(from->whole, &value)
            : field_get(from->whole,
                        from->file != NULL ? from->file->format
                                           : format_guess(from->whole),
                        span_str(pointer), &value);

    if (err == AG_ENOTFOUND || err == AG_EINVAL) {
        return AG_OK; /* a login without it: it can't be sent either */
    }
    return err == AG_OK ? gather_field(from->g, pointer, value) : err;
}

/* What is sent may come back, however little it looks like a secret. What only
 * goes along is not one if the profile says which fields are: the number of an
 * account, which the task may know. */
static enum ag_err
gather_sent(const struct source *from, const struct place *place)
{
    bool declared = from->file != NULL && from->file->secrets.count > 0;
    enum ag_err err = gather_pointer(from, place->field);

    for (size_t i = 0; err == AG_OK && !declared && i < place->with.count;
         i++) {
        err = gather_pointer(from, place->with.items[i].field);
    }
    return err;
}

static enum ag_err
gather_all_sent(const struct source *from, const struct proxied_item *item)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < item->places.places.count; i++) {
        err = gather_sent(from, &item->places.places.items[i]);
    }
    return err;
}

/* What the task had sent before it was changed: a service may still have it. */
struct earlier {
    struct db_read *r;
    const struct proxied_item *item;
    struct source from;
};

static enum ag_err
gather_earlier(const struct version_row *version, void *arg)
{
    const struct earlier *e = arg;
    AG_AUTO(secret) struct secret *whole = NULL;
    struct source from = e->from;
    enum ag_err err = AG_OK;

    if (version->state != VERSION_RETAINED) {
        return AG_OK;
    }
    err =
        versions_value(e->r, e->item->secret_id, version->number, NULL, &whole);
    if (err != AG_OK) {
        return err;
    }
    from.whole = secret_view(whole);
    return gather_all_sent(&from, e->item);
}

static enum ag_err
gather(struct core *core, struct db_read *r, struct proxied_item *item,
       int64_t task_id, struct gathering *g)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *whole = NULL;
    struct earlier earlier = {.r = r, .item = item, .from = {.g = g}};
    struct source from = {.g = g};
    struct version_row version = {0};
    enum ag_err err = secrets_get(r, item->secret_id, &row);

    if (err == AG_OK) {
        err = value_of(core, r,
                       &(struct value_wish){.row = &row, .task_id = task_id},
                       &version, &whole);
    }
    if (err == AG_ENOTFOUND) {
        return AG_OK; /* removed, or not made yet: it can't be used either */
    }
    if (err != AG_OK) {
        return err;
    }
    item->filtered_version = version.id;
    from.whole = secret_view(whole);
    from.file = value_fields(core, &row, from.whole);
    earlier.from.file = from.file;
    err = fields_secret(from.whole, from.file, gather_field, g);
    if (err == AG_OK) {
        err = gather_all_sent(&from, item);
    }
    return err == AG_OK
               ? versions_each(r, item->secret_id, gather_earlier, &earlier)
               : err;
}

static enum ag_err
build_filter(struct core *core, struct proxied *set, int64_t task_id)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(gathering) struct gathering *g = calloc(1, sizeof(*g));
    struct matcher *filter = NULL;
    enum ag_err err = g != NULL ? store_read(core->store, &r) : AG_ENOMEM;

    for (size_t i = 0; err == AG_OK && i < set->count; i++) {
        err = gather(core, r, &set->items[i], task_id, g);
    }
    if (err == AG_OK) {
        err = matcher_build(g->values, g->count, &filter);
    }
    if (err == AG_OK) {
        matcher_unref(set->filter);
        set->filter = filter;
    }
    return err;
}

/* What this request uses must be in it; what others of the task's were changed
 * meanwhile comes with their own next use. */
static bool
is_current(const struct deciding *d)
{
    for (size_t i = 0; i < d->used_count; i++) {
        if (d->used[i].item->filtered_version != d->used[i].version_id) {
            return false;
        }
    }
    return d->set->filter != NULL;
}

enum ag_err
permit_filter(struct core *core, struct deciding *d)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&d->set->lock);
    if (!is_current(d)) {
        err = build_filter(core, d->set, d->task_id);
        if (err == AG_OK && !is_current(d)) {
            err = err_why(AG_EBUSY, "the value changes at this moment");
        }
    }
    if (err == AG_OK) {
        d->permit->filter = matcher_ref(d->set->filter);
    }
    (void)pthread_mutex_unlock(&d->set->lock);
    return err;
}
