/*
 * tasks.h - pieces of work by one process tree.
 * Floor: store. Depends on: store/words, store/row.
 *
 * name, purpose, repository and detail are sealed. Old tasks stay for the
 * exposure ledger; only live ones are ever walked without a bound.
 */
#ifndef AG_STORE_TASKS_H
#define AG_STORE_TASKS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;

enum {
    TASK_NAME_MAX_BYTES = 128,
    TASK_PURPOSE_MAX_BYTES = 512,
    TASK_REPOSITORY_MAX_BYTES = 512,
    TASK_DETAIL_MAX_BYTES = 16 * 1024, /* profiles, session, arguments */
};

struct task_row {
    int64_t id;
    char name[TASK_NAME_MAX_BYTES + 1];
    char purpose[TASK_PURPOSE_MAX_BYTES + 1];
    char repository[TASK_REPOSITORY_MAX_BYTES + 1];
    int64_t created_ms;
    int64_t deadline_ms;
    int64_t ended_ms; /* 0: alive */
    enum end_reason end_reason;
    int64_t exit_code; /* of the command; -1 unknown */
    int64_t root_pid;  /* supervisor, and its start time in clock ticks */
    int64_t root_start;
    char *detail; /* JSON object, sealed; NULL reads as "{}" */
};

void task_row_done(struct task_row *row);
AG_DEFINE_CLEANUP_INPLACE(task_row, task_row_done)

/* Errors: AG_ENOTFOUND, AG_ECORRUPT, AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err tasks_get(struct db_read *r, int64_t id,
                                          struct task_row *ret);

typedef enum ag_err (*tasks_each_fn)(const struct task_row *row, void *arg);

/* Those not ended, oldest first (an index holds only these). */
AG_CHECK enum ag_err tasks_live_each(struct db_read *r, tasks_each_fn each,
                                     void *arg);

/* Newest first, at most limit. */
AG_CHECK enum ag_err tasks_recent_each(struct db_read *r, uint32_t limit,
                                       tasks_each_fn each, void *arg);

/* Fills in row->id and created_ms. Errors: AG_EINVAL (deadline not after now,
 * detail beyond its cap). */
AG_CHECK AG_NONNULL enum ag_err tasks_add(struct db_tx *tx,
                                          struct task_row *row);

/* Ends it; with it, in the same job, all its live tokens, grants and leases
 * (END_PARENT). Ended already: AG_ECONFLICT. */
AG_CHECK AG_NONNULL enum ag_err tasks_end(struct db_tx *tx, int64_t id,
                                          enum end_reason reason,
                                          int64_t exit_code);

#endif
