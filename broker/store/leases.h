/*
 * leases.h - the record that a value was handed out or used: by whom, by which
 * grade, until when.
 * Floor: store. Depends on: store/words, store/row.
 */
#ifndef AG_STORE_LEASES_H
#define AG_STORE_LEASES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;

enum {
    LEASE_DETAIL_MAX_BYTES = 4 * 1024, /* variable, path, field */
};

struct lease_row {
    int64_t id;
    int64_t task_id;  /* 0: an operator's or a role's */
    int64_t token_id; /* 0: none */
    int64_t secret_id;
    int64_t version;
    enum verb verb;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t ended_ms; /* 0: alive */
    enum end_reason end_reason;
    char *detail; /* JSON object, sealed; NULL reads as "{}" */
};

void lease_row_done(struct lease_row *row);
AG_DEFINE_CLEANUP_INPLACE(lease_row, lease_row_done)

AG_CHECK AG_NONNULL enum ag_err leases_get(struct db_read *r, int64_t id,
                                           struct lease_row *ret);

typedef enum ag_err (*leases_each_fn)(const struct lease_row *row, void *arg);

/* Not ended, of all tasks, oldest first. */
AG_CHECK enum ag_err leases_live_each(struct db_read *r, leases_each_fn each,
                                      void *arg);

/* Of one task, ended ones too, newest first, at most limit. */
AG_CHECK enum ag_err leases_of_task_each(struct db_read *r, int64_t task_id,
                                         uint32_t limit, leases_each_fn each,
                                         void *arg);

/* Fills in id and created_ms. Errors: AG_EINVAL; AG_ENOTFOUND secret version,
 * task or token. */
AG_CHECK AG_NONNULL enum ag_err leases_add(struct db_tx *tx,
                                           struct lease_row *row);

/* A lease follows a write-back to the new version, or is prolonged: writes
 * back version and expires_ms. */
AG_CHECK AG_NONNULL enum ag_err leases_update(struct db_tx *tx,
                                              struct lease_row *row);

/* Ended already: AG_OK, nothing happens. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err leases_end(struct db_tx *tx, int64_t id,
                                           enum end_reason reason);

#endif
