/*
 * uses.h - the use journal: a use is written (write(2), so it outlives kill -9
 * of the broker) before its answer goes out, and folded into the audit record
 * within USES_FOLD_MS, many uses to a row.
 * Floor: store. Depends on: crypt/chain, base/fdx, store/audit.
 *
 * Two files, uses.journal and uses.journal2 in the vault's directory, 0600: one
 * is appended to while the other is folded, committed and emptied. Records are
 * fixed, hold ids only, are numbered without gaps and chained by a keyed hash
 * within a file. Recovery folds both in order of number and skips numbers that
 * the record has already (the last folded number is in the same transaction as
 * the fold). A torn last record is an answer that never went out.
 */
#ifndef AG_STORE_USES_H
#define AG_STORE_USES_H

#include "base/attr.h"
#include "base/err.h"
#include "store/words.h"

enum {
    USES_FOLD_MS = 50,
    USES_FILE_MAX_BYTES = 16 * 1024 * 1024, /* unfolded: more is AG_EBUSY */
    USES_ROW_MAX_COUNT = 128,               /* aggregates in one audit row */
};

struct use {
    int64_t token_id; /* 0: none */
    int64_t task_id;
    int64_t secret_id;
    int64_t version;
    enum verb verb;
};

/*
 * The folded audit row (AUDIT_USES) has the body
 * {"uses":[{"token":1,"task":1,"secret":1,"version":1,"verb":"read","count":9,
 *           "first":"2026-…","last":"2026-…"},…]}
 * and uses_count of limited tokens (uses_max > 0) grows in the same
 * transaction.
 */
struct uses;

#endif
