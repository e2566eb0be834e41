#include "core/running.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/live.h"
#include "core/parts.h"
#include "core/proxied.h"

struct running_table {
    pthread_mutex_t lock;
    struct running *tasks[TREE_TASKS_MAX_COUNT];
};

enum ag_err
running_new(struct running_table **ret)
{
    struct running_table *table = calloc(1, sizeof(*table));

    if (table == NULL) {
        return AG_ENOMEM;
    }
    if (pthread_mutex_init(&table->lock, NULL) != 0) {
        free(table);
        return AG_ENOMEM;
    }
    *ret = table;
    return AG_OK;
}

static void
drop(struct running *task)
{
    if (task != NULL) {
        for (size_t i = 0; i < task->delivery_count; i++) {
            parts_free(task->parts[i]);
        }
        grant_set_release(task->grants);
        proxied_release(task->proxied);
        free(task);
    }
}

void
running_free(struct running_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < AG_COUNT(table->tasks); i++) {
        drop(table->tasks[i]);
    }
    (void)pthread_mutex_destroy(&table->lock);
    free(table);
}

/* The slot of a task, or NULL; 0 finds a free one. Under the lock. */
static struct running **
slot(struct running_table *table, int64_t id)
{
    for (size_t i = 0; i < AG_COUNT(table->tasks); i++) {
        const struct running *task = table->tasks[i];

        if ((task == NULL && id == 0) || (task != NULL && task->id == id)) {
            return &table->tasks[i];
        }
    }
    return NULL;
}

enum ag_err
running_add(struct running_table *table, const struct running *task)
{
    struct running *copy = malloc(sizeof(*copy));
    struct running **free_slot = NULL;

    if (copy == NULL) {
        grant_set_release(task->grants);
        proxied_release(task->proxied);
        return AG_ENOMEM;
    }
    *copy = *task;
    (void)pthread_mutex_lock(&table->lock);
    free_slot = slot(table, 0);
    if (free_slot != NULL) {
        *free_slot = copy;
    }
    (void)pthread_mutex_unlock(&table->lock);
    if (free_slot == NULL) {
        drop(copy);
        return err_why(AG_ELIMIT, "%zu tasks run already; end one first",
                       AG_COUNT(table->tasks));
    }
    return AG_OK;
}

/* Locks the table; the task, or NULL. */
static struct running *
hold(struct running_table *table, int64_t id)
{
    struct running **at = NULL;

    (void)pthread_mutex_lock(&table->lock);
    at = id != 0 ? slot(table, id) : NULL;
    return at != NULL ? *at : NULL;
}

void
running_remove(struct running_table *table, int64_t id)
{
    struct running **at = NULL;

    (void)pthread_mutex_lock(&table->lock);
    at = slot(table, id);
    if (id != 0 && at != NULL) {
        drop(*at);
        *at = NULL;
    }
    (void)pthread_mutex_unlock(&table->lock);
}

bool
running_is_attached(struct running_table *table, int64_t id)
{
    struct running *task = hold(table, id);
    bool attached = false;

    attached = task != NULL && task->attached;
    (void)pthread_mutex_unlock(&table->lock);
    return attached;
}

enum ag_err
running_delivery(struct running_table *table, int64_t id, size_t index,
                 struct delivery *ret)
{
    enum ag_err err = AG_ENOTFOUND;
    struct running *task = hold(table, id);

    if (task != NULL && index < task->delivery_count) {
        *ret = task->deliveries[index];
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return err;
}

enum ag_err
running_part(struct running_table *table, int64_t id, size_t index, size_t part,
             struct delivery *ret)
{
    enum ag_err err = AG_ENOTFOUND;
    struct running *task = hold(table, id);

