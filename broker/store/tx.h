/*
 * tx.h - the writer's transaction: a group of jobs, each in a savepoint, and
 * the marks that tie every changed row to the record.
 * Floor: store. Depends on: store/db, store/conn, store/keys.
 *
 * For this room only. row_write() marks each row it writes; audit_append()
 * takes the marks into the row of the record. A job that ends with marks left
 * over has changed something off the record, and is undone.
 */
#ifndef AG_STORE_TX_H
#define AG_STORE_TX_H

#include "base/buf.h"
#include "store/conn.h"
#include "store/db.h"
#include "store/keys.h"

enum {
    TX_CHAIN_BYTES = 32,
    TX_DIGEST_BYTES = 32,
    TX_DIGESTS_COUNT = 2, /* table.digest 1 and 2 */
    TX_DIGESTS_BYTES = TX_DIGEST_BYTES * TX_DIGESTS_COUNT,
    /* Table 1, row 8, tag 20 bytes; of a row that was removed the tag is all
     * zeros. A full list gets a row of the record of
     * its own, so that one body stays below the seal's limit. */
    TX_MARK_BYTES = 1 + 8 + TAG_BYTES,
    TX_MARKS_MAX_COUNT = 1500,
    TX_GONE_MAX_BYTES = 8 << 20, /* a million versions in one commit */
};

struct db_read {
    struct conn conn;
    struct db *db;
    struct db_read *next; /* in the pool */
};

/* What the record ends with, and the digests of the small tables. */
struct tx_end {
    uint64_t seq;
    uint8_t chain[TX_CHAIN_BYTES];
    uint8_t digests[TX_DIGESTS_COUNT][TX_DIGEST_BYTES];
};

/* Fields are written by tx_*, row_* and audit_* only. */
struct db_tx {
    struct db_read self;
    int64_t now_ms;
    struct tx_end end;   /* of this transaction so far */
    struct tx_end saved; /* at the savepoint */
    struct tx_end group; /* at the start of the transaction */
    struct buf marks;
    size_t mark_count;
    /* Ids of the versions whose values were destroyed, for the redaction set;
     * `gone_saved` bytes of them at the savepoint. */
    struct buf gone;
    size_t gone_saved;
    bool open;
    bool discards; /* db_tx_discard(): what the job changed is not kept */
    bool wiped;    /* a value was destroyed: the WAL is to be emptied */
};

/* Prepares the statements below, so that a rollback needs no memory. */
AG_CHECK AG_NONNULL enum ag_err tx_prime(struct db_tx *tx);

AG_CHECK AG_NONNULL enum ag_err tx_begin(struct db_tx *tx);

/* Durable when it returns AG_OK; after any error nothing of it is there. */
AG_CHECK AG_NONNULL enum ag_err tx_commit(struct db_tx *tx);
AG_NONNULL void tx_rollback(struct db_tx *tx);

/* One job: tx_save(), the job, tx_keep() or tx_undo(). tx_keep() refuses marks
 * that are not on the record (AG_EINTERNAL); then tx_undo(). Of a job that
 * discards it keeps nothing. */
AG_CHECK AG_NONNULL enum ag_err tx_save(struct db_tx *tx);
AG_CHECK AG_NONNULL enum ag_err tx_keep(struct db_tx *tx);
AG_NONNULL void tx_undo(struct db_tx *tx);

/* Is the transaction still there? SQLite itself rolls back when the disk is
 * full or fails. */
AG_NONNULL bool tx_alive(const struct db_tx *tx);

#endif
