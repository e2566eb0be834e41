/*
 * grants.h - what a task may do.
 * Floor: store. Depends on: store/words, store/row.
 *
 * A grant belongs to a task; a token of the task has all of them unless its
 * scope (tokens.h) narrows them. The secret's name pattern, the field and the
 * limits (hosts, methods, paths, rate) are sealed.
 */
#ifndef AG_STORE_GRANTS_H
#define AG_STORE_GRANTS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;

enum {
    GRANT_LIMITS_MAX_BYTES = 8 * 1024,
    GRANTS_PER_TASK_MAX_COUNT = 256,
};

struct grant_row {
    int64_t id;
    int64_t task_id;
    char secret[NAME_MAX_BYTES + 1];     /* name or pattern */
    char field[REFERENCE_MAX_BYTES + 1]; /* RFC 6901; empty: the whole */
    enum verb verb;
    int64_t uses_max; /* 0: no limit */
    int64_t uses_count;
    int64_t created_ms;
    int64_t expires_ms; /* 0: with the task */
    int64_t ended_ms;   /* 0: alive */
    char *limits;       /* JSON object, sealed; NULL reads as "{}" */
};

void grant_row_done(struct grant_row *row);
AG_DEFINE_CLEANUP_INPLACE(grant_row, grant_row_done)

typedef enum ag_err (*grants_each_fn)(const struct grant_row *row, void *arg);

/* All grants of a task in order of id, ended ones too. */
AG_CHECK enum ag_err grants_of_task_each(struct db_read *r, int64_t task_id,
                                         grants_each_fn each, void *arg);

AG_CHECK AG_NONNULL enum ag_err grants_get(struct db_read *r, int64_t id,
                                           struct grant_row *ret);

/* Fills in id and created_ms. Errors: AG_EINVAL; AG_ENOTFOUND task;
 * AG_ELIMIT more than GRANTS_PER_TASK_MAX_COUNT. */
AG_CHECK AG_NONNULL enum ag_err grants_add(struct db_tx *tx,
                                           struct grant_row *row);

/* Writes back uses_count, expires_ms, ended_ms. */
AG_CHECK AG_NONNULL enum ag_err grants_update(struct db_tx *tx,
                                              struct grant_row *row);

#endif
