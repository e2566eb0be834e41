#include "core/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/*
 * Open addressing over pointers; the hash is keyed and uniform, so its first
 * bytes are the slot. At most half full. Removal leaves a tombstone until the
 * next growth.
 */
enum {
    SLOTS_FIRST_COUNT = 256,
    TOKENS_MAX_COUNT = 4 * 1024 * 1024, /* memory: about 300 bytes each */
    TASK_BUCKETS_COUNT = 1024,          /* a few times the tasks that run */
};

struct live_tokens {
    pthread_rwlock_t lock;
    struct live_token **slots;
    size_t slot_count;                            /* a power of two */
    size_t used;                                  /* tokens and tombstones */
    size_t count;                                 /* tokens */
    struct live_token *tasks[TASK_BUCKETS_COUNT]; /* chained by task_next */
};

static struct live_token tombstone;

enum ag_err
grant_set_new(const struct grant *grants, const int64_t *ids, size_t count,
              struct grant_set **ret)
{
    struct grant_set *set = NULL;

    if (count > GRANTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "a token has at most %d grants",
                       GRANTS_MAX_COUNT);
    }
    set = calloc(1, sizeof(*set) + count * sizeof(set->grants[0]));
    if (set == NULL) {
        return AG_ENOMEM;
    }
    atomic_init(&set->refs, 1);
    set->count = count;
    if (count > 0) {
        memcpy(set->grants, grants, count * sizeof(set->grants[0]));
        memcpy(set->ids, ids, count * sizeof(set->ids[0]));
    }
    *ret = set;
    return AG_OK;
}

struct grant_set *
grant_set_share(struct grant_set *set)
{
    (void)atomic_fetch_add(&set->refs, 1);
    return set;
}

void
grant_set_release(struct grant_set *set)
{
    if (set != NULL && atomic_fetch_sub(&set->refs, 1) == 1) {
        free(set);
    }
}

void
live_release(struct live_token *token)
{
    if (token != NULL && atomic_fetch_sub(&token->refs, 1) == 1) {
        grant_set_release(token->grants);
        free(token);
    }
}

enum ag_err
live_new(struct live_tokens **ret)
{
    struct live_tokens *table = calloc(1, sizeof(*table));

    if (table == NULL) {
        return AG_ENOMEM;
    }
    table->slot_count = SLOTS_FIRST_COUNT;
    table->slots = calloc(table->slot_count, sizeof(struct live_token *));
    if (table->slots == NULL || pthread_rwlock_init(&table->lock, NULL) != 0) {
        free(table->slots);
        free(table);
        return AG_ENOMEM;
    }
    *ret = table;
    return AG_OK;
}

static void
drop_all(struct live_tokens *table)
{
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i] != &tombstone) {
            live_release(table->slots[i]);
        }
        table->slots[i] = NULL;
    }
    memset(table->tasks, 0, sizeof(table->tasks));
    table->used = 0;
    table->count = 0;
}

void
live_free(struct live_tokens *table)
{
    if (table == NULL) {
        return;
    }
    drop_all(table);
    (void)pthread_rwlock_destroy(&table->lock);
    free(table->slots);
    free(table);
}

static size_t
slot_of(const uint8_t *hash, size_t slot_count)
{
    uint64_t first = 0;

    memcpy(&first, hash, sizeof(first));
    return (size_t)first & (slot_count - 1);
}

static void
place(struct live_token **slots, size_t slot_count, struct live_token *token)
{
    size_t at = slot_of(token->hash, slot_count);

    while (slots[at] != NULL) {
        at = (at + 1) & (slot_count - 1);
    }
    slots[at] = token;
}

static enum ag_err
grow(struct live_tokens *table)
{
    size_t slot_count = table->slot_count;
    struct live_token **slots = NULL;

    while (slot_count < (table->count + 1) * 3) {
        slot_count *= 2;
    }
    slots = calloc(slot_count, sizeof(struct live_token *));
    if (slots == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i] != NULL && table->slots[i] != &tombstone) {
            place(slots, slot_count, table->slots[i]);
        }
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    table->used = table->count;
    return AG_OK;
}

/* Public bytes: a keyed hash tells nothing about the token. Its slot is
 * reached by hash already, so the comparison's time tells no more. */
static struct live_token *
find_locked(const struct live_tokens *table, const uint8_t *hash)
{
    size_t at = slot_of(hash, table->slot_count);

    while (table->slots[at] != NULL) {
        struct live_token *token = table->slots[at];

        if (token != &tombstone &&
            span_equal(span_of(token->hash, sizeof(token->hash)),
                       span_of(hash, sizeof(token->hash)))) {
            return token;
        }
        at = (at + 1) & (table->slot_count - 1);
    }
    return NULL;
}

static struct live_token **
bucket(struct live_tokens *table, int64_t task_id)
{
    return &table->tasks[(uint64_t)task_id % TASK_BUCKETS_COUNT];
}

static void
link_task(struct live_tokens *table, struct live_token *token)
{
    struct live_token **head = bucket(table, token->task_id);

    token->task_next = *head;
    token->task_link = head;
    if (*head != NULL) {
        (*head)->task_link = &token->task_next;
    }
    *head = token;
}

static void
unlink_task(struct live_token *token)
{
    *token->task_link = token->task_next;
    if (token->task_next != NULL) {
        token->task_next->task_link = token->task_link;
    }
}

