/*
 * audit_cursor.h - the record row by row, each verified against the one before.
 * Floor: store. Depends on: store/audit, store/row, crypt/chain.
 *
 * For this room only.
 */
#ifndef AG_STORE_AUDIT_CURSOR_H
#define AG_STORE_AUDIT_CURSOR_H

#include "store/audit_check.h"
#include "store/tx.h"

enum {
    /* task, token, secret i64le; digests 2 * 32; count of marks u32le */
    AUDIT_BODY_HEAD_BYTES = 3 * 8 + TX_DIGESTS_BYTES + 4,
    AUDIT_BODY_MAX_BYTES = AUDIT_BODY_HEAD_BYTES +
                           TX_MARK_BYTES * TX_MARKS_MAX_COUNT +
                           AUDIT_JSON_MAX_BYTES,
};

struct audit_entry {
    struct audit_row row;
    struct span digests; /* of the small tables, after this row */
    struct span marks;   /* TX_MARK_BYTES each */
};

struct audit_cursor {
    struct db_read *r;
    struct query q;
    struct buf body;
    uint64_t seq; /* of the last row that verified */
    uint8_t chain[AUDIT_CHAIN_BYTES];
    bool at_start; /* no row before: the chain's start */
    enum audit_fault fault;
};

/*
 * Stands after row `after` (0: before the first), whose chain value is taken as
 * it is. AG_ENOTFOUND when there is no such row.
 */
AG_CHECK AG_NONNULL enum ag_err
audit_cursor_open(struct db_read *r, uint64_t after, struct audit_cursor *ret);
AG_NONNULL void audit_cursor_done(struct audit_cursor *c);
AG_DEFINE_CLEANUP_INPLACE(audit_cursor, audit_cursor_done)

/* The next row, borrowed until the next call. AG_ENOTFOUND at the end;
 * AG_ECORRUPT with c->fault and a sentence. */
AG_CHECK AG_NONNULL enum ag_err audit_cursor_next(struct audit_cursor *c,
                                                  struct audit_entry *ret);

/* Chain value before the first row: made with the oldest audit key. */
AG_CHECK AG_NONNULL enum ag_err audit_genesis(struct db_read *r,
                                              uint8_t out[AUDIT_CHAIN_BYTES]);

/* The value of one row; used by both writing and checking. */
struct audit_link {
    uint64_t seq;
    int64_t wall_ms;
    int64_t kind;
    uint32_t key_id;
    struct span body;
};

/* AG_ECORRUPT when the key is unknown. `out` may be `previous`. */
AG_CHECK AG_NONNULL enum ag_err
audit_link(struct db_read *r, const uint8_t previous[AUDIT_CHAIN_BYTES],
           const struct audit_link *link, uint8_t out[AUDIT_CHAIN_BYTES]);

/* Chain value stored at a row, as it is. AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err audit_chain_at(struct db_read *r, uint64_t seq,
                                               uint8_t out[AUDIT_CHAIN_BYTES]);

/* Verifies the rows from `from` to the newest (at least the newest, when there
 * is one) and gives the end of the record with its digest. */
AG_CHECK AG_NONNULL enum ag_err audit_find_end(struct db_read *r, uint64_t from,
                                               struct tx_end *ret);

#endif
