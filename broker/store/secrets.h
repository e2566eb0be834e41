/*
 * secrets.h - named secrets: what is known about a value, not the value
 * (versions.h).
 * Floor: store. Depends on: store/words, store/row.
 *
 * The name and all that tells something are sealed; a name is found by its
 * keyed hash. A removed secret stays as a tombstone (its id keeps its name for
 * the exposure ledger); the same name may then be used again by a new row.
 *
 * Threads: a db_read belongs to one thread. Writer functions take a db_tx and
 * run in a job (store.h); db_tx_read(tx) reads inside it.
 */
#ifndef AG_STORE_SECRETS_H
#define AG_STORE_SECRETS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;
struct secret;

enum {
    SECRET_RETAIN_DEFAULT_COUNT = 2, /* old versions kept beside the current */
    SECRET_RETAIN_MAX_COUNT = 100,   /* each is in the redaction set */
    SECRET_DETAIL_MAX_BYTES = 16 * 1024, /* hosts, places, file facts */
    SECRET_PROFILE_MAX_BYTES = 64,
};

struct secret_row {
    int64_t id;
    char name[NAME_MAX_BYTES + 1];
    char profile[SECRET_PROFILE_MAX_BYTES + 1]; /* empty: none */
    enum secret_kind kind;
    enum grade min_grade; /* the worst grade it allows */
    uint32_t retain_count;
    int64_t current_version; /* 0: none (pending only, released) */
    int64_t last_version;    /* the newest number ever given */
    int64_t created_ms;
    int64_t changed_ms; /* of the row or its current version */
    int64_t removed_ms; /* 0: alive */
    char *detail;       /* JSON object, sealed: description, fields,
                                 hosts, places, file facts; "{}" when none */
};

/* In place: {0} before; done() wipes and frees what a reader filled. */
void secret_row_done(struct secret_row *row);
AG_DEFINE_CLEANUP_INPLACE(secret_row, secret_row_done)

/* By name or id. Ownership: *ret is the caller's, secret_row_done(). A reader
 * overwrites *ret without freeing: give it a fresh one.
 * Errors: AG_ENOTFOUND (also a removed one, by name), AG_ECORRUPT, AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err
secrets_find(struct db_read *r, struct span name, struct secret_row *ret);
AG_CHECK AG_NONNULL enum ag_err secrets_get(struct db_read *r, int64_t id,
                                            struct secret_row *ret);

/* Calls back for each living secret whose name starts with `prefix`, in order
 * of id; an error from `each` ends the walk and is returned. The row is
 * borrowed for the call. */
typedef enum ag_err (*secrets_each_fn)(const struct secret_row *row, void *arg);
AG_CHECK enum ag_err secrets_each(struct db_read *r, struct span prefix,
                                  secrets_each_fn each, void *arg);

/* The same for logins (SECRET_LOGIN) with a current version: of the others no row
 * is read. */
AG_CHECK enum ag_err secrets_logins_each(struct db_read *r,
                                         secrets_each_fn each, void *arg);

/* How many are alive and have a current version. */
AG_CHECK AG_NONNULL enum ag_err secrets_count(struct db_read *r, uint64_t *ret);

/*
 * A new secret without a version (versions_add() gives it one). Uses name,
 * profile, kind, min_grade, retain_count, detail (NULL: "{}"); fills in id,
 * times and version numbers.
 * Errors: AG_EEXISTS, AG_EINVAL (name, words, detail not within its cap).
 */
AG_CHECK AG_NONNULL enum ag_err secrets_add(struct db_tx *tx,
                                            struct secret_row *row);

/* Writes back profile, kind, min_grade, retain_count and detail of a row that
 * secrets_get() gave in this job; changed_ms is set. */
AG_CHECK AG_NONNULL enum ag_err secrets_update(struct db_tx *tx,
                                               struct secret_row *row);

/* Destroys every version and leaves a tombstone. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err secrets_remove(struct db_tx *tx, int64_t id);

#endif
