/*
 * ends.h - what ends with a task, and ids taken in pieces so that no walk is
 * open while its rows change.
 * Floor: store. Depends on: store/conn, store/tx.
 *
 * For this room only.
 */
#ifndef AG_STORE_ENDS_H
#define AG_STORE_ENDS_H

#include "store/tx.h"

enum {
    ENDS_PIECE_COUNT = 128,
};

AG_CHECK AG_NONNULL enum ag_err grants_end_task(struct db_tx *tx,
                                                int64_t task_id);
AG_CHECK AG_NONNULL enum ag_err leases_end_task(struct db_tx *tx,
                                                int64_t task_id);

/*
 * Ids that `sql` gives for (key, id > the last one, limit), piece by piece,
 * each handed to `each`, which may change or leave the row.
 */
typedef enum ag_err (*ends_each_fn)(struct db_tx *tx, int64_t id, void *arg);

struct ends_walk {
    const char *sql; /* … WHERE key = ?1 AND id > ?2 … ORDER BY id LIMIT ?3 */
    int64_t key;
    ends_each_fn each;
    void *arg;
};

AG_CHECK AG_NONNULL enum ag_err ends_each(struct db_tx *tx,
                                          const struct ends_walk *walk);

#endif
