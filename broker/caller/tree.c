#include "caller/tree.h"

#include <pthread.h>
#include <stdlib.h>

struct root {
    struct proc_ref process;
    int64_t task_id;
};

/*
 * A plain array: it holds the tasks that run now, and a request looks at it
 * once per ancestor of its caller. Ordered by pid for a binary search.
 */
struct tree {
    pthread_rwlock_t lock;
    size_t count;
    struct root roots[TREE_TASKS_MAX_COUNT];
};

enum ag_err
tree_new(struct tree **ret)
{
    struct tree *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_rwlock_init(&t->lock, NULL);
    *ret = t;
    return AG_OK;
}

void
tree_free(struct tree *t)
{
    if (t == NULL) {
        return;
    }
    (void)pthread_rwlock_destroy(&t->lock);
    free(t);
}

/* The first place whose pid is not below `pid`. Under the lock. */
static size_t
lower_bound(const struct tree *t, pid_t pid)
{
    size_t low = 0;
    size_t high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->roots[middle].process.pid < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The task of this root, 0 when it is none. Under the lock. */
static int64_t
find(const struct tree *t, struct proc_ref process)
{
    /* A reused pid may stand here twice until the dead one's task ends. */
    for (size_t i = lower_bound(t, process.pid);
         i < t->count && t->roots[i].process.pid == process.pid; i++) {
        if (t->roots[i].process.start_ticks == process.start_ticks) {
            return t->roots[i].task_id;
        }
    }
    return 0;
}

/* Place of a task, or t->count. Under the lock. */
static size_t
place_of_task(const struct tree *t, int64_t task_id)
{
    size_t i = 0;

    while (i < t->count && t->roots[i].task_id != task_id) {
        i++;
    }
    return i;
}

/* Under the lock for writing. */
static enum ag_err
insert(struct tree *t, struct proc_ref root, int64_t task_id)
{
    size_t at = lower_bound(t, root.pid);

    if (find(t, root) != 0 || place_of_task(t, task_id) < t->count) {
        return err_why(AG_EEXISTS, "this process supervises a task already");
    }
    if (t->count == TREE_TASKS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "%d tasks are running, and no more may",
                       TREE_TASKS_MAX_COUNT);
    }
    for (size_t i = t->count; i > at; i--) {
        t->roots[i] = t->roots[i - 1];
    }
    t->roots[at] = (struct root){.process = root, .task_id = task_id};
    t->count++;
    return AG_OK;
}

enum ag_err
tree_add(struct tree *t, struct proc_ref root, int64_t task_id)
{
    enum ag_err err;

    if (root.pid <= 0 || task_id <= 0) {
        return AG_EINVAL;
    }
    (void)pthread_rwlock_wrlock(&t->lock);
    err = insert(t, root, task_id);
    (void)pthread_rwlock_unlock(&t->lock);
    return err;
}

void
tree_remove(struct tree *t, int64_t task_id)
{
    size_t at;

    (void)pthread_rwlock_wrlock(&t->lock);
    at = place_of_task(t, task_id);
    if (at < t->count) {
        t->count--;
        for (; at < t->count; at++) {
            t->roots[at] = t->roots[at + 1];
        }
    }
    (void)pthread_rwlock_unlock(&t->lock);
}

void
tree_clear(struct tree *t)
{
    (void)pthread_rwlock_wrlock(&t->lock);
    t->count = 0;
    (void)pthread_rwlock_unlock(&t->lock);
}

int64_t
tree_task_of(struct tree *t, const struct proc_facts *facts)
{
    int64_t task_id = 0;

    (void)pthread_rwlock_rdlock(&t->lock);
    for (size_t i = 0; t->count > 0 && task_id == 0 && i < facts->chain_count;
         i++) {
        task_id = find(t, facts->chain[i]);
    }
    (void)pthread_rwlock_unlock(&t->lock);
    return task_id;
}

int64_t
tree_task_rooted_at(struct tree *t, struct proc_ref root)
{
    int64_t task_id;

    (void)pthread_rwlock_rdlock(&t->lock);
    task_id = find(t, root);
    (void)pthread_rwlock_unlock(&t->lock);
    return task_id;
}

enum ag_err
tree_root(struct tree *t, int64_t task_id, struct proc_ref *ret)
{
    enum ag_err err = AG_ENOTFOUND;
    size_t at;

    (void)pthread_rwlock_rdlock(&t->lock);
    at = place_of_task(t, task_id);
    if (at < t->count) {
        *ret = t->roots[at].process;
        err = AG_OK;
    }
    (void)pthread_rwlock_unlock(&t->lock);
    return err;
}

size_t
tree_roots(struct tree *t, struct proc_ref roots[TREE_TASKS_MAX_COUNT],
           int64_t task_ids[TREE_TASKS_MAX_COUNT])
{
    size_t count;

    (void)pthread_rwlock_rdlock(&t->lock);
    count = t->count;
    for (size_t i = 0; i < count; i++) {
        roots[i] = t->roots[i].process;
        task_ids[i] = t->roots[i].task_id;
    }
    (void)pthread_rwlock_unlock(&t->lock);
    return count;
}