    if (task != NULL && index < task->delivery_count) {
        *ret = task->deliveries[index];
        err = parts_name(task->parts[index], part, ret->field,
                         sizeof(ret->field));
    }
    (void)pthread_mutex_unlock(&table->lock);
    return err;
}

enum ag_err
running_set_parts(struct running_table *table, int64_t id, size_t index,
                  struct parts *parts)
{
    enum ag_err err = AG_ENOTFOUND;
    struct running *task = hold(table, id);

    if (task != NULL && index < task->delivery_count) {
        parts_free(task->parts[index]);
        task->parts[index] = AG_TAKE(parts);
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&table->lock);
    parts_free(parts);
    return err;
}

enum ag_err
running_proxied(struct running_table *table, int64_t id, struct proxied **ret)
{
    struct running *task = hold(table, id);
    enum ag_err err = AG_EREVOKED;

    if (task != NULL && !task->ending && task->proxied != NULL) {
        *ret = proxied_share(task->proxied);
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return err;
}

bool
running_names(struct running_table *table, int64_t id, const char *secret)
{
    const struct running *task = hold(table, id);
    bool names = false;

    for (size_t i = 0; task != NULL && !names && i < task->grants->count; i++) {
        names = task->grants->grants[i].verb == VERB_READ &&
                strcmp(task->grants->grants[i].secret, secret) == 0;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return names;
}

int64_t
running_stray(struct running_table *table, int64_t id)
{
    struct running *task = hold(table, id);
    int64_t strays = 0;

    if (task != NULL) {
        strays = ++task->strays;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return strays;
}

void
running_delivered(struct running_table *table, int64_t id, size_t index,
                  int64_t lease_id, int64_t version)
{
    struct running *task = hold(table, id);

    if (task != NULL && index < task->delivery_count) {
        task->deliveries[index].lease_id = lease_id;
        task->deliveries[index].version = version;
    }
    (void)pthread_mutex_unlock(&table->lock);
}

enum ag_err
running_attach(struct running_table *table, int64_t id,
               const struct life_listener *line)
{
    enum ag_err err = AG_ENOTFOUND;
    struct running *task = hold(table, id);

    if (task != NULL && (task->attached || task->ending)) {
        err = AG_ECONFLICT;
    } else if (task != NULL) {
        task->line = *line;
        task->attached = true;
        task->attach_by_ms = 0;
        err = AG_OK;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return err;
}

bool
running_tell(struct running_table *table, int64_t id, const char *reason)
{
    struct running *task = hold(table, id);
    bool told = false;

    if (task != NULL && !task->ending) {
        task->ending = true;
        told = true;
        /* Under the lock: the line can't be taken away while it is told. */
        if (task->attached) {
            task->line.ended(task->line.arg, reason);
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return told;
}

void
running_hit(struct running_table *table, int64_t id, int64_t hits)
{
    struct running *task = hold(table, id);

    if (task != NULL) {
        task->hits += hits;
    }
    (void)pthread_mutex_unlock(&table->lock);
}

int64_t
running_hits(struct running_table *table, int64_t id)
{
    struct running *task = hold(table, id);
    int64_t hits = 0;

    if (task != NULL) {
        hits = task->hits;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return hits;
}

bool
running_hide(struct running_table *table, int64_t id, int64_t token_id,
             int64_t steady_ms, int64_t *ret_out)
{
    struct running *task = hold(table, id);
    bool hides = false;

    if (task != NULL) {
        size_t place = task->hidden_next % RUNNING_HIDDEN_COUNT;

        hides = task->hidden[place] == 0 ||
                steady_ms - task->hidden_ms[place] >= RUNNING_HIDDEN_MS;
        if (hides) {
            *ret_out = task->hidden[place];
            task->hidden[place] = token_id;
            task->hidden_ms[place] = steady_ms;
            task->hidden_next++;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return hides;
}

size_t
running_hidden(struct running_table *table, int64_t id,
               int64_t ids[RUNNING_HIDDEN_COUNT + 1])
{
    struct running *task = hold(table, id);
    size_t count = 0;

    if (task != NULL) {
        ids[count++] = task->token_id;
        for (size_t i = 0; i < RUNNING_HIDDEN_COUNT; i++) {
            if (task->hidden[i] != 0) {
                ids[count++] = task->hidden[i];
            }
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return count;
}

enum ag_err
running_ask(struct running_table *table, int64_t id, int64_t steady_ms,
            int max_count, int64_t window_ms)
{
    struct running *task = hold(table, id);
    enum ag_err err = AG_ENOTFOUND;

    if (task != NULL) {
        if (steady_ms - task->asked_window_ms >= window_ms) {
            task->asked_window_ms = steady_ms;
            task->asked_count = 0;
        }
        task->asked_count++;
        err = task->asked_count > max_count ? AG_ERATE : AG_OK;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return err;
}

static bool
is_granted(const struct running *task, const char *name)
{
    for (size_t i = 0; task->grants != NULL && i < task->grants->count; i++) {
        if (pattern_covers(task->grants->grants[i].secret, name)) {
            return true;
        }
    }
    return false;
}

int64_t
running_foreign(struct running_table *table, int64_t id,
                const struct named_hits *hits, size_t count)
{
    struct running *task = hold(table, id);
    int64_t sum = 0;

    for (size_t i = 0; task != NULL && i < count; i++) {
        if (!is_granted(task, hits[i].name)) {
            task->foreign_hits += hits[i].count;
        }
    }
    sum = task != NULL ? task->foreign_hits : 0;
    (void)pthread_mutex_unlock(&table->lock);
    return sum;
}

static bool
holds(const struct running *task, int64_t secret_id)
{
    for (size_t i = 0; i < task->delivery_count; i++) {
        if (task->deliveries[i].single_holder &&
            task->deliveries[i].secret_id == secret_id) {
            return true;
        }
    }
    return false;
}

int64_t
running_holder(struct running_table *table, int64_t secret_id)
{
    int64_t holder = 0;

    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < AG_COUNT(table->tasks) && holder == 0; i++) {
        if (table->tasks[i] != NULL && holds(table->tasks[i], secret_id)) {
            holder = table->tasks[i]->id;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return holder;
}

static bool
is_expired(const struct running *task, int64_t wall_ms, int64_t steady_ms)
{
    return task->deadline_ms <= wall_ms ||
           (task->attach_by_ms != 0 && task->attach_by_ms <= steady_ms);
}

size_t
running_expired(struct running_table *table, int64_t wall_ms, int64_t steady_ms,
                int64_t *ids, size_t cap)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < AG_COUNT(table->tasks) && count < cap; i++) {
        const struct running *task = table->tasks[i];

        if (task != NULL && !task->ending &&
            is_expired(task, wall_ms, steady_ms)) {
            ids[count++] = task->id;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return count;
}

size_t
running_ending(struct running_table *table, int64_t *ids, size_t cap)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < AG_COUNT(table->tasks) && count < cap; i++) {
        if (table->tasks[i] != NULL && table->tasks[i]->ending) {
            ids[count++] = table->tasks[i]->id;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return count;
}

size_t
running_ids(struct running_table *table, int64_t *ids, size_t cap)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < AG_COUNT(table->tasks) && count < cap; i++) {
        if (table->tasks[i] != NULL) {
            ids[count++] = table->tasks[i]->id;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
    return count;
}

int64_t
running_next_ms(struct running_table *table, int64_t wall_ms, int64_t steady_ms)
{
    int64_t next = INT64_MAX;

    (void)pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < AG_COUNT(table->tasks); i++) {
        const struct running *task = table->tasks[i];
        int64_t at = 0;

        if (task == NULL || task->ending) {
            continue;
        }
        at = steady_ms + (task->deadline_ms - wall_ms);
        if (task->attach_by_ms != 0 && task->attach_by_ms < at) {
            at = task->attach_by_ms;
        }
        next = at < next ? at : next;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return next;
}
