/*
 * shed.h - journals keep the newest rows of what has ended; older ones leave
 * when a new row comes, in its transaction and with a row of the record that
 * says how many.
 * Floor: store. Depends on: store/row, store/audit.
 *
 * For this room only. To be called after a new, open row was written: so the
 * newest id of a table never leaves, and none is used again.
 */
#ifndef AG_STORE_SHED_H
#define AG_STORE_SHED_H

#include "store/tables.h"
#include "store/tx.h"

enum {
    SHED_LEAST_COUNT = 8,  /* fewer wait: not each row is to cost another of
                              the record */
    SHED_PIECE_COUNT = 64, /* at a time; the next new row finds the rest */
};

struct shed {
    enum table_id table;
    /* Ids of ended rows, newest first: … ORDER BY id DESC LIMIT ?3 OFFSET ?2;
     * ?1 is the secret, where the journal is one of each. */
    const char *sql;
    int64_t keep_count;
};

/* secret_id 0: the journal is one of all. */
AG_CHECK AG_NONNULL enum ag_err
shed_ended(struct db_tx *tx, const struct shed *shed, int64_t secret_id);

#endif
