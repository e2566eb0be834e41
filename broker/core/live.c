#include "core/live.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/live_impl.h"

/*
 * Open addressing over pointers; the hash is keyed and uniform, so its first
 * bytes are the slot. At most half full. Removal leaves a tombstone until the
 * next growth.
 */
enum {
    SLOTS_FIRST_COUNT = 256,
    TOKENS_MAX_COUNT = 4 * 1024 * 1024, /* memory: about 300 bytes each */
};

struct live_token live_tombstone;

void
live_release(struct live_token *token)
{
    if (token != NULL && atomic_fetch_sub(&token->refs, 1) == 1) {
        grant_set_release(token->grants);
        free(token->line);
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
        if (table->slots[i] != &live_tombstone) {
            live_release(table->slots[i]);
        }
        table->slots[i] = NULL;
    }
    for (size_t i = 0; i < LIVE_BUCKETS_COUNT; i++) {
        while (table->tasks[i] != NULL) {
            struct live_task *task = table->tasks[i];

            table->tasks[i] = task->next;
            free(task);
        }
    }
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

void
live_place(struct live_token **slots, size_t slot_count,
           struct live_token *token)
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
        if (table->slots[i] != NULL && table->slots[i] != &live_tombstone) {
            live_place(slots, slot_count, table->slots[i]);
        }
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    table->used = table->count;
    return AG_OK;
}

enum ag_err
live_room(struct live_tokens *table)
{
    return (table->used + 1) * 2 > table->slot_count ? grow(table) : AG_OK;
}

/* Public bytes: a keyed hash tells nothing about the token. Its slot is
 * reached by hash already, so the comparison's time tells no more. NULL: none
 * has that hash. */
struct live_token **
live_slot(const struct live_tokens *table, const uint8_t *hash)
{
    size_t at = slot_of(hash, table->slot_count);

    while (table->slots[at] != NULL) {
        const struct live_token *token = table->slots[at];

        if (token != &live_tombstone &&
            span_equal(span_of(token->hash, sizeof(token->hash)),
                       span_of(hash, sizeof(token->hash)))) {
            return &table->slots[at];
        }
        at = (at + 1) & (table->slot_count - 1);
    }
    return NULL;
}

/* ---- the tokens of a task ---- */

/* Where the pointer to it is, or would be. */
static struct live_task **
task_place(struct live_tokens *table, int64_t task_id)
{
    struct live_task **at =
        &table->tasks[(uint64_t)task_id % LIVE_BUCKETS_COUNT];

    while (*at != NULL && (*at)->id != task_id) {
        at = &(*at)->next;
    }
    return at;
}

static struct live_token *
first_of(struct live_tokens *table, int64_t task_id)
{
    const struct live_task *task = *task_place(table, task_id);

    return task != NULL ? task->tokens : NULL;
}

static enum ag_err
link_task(struct live_tokens *table, struct live_token *token)
{
    struct live_task **at = task_place(table, token->task_id);

    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at == NULL) {
            return AG_ENOMEM;
        }
        (*at)->id = token->task_id;
    }
    token->task_next = (*at)->tokens;
    token->task_link = &(*at)->tokens;
    if (token->task_next != NULL) {
        token->task_next->task_link = &token->task_next;
    }
    (*at)->tokens = token;
    (*at)->count++;
    return AG_OK;
}

static void
unlink_task(struct live_tokens *table, struct live_token *token)
{
    struct live_task **at = task_place(table, token->task_id);
    struct live_task *task = *at;

    *token->task_link = token->task_next;
    if (token->task_next != NULL) {
        token->task_next->task_link = token->task_link;
    }
    task->count--;
    if (task->count == 0) {
        *at = task->next;
        free(task);
    }
}

static void
drop(struct live_tokens *table, struct live_token **slot)
{
    struct live_token *token = *slot;

    *slot = &live_tombstone;
    table->count--;
    unlink_task(table, token);
    live_release(token);
}

