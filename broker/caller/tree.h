/*
 * tree.h - the table of task roots: which process started which task, and
 * hence whose descendants are that task's.
 * Floor: caller. Depends on: base/proc.
 *
 * The root is the supervisor (`auth-guard run`), a child subreaper: a daemon
 * that forks twice, or a process of a nested PID namespace, still has it in
 * its chain of ancestors. The root itself does not belong to the task.
 */
#ifndef AG_CALLER_TREE_H
#define AG_CALLER_TREE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"

struct tree;

enum {
    TREE_TASKS_MAX_COUNT = PROC_ROOTS_MAX_COUNT, /* running at one time */
};

AG_CHECK AG_NONNULL enum ag_err tree_new(struct tree **ret);
void tree_free(struct tree *t);
AG_DEFINE_CLEANUP(tree, tree_free)

/*
 * Task ids are positive. Threads: every function here is safe; readers don't
 * wait for each other.
 * Errors: AG_EEXISTS the task, or the process, is in the table; AG_ELIMIT;
 *         AG_EINVAL no such process or id.
 */
AG_CHECK AG_NONNULL enum ag_err tree_add(struct tree *t, struct proc_ref root,
                                         int64_t task_id);

/* Nothing happens when it isn't there. */
AG_NONNULL void tree_remove(struct tree *t, int64_t task_id);
AG_NONNULL void tree_clear(struct tree *t);

/* The task whose root is a proper ancestor of this process, the nearest one;
 * 0 when none is. */
AG_NONNULL int64_t tree_task_of(struct tree *t, const struct proc_facts *facts);

/* The task that this very process is the root of; 0 when none. */
AG_NONNULL int64_t tree_task_rooted_at(struct tree *t, struct proc_ref root);

/* Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err tree_root(struct tree *t, int64_t task_id,
                                          struct proc_ref *ret);

/* A copy of all roots and their tasks; returns how many. */
AG_NONNULL size_t tree_roots(struct tree *t,
                             struct proc_ref roots[TREE_TASKS_MAX_COUNT],
                             int64_t task_ids[TREE_TASKS_MAX_COUNT]);

#endif
