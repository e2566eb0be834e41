/*
 * exposure.h - the exposure ledger: for every secret version, which tasks could
 * have seen it, how, when. Rows are added and counted up, never removed.
 * Floor: store. Depends on: store/words, store/row.
 */
#ifndef AG_STORE_EXPOSURE_H
#define AG_STORE_EXPOSURE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;

struct exposure_row {
    int64_t id;
    int64_t secret_id;
    int64_t version;
    int64_t task_id; /* 0: no task (the operator, a role) */
    enum verb verb;
    int64_t first_ms;
    int64_t last_ms;
    int64_t times_count;
};

/*
 * Notes that `task_id` could have seen this version by `verb` now: a new row
 * for the first time of (secret, version, task, verb), else last_ms and
 * times_count of the one there. *ret_new (may be NULL) says which.
 */
AG_CHECK enum ag_err
exposure_note(struct db_tx *tx, const struct exposure_row *seen, bool *ret_new);

typedef enum ag_err (*exposure_each_fn)(const struct exposure_row *row,
                                        void *arg);

/* Of one secret, or one task; newest first, at most limit. */
AG_CHECK enum ag_err exposure_of_secret_each(struct db_read *r,
                                             int64_t secret_id, uint32_t limit,
                                             exposure_each_fn each, void *arg);
AG_CHECK enum ag_err exposure_of_task_each(struct db_read *r, int64_t task_id,
                                           uint32_t limit,
                                           exposure_each_fn each, void *arg);

#endif
