/*
 * versions.h - the values of a secret, one row each, sealed under a data key of
 * their own that is wrapped under the wrap key.
 * Floor: store. Depends on: store/secrets, crypt/seal, crypt/keyring.
 *
 * States: pending (adopt has read it, the file is still the authority) ->
 * current (at most one per secret) -> retained (an older one, still in the
 * redaction set) -> destroyed. released: the value went back to its file.
 * Destroying wipes the wrapped data key and the sealed value; the row stays.
 * Associated data: vault id, table, row id, column and version number; the
 * row's tag ties them to the secret. So a value moved to another row, secret or
 * version does not open.
 */
#ifndef AG_STORE_VERSIONS_H
#define AG_STORE_VERSIONS_H

#include "store/secrets.h"

struct version_row {
    int64_t id;
    int64_t secret_id;
    int64_t number; /* 1, 2, … within the secret */
    enum version_state state;
    int64_t created_ms;
    int64_t changed_ms;  /* of the state */
    int64_t value_bytes; /* length of the value in clear; 0 once destroyed */
};

/* Errors: AG_ENOTFOUND, AG_ECORRUPT, AG_ELOCKED. number 0 is the current one. */
AG_CHECK AG_NONNULL enum ag_err versions_get(struct db_read *r,
                                             int64_t secret_id, int64_t number,
                                             struct version_row *ret);

/* The same by the row's own id: what the redaction set knows it by. */
AG_CHECK AG_NONNULL enum ag_err versions_by_id(struct db_read *r, int64_t id,
                                               struct version_row *ret);

/*
 * The value. number 0 is the current one; pending and retained ones too.
 * Ownership: *ret is the caller's. *ret_row may be NULL.
 * Errors: AG_ENOTFOUND no such version, or its value is destroyed or released;
 *         AG_ECORRUPT; AG_ELOCKED; AG_EMEMLOCK.
 */
AG_CHECK enum ag_err versions_value(struct db_read *r, int64_t secret_id,
                                    int64_t number, struct version_row *ret_row,
                                    struct secret **ret);

typedef enum ag_err (*versions_each_fn)(const struct version_row *row,
                                        void *arg);
/* All versions of a secret, newest first. */
AG_CHECK enum ag_err versions_each(struct db_read *r, int64_t secret_id,
                                   versions_each_fn each, void *arg);

/*
 * Every value that must not appear in output: pending, current and retained
 * versions of living secrets, secret by secret; for the redaction set.
 * `value` and `row` are borrowed for the call.
 */
typedef enum ag_err (*versions_live_fn)(const struct secret_row *row,
                                        const struct version_row *version,
                                        const struct secret *value, void *arg);
AG_CHECK enum ag_err versions_live_each(struct db_read *r,
                                        versions_live_fn each, void *arg);

/*
 * A new version, number last+1. As VERSION_CURRENT it takes the place of the
 * current one, which becomes retained, and the oldest retained ones beyond
 * retain_count are destroyed, but not `spare`, nor one of a rotation
 * that is open, which its provider may still know; as VERSION_RETAINED it is kept
 * beside the current one, and the same are destroyed; as VERSION_PENDING it
 * waits for versions_promote(). `if_version` >= 0 demands that it be the current number
 * (0: there is none): optimistic locking. Who made it is noted (makers.h).
 * Errors: AG_ENOTFOUND secret; AG_ECONFLICT if_version; AG_ELIMIT value longer
 *         than SEAL_PLAIN_MAX_BYTES; AG_EINVAL another state, no maker.
 */
struct version_new {
    int64_t secret_id;
    const struct secret *value;
    enum version_state state;
    int64_t if_version; /* -1: don't care */
    int64_t spare;      /* 0: none */
    enum version_maker maker;
    int64_t task_id; /* of MAKER_TASK; 0: not known */
};

AG_CHECK AG_NONNULL enum ag_err versions_add(struct db_tx *tx,
                                             const struct version_new *add,
                                             struct version_row *ret);

/* Pending -> current, as above. Errors: AG_ENOTFOUND; AG_ECONFLICT not
 * pending. */
AG_CHECK AG_NONNULL enum ag_err
versions_promote(struct db_tx *tx, int64_t secret_id, int64_t number);

/* Retained -> current again; the current one becomes retained.
 * Errors: AG_ENOTFOUND; AG_ECONFLICT not retained. */
AG_CHECK AG_NONNULL enum ag_err
versions_rollback(struct db_tx *tx, int64_t secret_id, int64_t number);

/* Retained or pending -> destroyed. Errors: AG_ENOTFOUND; AG_ECONFLICT it is
 * the current one (versions_rollback() or secrets_remove() first). Destroyed
 * already: AG_OK, nothing happens. */
AG_CHECK AG_NONNULL enum ag_err
versions_destroy(struct db_tx *tx, int64_t secret_id, int64_t number);

/* Current -> released, value wiped; retained ones are destroyed. The secret
 * has no current version then. Errors: AG_ENOTFOUND, AG_ECONFLICT. */
AG_CHECK AG_NONNULL enum ag_err
versions_release(struct db_tx *tx, int64_t secret_id, int64_t number);

#endif
