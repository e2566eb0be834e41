/*
 * audit_check.h - verification and export of the record.
 * Floor: store. Depends on: store/audit, store/head.
 */
#ifndef AG_STORE_AUDIT_CHECK_H
#define AG_STORE_AUDIT_CHECK_H

#include "store/audit.h"

struct buf;
struct store;

enum audit_fault {
    AUDIT_FAULT_NONE,
    AUDIT_FAULT_ROW,     /* row `seq` was changed: chain or seal don't verify */
    AUDIT_FAULT_GAP,     /* rows from `seq` on are missing */
    AUDIT_FAULT_CUT,     /* ends at `seq` although the sealed head knows more */
    AUDIT_FAULT_HEAD,    /* the head differs, is damaged or missing */
    AUDIT_FAULT_ALTERED, /* row `table_row` of `table` is not as recorded */
    AUDIT_FAULT_MISSING, /* … is gone */
    AUDIT_FAULT_EXTRA,   /* … is there, and was never recorded */
    AUDIT_FAULT_FILE,    /* SQLite finds pages or indexes damaged */
};

struct audit_report {
    enum audit_fault fault; /* the first one found */
    uint64_t rows;          /* audit rows that verify */
    uint64_t table_rows;    /* rows of other tables that verify */
    uint64_t seq;
    char table[32];
    int64_t table_row;
    char text[256]; /* one sentence; empty when all is well */
};

/*
 * Walks the whole record from the first row: sequence, chain, seals, the head,
 * then every row of every table against the tag the record has for it, then
 * SQLite's own integrity check (an index can hide a row). Cost:
 * proportional to the record (some 3 µs a row); never on the writer thread.
 * Errors: AG_OK also when a fault was found (see *ret); AG_ELOCKED, AG_EIO,
 *         AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err audit_verify(struct store *s,
                                             struct audit_report *ret);

/* The small tables only (keys, slots, secrets, versions, roles), against a
 * digest in the newest audit row; what store_unlock() leaves to the loader of
 * the redaction set. AG_ECORRUPT with a sentence. */
AG_CHECK AG_NONNULL enum ag_err audit_verify_small(struct store *s);

struct db_read;

/* Compares every row of the tables with that digest number (tables.h) against
 * `want`, after each row's own tag. For this room only. */
AG_CHECK AG_NONNULL enum ag_err digest_check(struct db_read *r, unsigned number,
                                             const uint8_t *want);

/*
 * Appends one JSON line per row after `after` to `out`, at most limit:
 * {"seq":…,"time":"…","kind":"…","task":…,"token":…,"secret":…,"body":{…},
 *  "chain":"hex"}. *ret_last is the last seq written (`after` when none): call
 * again with it until it stops growing.
 */
AG_CHECK AG_NONNULL enum ag_err audit_export(struct db_read *r, uint64_t after,
                                             uint32_t limit, struct buf *out,
                                             uint64_t *ret_last);

#endif
