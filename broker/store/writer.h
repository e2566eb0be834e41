/*
 * writer.h - the one thread that changes the vault: a queue of jobs, each in a
 * savepoint, one durable commit for all that wait.
 * Floor: store. Depends on: store/store (jobs), store/tx.
 *
 * For this room only. A thread that must have the writer's connection to itself
 * (unlock, lock, rekey) takes it with writer_hold(): then the
 * writer starts no group until writer_release().
 */
#ifndef AG_STORE_WRITER_H
#define AG_STORE_WRITER_H

#include "store/store.h"

struct writer;

enum {
    WRITER_GROUP_MAX_COUNT = 1024, /* jobs of one commit: bounds its time */
};

/* All run on the writer thread, or on the one that holds the writer. */
struct writer_hooks {
    void *arg;
    /* After a durable commit, before the done() callbacks. */
    void (*committed)(void *arg);
    /* At most every period_ms after writer_wake(); true: once more. */
    bool (*tick)(void *arg);
    int64_t period_ms;
    /* Once, when there has been nothing to do for a second. */
    void (*quiet)(void *arg);
};

AG_CHECK AG_NONNULL enum ag_err writer_start(struct db_tx *tx,
                                             const struct writer_hooks *hooks,
                                             struct writer **ret);
/* Finishes the queue, then ends the thread. NULL is allowed. */
void writer_stop(struct writer *w);
AG_DEFINE_CLEANUP(writer, writer_stop)

/* Are jobs taken? Off from the start. Turning it off doesn't drop those that
 * wait. */
AG_NONNULL void writer_accept(struct writer *w, bool on);

/* Errors: AG_ELOCKED not accepting, AG_EBUSY queue full. */
AG_CHECK AG_NONNULL enum ag_err writer_submit(struct writer *w,
                                              struct store_job *job);

/* A tick is wanted within period_ms. Threads: any. */
AG_NONNULL void writer_wake(struct writer *w);

/* Waits until every job taken so far is done; with writer_accept() off. */
AG_NONNULL void writer_drain(struct writer *w);

/* Waits for the group under way, then keeps the writer from starting another:
 * jobs wait in the queue. Not twice by one thread. */
AG_NONNULL void writer_hold(struct writer *w);
AG_NONNULL void writer_release(struct writer *w);

/* Runs one job in a transaction of its own in the calling thread, which holds
 * the writer; `committed` is called. */
AG_CHECK enum ag_err writer_run_held(struct writer *w, store_run_fn run,
                                     void *arg);

/* Called after a failed commit. Set before jobs are accepted. */
void writer_on_rebuild(struct writer *w, void (*rebuild)(void *), void *arg);

/* commits, jobs, largest_group, commit_failures and queue_count. */
AG_NONNULL void writer_stats(struct writer *w, struct store_stats *ret);

#endif
