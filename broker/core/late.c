#include "core/late.h"

#include <pthread.h>
#include <stdlib.h>

#include "caller/tree.h"
#include "core/state.h"
#include "core/tasks.h"

struct late_end {
    uint64_t serial; /* rising */
    int64_t task_id;
    enum end_reason reason;
    int exit_code;
};

struct late {
    pthread_mutex_t lock; /* over all below */
    uint64_t serial;
    size_t count;
    struct late_end ends[TREE_TASKS_MAX_COUNT];
};

enum ag_err
late_new(struct late **ret)
{
    struct late *late = calloc(1, sizeof(*late));

    if (late == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&late->lock, NULL);
    *ret = late;
    return AG_OK;
}

void
late_free(struct late *late)
{
    if (late != NULL) {
        (void)pthread_mutex_destroy(&late->lock);
        free(late);
    }
}

void
late_add(struct late *late, int64_t task_id, enum end_reason reason,
         int exit_code)
{
    (void)pthread_mutex_lock(&late->lock);
    if (late->count < AG_COUNT(late->ends)) {
        late->ends[late->count++] = (struct late_end){
            .serial = ++late->serial,
            .task_id = task_id,
            .reason = reason,
            .exit_code = exit_code,
        };
    }
    (void)pthread_mutex_unlock(&late->lock);
}

bool
late_any(struct late *late)
{
    bool any = false;

    (void)pthread_mutex_lock(&late->lock);
    any = late->count > 0;
    (void)pthread_mutex_unlock(&late->lock);
    return any;
}

/* The first one behind that serial. */
static bool
next_of(struct late *late, uint64_t after, struct late_end *ret)
{
    bool found = false;

    (void)pthread_mutex_lock(&late->lock);
    for (size_t i = 0; i < late->count && !found; i++) {
        found = late->ends[i].serial > after;
        *ret = late->ends[i];
    }
    (void)pthread_mutex_unlock(&late->lock);
    return found;
}

enum ag_err
late_write(struct core *core, struct db_tx *tx, uint64_t *ret_last)
{
    struct late_end end = {.serial = 0};
    enum ag_err err = AG_OK;

    *ret_last = 0;
    while (err == AG_OK && next_of(core->late, *ret_last, &end)) {
        err = core_end_task(core, tx, end.task_id, end.reason, end.exit_code);
        *ret_last = end.serial;
    }
    return err;
}

void
late_written(struct late *late, uint64_t last)
{
    size_t kept = 0;

    (void)pthread_mutex_lock(&late->lock);
    for (size_t i = 0; i < late->count; i++) {
        if (late->ends[i].serial > last) {
            late->ends[kept++] = late->ends[i];
        }
    }
    late->count = kept;
    (void)pthread_mutex_unlock(&late->lock);
}
