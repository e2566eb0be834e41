/*
 * uses_sum.h - uses added up by (token, task, secret, version, verb) and put on
 * the record.
 * Floor: store. Depends on: store/uses, store/audit, store/tokens, wire/emit.
 *
 * For this room only. The sum is kept in a fixed table; when it is full, what
 * there is goes on the record and it starts again, so memory is bounded
 * whatever the journal holds.
 */
#ifndef AG_STORE_USES_SUM_H
#define AG_STORE_USES_SUM_H

#include "store/uses.h"

struct uses_sum;

struct use_seen {
    struct use use;
    int64_t wall_ms;
};

AG_CHECK AG_NONNULL enum ag_err uses_sum_new(struct db_tx *tx,
                                             struct uses_sum **ret);
void uses_sum_free(struct uses_sum *sum);
AG_DEFINE_CLEANUP(uses_sum, uses_sum_free)

/* The number the record has folded up to. */
AG_CHECK AG_NONNULL enum ag_err uses_sum_start(struct uses_sum *sum,
                                               uint64_t *ret_number);

AG_CHECK AG_NONNULL enum ag_err uses_sum_add(struct uses_sum *sum,
                                             const struct use_seen *seen);

/* Puts the rest on the record, with the number folded up to, and what was
 * missing. Nothing at all was added or missing: nothing is written. */
AG_CHECK AG_NONNULL enum ag_err uses_sum_end(struct uses_sum *sum,
                                             uint64_t number,
                                             const struct uses_folded *found);

#endif
