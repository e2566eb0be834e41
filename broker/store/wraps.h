/*
 * wraps.h - a value that may be opened once: sealed under a data key of its
 * own, wiped by the opening.
 * Floor: store. Depends on: store/row, crypt/seal.
 */
#ifndef AG_STORE_WRAPS_H
#define AG_STORE_WRAPS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct db_read;
struct db_tx;
struct secret;

enum {
    WRAP_HASH_BYTES = 32,
};

struct wrap_row {
    int64_t id;
    uint8_t hash[WRAP_HASH_BYTES]; /* keyed, of the wrap's token */
    int64_t task_id;               /* who wrapped; 0: the operator */
    int64_t secret_id;             /* what was wrapped; 0: a text */
    int64_t version;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t opened_ms;      /* 0: not yet */
    int64_t attempts_count; /* openings tried after the first */
};

/* Fills in id and created_ms. Errors: AG_EEXISTS, AG_EINVAL, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err
wraps_add(struct db_tx *tx, struct wrap_row *row, const struct secret *value);

/*
 * Opens it, once. Also on AG_EUNWRAPPED and AG_EEXPIRED *ret_row is filled and
 * the change (attempt counted, expired value wiped) has been made: the job puts
 * the alarm on the record and returns AG_OK, keeping the error for its caller.
 * Errors: AG_ENOTOKEN no such wrap; AG_EUNWRAPPED opened before; AG_EEXPIRED;
 *         AG_ECORRUPT; AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err wraps_open(struct db_tx *tx,
                                           const uint8_t hash[WRAP_HASH_BYTES],
                                           struct wrap_row *ret_row,
                                           struct secret **ret);

/* Wipes the values of expired wraps, at most `limit`; *ret_count of them. */
AG_CHECK AG_NONNULL enum ag_err wraps_expire(struct db_tx *tx, int64_t now_ms,
                                             uint32_t limit,
                                             uint64_t *ret_count);

#endif