static enum ag_err
add_locked(struct live_tokens *table, struct live_token *token)
{
    enum ag_err err = AG_OK;

    if (find_locked(table, token->hash) != NULL) {
        return AG_EEXISTS;
    }
    if (table->count >= TOKENS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "there are %zu live tokens; revoke some",
                       table->count);
    }
    if ((table->used + 1) * 2 > table->slot_count) {
        err = grow(table);
        if (err != AG_OK) {
            return err;
        }
    }
    place(table->slots, table->slot_count, token);
    link_task(table, token);
    table->used++;
    table->count++;
    return AG_OK;
}

enum ag_err
live_add(struct live_tokens *table, const struct live_token *token)
{
    struct live_token *copy = malloc(sizeof(*copy));
    enum ag_err err = AG_OK;

    if (copy == NULL) {
        grant_set_release(token->grants);
        return AG_ENOMEM;
    }
    *copy = *token;
    atomic_init(&copy->refs, 1);
    (void)pthread_rwlock_wrlock(&table->lock);
    err = add_locked(table, copy);
    (void)pthread_rwlock_unlock(&table->lock);
    if (err != AG_OK) {
        live_release(copy);
    }
    return err;
}

struct live_token *
live_find(struct live_tokens *table, const uint8_t hash[TOKEN_HASH_BYTES])
{
    struct live_token *token = NULL;

    (void)pthread_rwlock_rdlock(&table->lock);
    token = find_locked(table, hash);
    if (token != NULL) {
        (void)atomic_fetch_add(&token->refs, 1);
    }
    (void)pthread_rwlock_unlock(&table->lock);
    return token;
}

struct live_token *
live_find_accessor(struct live_tokens *table, const char *accessor)
{
    struct live_token *found = NULL;

    (void)pthread_rwlock_rdlock(&table->lock);
    for (size_t i = 0; i < table->slot_count && found == NULL; i++) {
        struct live_token *token = table->slots[i];

        if (token != NULL && token != &tombstone &&
            strcmp(token->accessor, accessor) == 0) {
            (void)atomic_fetch_add(&token->refs, 1);
            found = token;
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
    return found;
}

enum ag_err
live_spend(struct live_token *token)
{
    int_fast64_t left = atomic_load(&token->uses_left);

    if (atomic_load(&token->revoked)) {
        return AG_EREVOKED;
    }
    while (left != GRANT_USES_UNLIMITED) {
        if (left <= 0) {
            return AG_EUSEDUP;
        }
        if (atomic_compare_exchange_weak(&token->uses_left, &left, left - 1)) {
            return AG_OK;
        }
    }
    return AG_OK;
}

void
live_unspend(struct live_token *token)
{
    if (atomic_load(&token->uses_left) != GRANT_USES_UNLIMITED) {
        (void)atomic_fetch_add(&token->uses_left, 1);
    }
}

static bool
contains(const int64_t *ids, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

void
live_revoke(struct live_tokens *table, int64_t task_id, const int64_t *ids,
            size_t count)
{
    (void)pthread_rwlock_rdlock(&table->lock);
    for (struct live_token *token = *bucket(table, task_id); token != NULL;
         token = token->task_next) {
        if (contains(ids, count, token->id)) {
            atomic_store(&token->revoked, true);
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

void
live_revoke_task(struct live_tokens *table, int64_t task_id)
{
    (void)pthread_rwlock_rdlock(&table->lock);
    for (struct live_token *token = *bucket(table, task_id); token != NULL;
         token = token->task_next) {
        if (token->task_id == task_id) {
            atomic_store(&token->revoked, true);
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

void
live_sweep(struct live_tokens *table, int64_t now_ms)
{
    (void)pthread_rwlock_wrlock(&table->lock);
    for (size_t i = 0; i < table->slot_count; i++) {
        struct live_token *token = table->slots[i];

        if (token != NULL && token != &tombstone && token->max_ms <= now_ms) {
            table->slots[i] = &tombstone;
            table->count--;
            unlink_task(token);
            live_release(token);
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

void
live_clear(struct live_tokens *table)
{
    (void)pthread_rwlock_wrlock(&table->lock);
    drop_all(table);
    (void)pthread_rwlock_unlock(&table->lock);
}

size_t
live_descendants(struct live_tokens *table, int64_t task_id, int64_t id,
                 int64_t *ids, size_t cap)
{
    size_t count = 0;
    size_t before = 0;

    if (cap == 0) {
        return 0;
    }
    ids[count++] = id;
    (void)pthread_rwlock_rdlock(&table->lock);
    /* Generation by generation: families are small and shallow. */
    do {
        before = count;
        for (const struct live_token *token = *bucket(table, task_id);
             token != NULL && count < cap; token = token->task_next) {
            if (token->parent_id != 0 &&
                contains(ids, count, token->parent_id) &&
                !contains(ids, count, token->id)) {
                ids[count++] = token->id;
            }
        }
    } while (count > before && count < cap);
    (void)pthread_rwlock_unlock(&table->lock);
    return count;
}

void
live_each(struct live_tokens *table,
          void (*visit)(void *arg, const struct live_token *token), void *arg)
{
    (void)pthread_rwlock_rdlock(&table->lock);
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i] != NULL && table->slots[i] != &tombstone) {
            visit(arg, table->slots[i]);
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

size_t
live_count(struct live_tokens *table)
{
    size_t count = 0;

    (void)pthread_rwlock_rdlock(&table->lock);
    count = table->count;
    (void)pthread_rwlock_unlock(&table->lock);
    return count;
}