static enum ag_err
add_locked(struct live_tokens *table, struct live_token *token)
{
    enum ag_err err = AG_OK;

    if (live_slot(table, token->hash) != NULL) {
        return AG_EEXISTS;
    }
    if (table->count >= TOKENS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "there are %zu live tokens; revoke some",
                       table->count);
    }
    err = live_room(table);
    if (err == AG_OK) {
        err = link_task(table, token);
    }
    if (err != AG_OK) {
        return err;
    }
    live_place(table->slots, table->slot_count, token);
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
        free(token->line);
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
    struct live_token **slot = NULL;
    struct live_token *token = NULL;

    (void)pthread_rwlock_rdlock(&table->lock);
    slot = live_slot(table, hash);
    if (slot != NULL) {
        token = *slot;
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

        if (token != NULL && token != &live_tombstone &&
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

/* ---- the end of tokens ---- */

static int
by_id(const void *a, const void *b)
{
    const struct live_token *const *one = a;
    const struct live_token *const *other = b;

    return (*one)->id < (*other)->id ? -1 : (*one)->id > (*other)->id;
}

/* Parents have lower ids than their children: by rising id, each is seen after
 * the one that decides about it. */
static void
revoke_below(struct live_token **sorted, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++) {
        const struct live_token parent = {.id = sorted[i]->parent_id};
        const struct live_token *key = &parent;
        struct live_token **found =
            bsearch(&key, sorted, i, sizeof(struct live_token *), by_id);

        sorted[i]->in_family =
            sorted[i]->id == id || (found != NULL && (*found)->in_family);
        if (sorted[i]->in_family) {
            atomic_store(&sorted[i]->revoked, true);
        }
    }
}

enum ag_err
live_revoke_family(struct live_tokens *table, int64_t task_id, int64_t id)
{
    struct live_token **sorted = NULL;
    const struct live_task *task = NULL;
    size_t count = 0;
    enum ag_err err = AG_OK;

    /* Not the read lock: in_family has one user at a time. */
    (void)pthread_rwlock_wrlock(&table->lock);
    task = *task_place(table, task_id);
    if (task != NULL) {
        sorted = calloc(task->count, sizeof(struct live_token *));
        err = sorted != NULL ? AG_OK : AG_ENOMEM;
    }
    if (sorted != NULL) {
        for (struct live_token *token = task->tokens; token != NULL;
             token = token->task_next) {
            sorted[count++] = token;
        }
        qsort(sorted, count, sizeof(struct live_token *), by_id);
        revoke_below(sorted, count, id);
    }
    (void)pthread_rwlock_unlock(&table->lock);
    free(sorted);
    return err;
}

void
live_revoke_task(struct live_tokens *table, int64_t task_id)
{
    if (task_id == 0) {
        return; /* there the tokens of roles are */
    }
    (void)pthread_rwlock_rdlock(&table->lock);
    for (struct live_token *token = first_of(table, task_id); token != NULL;
         token = token->task_next) {
        atomic_store(&token->revoked, true);
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

void
live_sweep(struct live_tokens *table, int64_t now_ms)
{
    (void)pthread_rwlock_wrlock(&table->lock);
    for (size_t i = 0; i < table->slot_count; i++) {
        const struct live_token *token = table->slots[i];

        if (token != NULL && token != &live_tombstone &&
            token->max_ms <= now_ms) {
            drop(table, &table->slots[i]);
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

size_t
live_task_trim(struct live_tokens *table, int64_t task_id, int64_t now_ms)
{
    struct live_token *next = NULL;
    size_t count = 0;

    (void)pthread_rwlock_wrlock(&table->lock);
    for (struct live_token *token = first_of(table, task_id); token != NULL;
         token = next) {
        next = token->task_next;
        if (atomic_load(&token->revoked) || token->max_ms <= now_ms) {
            drop(table, live_slot(table, token->hash));
        } else {
            count++;
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
    return count;
}

size_t
live_task_count(struct live_tokens *table, int64_t task_id)
{
    const struct live_task *task = NULL;
    size_t count = 0;

    (void)pthread_rwlock_rdlock(&table->lock);
    task = *task_place(table, task_id);
    count = task != NULL ? task->count : 0;
    (void)pthread_rwlock_unlock(&table->lock);
    return count;
}

void
live_clear(struct live_tokens *table)
{
    (void)pthread_rwlock_wrlock(&table->lock);
    drop_all(table);
    (void)pthread_rwlock_unlock(&table->lock);
}

void
live_each(struct live_tokens *table,
          void (*visit)(void *arg, const struct live_token *token), void *arg)
{
    (void)pthread_rwlock_rdlock(&table->lock);
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i] != NULL && table->slots[i] != &live_tombstone) {
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
