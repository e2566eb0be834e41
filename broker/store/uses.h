/*
 * uses.h - the use journal: a use is written before its answer goes out, and
 * folded into the audit record within USES_FOLD_MS, many uses to a row. The
 * files are mapped shared, so what is written is with the kernel, as after
 * write(2): it outlives kill -9 of the broker, and no answer waits for the
 * file system's own commits. Room on the disk is taken ahead of it.
 * Floor: store. Depends on: crypt/chain, base/fdx, store/audit.
 *
 * Two files, uses.journal and uses.journal2 in the vault's directory, 0600: one
 * is appended to while the other is folded, committed and emptied. Records are
 * fixed, hold ids only, are numbered without gaps and chained by a keyed hash
 * within a file. Recovery folds both in order of number and skips numbers that
 * the record has already (the last folded number is in the same transaction as
 * the fold). A torn last record is an answer that never went out. Zeros behind
 * the records are room; an emptied file has nothing else.
 *
 * What this process wrote must be there when it is folded: what is not, and any
 * gap between numbers, is counted on the record (AUDIT_USES_LOST). After a
 * crash records missing at the end can't be told from uses that never were.
 *
 * The folded audit row (AUDIT_USES) has the body
 * {"uses":[{"token":1,"task":1,"secret":1,"version":1,"verb":"read","count":9,
 *           "first":"2026-…","last":"2026-…"},…]}
 * and uses_count of limited tokens (uses_max > 0) grows in the same
 * transaction.
 *
 * Record (bytes): number u64le | wall_ms | token | task | secret | version
 * i64le | verb u8, 7 zeros | chain 32, the next value of a chain (label "uses")
 * that starts anew in each emptied file.
 */
#ifndef AG_STORE_USES_H
#define AG_STORE_USES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

enum {
    USES_FOLD_MS = 50,
    USES_FILE_MAX_BYTES = 16 * 1024 * 1024, /* unfolded: more is AG_EBUSY */
    USES_ROW_MAX_COUNT = 64,    /* aggregates in one audit row: below its cap */
    USES_FOLD_MAX_COUNT = 4096, /* different ones kept while folding */
    USE_RECORD_BYTES = 7 * 8 + 32,
};

struct use {
    int64_t token_id; /* 0: none */
    int64_t task_id;
    int64_t secret_id;
    int64_t version;
    enum verb verb;
};

/* ---- for this room (the use cases call store_use()) ---------------------- */

struct db_tx;
struct secret;
struct uses;

/* What a fold did. */
struct uses_folded {
    uint64_t uses;
    uint64_t torn; /* records that do not verify: cut by a crash */
    uint64_t lost; /* numbers given to uses whose records are gone */
};

/* Opens or makes both files. `key` is copied; numbering goes on after
 * `last_number`, which the vault's row has. */
AG_CHECK AG_NONNULL enum ag_err uses_open(int dir_fd, const struct secret *key,
                                          const uint8_t *vault_id,
                                          uint64_t last_number,
                                          struct uses **ret);
void uses_close(struct uses *u);
AG_DEFINE_CLEANUP(uses, uses_close)

/*
 * Appends; on AG_OK the record is with the kernel. *ret_first says whether it
 * is the first since the last fold, so that somebody must be woken.
 * Errors: AG_EBUSY the file is full, AG_ENOSPACE, AG_EIO: the use must be
 * refused. Threads: any.
 */
AG_CHECK AG_NONNULL enum ag_err
uses_append(struct uses *u, const struct use *use, bool *ret_first);

/* Is there something to fold? Threads: any. */
AG_NONNULL bool uses_waiting(struct uses *u);

/* At the start: is there nothing at all in the files? Then uses_forget() is all
 * that is left to do. */
AG_NONNULL bool uses_empty(const struct uses *u);

/* At the start: folds both files in the transaction (rows of the record are
 * added by it); after its commit uses_forget(). */
AG_CHECK AG_NONNULL enum ag_err uses_recover(struct uses *u, struct db_tx *tx,
                                             struct uses_folded *ret);

/* Turns to the other file and folds this one in the transaction; after its
 * commit uses_forget(). If the commit fails the next fold takes it again. */
AG_CHECK AG_NONNULL enum ag_err uses_fold(struct uses *u, struct db_tx *tx,
                                          struct uses_folded *ret);

/* Empties what was folded; failing that (AG_EIO) it is skipped by number. */
AG_CHECK AG_NONNULL enum ag_err uses_forget(struct uses *u);

#endif
