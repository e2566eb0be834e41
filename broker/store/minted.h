/*
 * minted.h - credentials made at a provider, one row each: on record before the
 * provider hears of them, and until they work no more.
 * Floor: store. Depends on: store/row, store/words.
 *
 * The value is a version of its secret (versions.h), pending until it is
 * destroyed: never the current one of anybody. The plan is a copy of the rule's,
 * so that what was made by a rule can be revoked when that is no more.
 */
#ifndef AG_STORE_MINTED_H
#define AG_STORE_MINTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/words.h"

struct db_read;
struct db_tx;

enum {
    MINTED_HANDLE_BYTES = 64,         /* with its NUL */
    MINTED_CODE_BYTES = 64,           /* [a-z0-9_.-], with its NUL */
    MINTED_PLAN_MAX_BYTES = 4 * 1024, /* minter, source, parameters */
    MINTED_ENDED_MAX_COUNT =
        64, /* ended ones of each secret; the record has all */
};

struct minted_row {
    int64_t id;
    int64_t secret_id;
    int64_t version; /* 0: its value is not known */
    int64_t task_id;
    enum minted_state state;
    int64_t attempts; /* of a revoke or a renewal, since one went well */
    int64_t created_ms;
    int64_t changed_ms;
    int64_t expires_ms;
    int64_t due_ms; /* when it is to be renewed or revoked; 0: at once */
    char handle[MINTED_HANDLE_BYTES];
    char code[MINTED_CODE_BYTES]; /* why it is as it is; or empty */
    char *plan;                   /* JSON object */
};

void minted_row_done(struct minted_row *row);
AG_DEFINE_CLEANUP_INPLACE(minted_row, minted_row_done)

AG_CHECK AG_NONNULL enum ag_err minted_get(struct db_read *r, int64_t id,
                                           struct minted_row *ret);

/* The newest live one of a task and a secret. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err minted_live_of(struct db_read *r,
                                               int64_t task_id,
                                               int64_t secret_id,
                                               struct minted_row *ret);

/* Ids of a task's open ones, at most `cap`, oldest first, above `after`. */
AG_CHECK AG_NONNULL enum ag_err
minted_open_of_task(struct db_read *r, int64_t task_id, int64_t after,
                    int64_t *out, size_t cap, size_t *ret_count);

struct minted_when {
    int64_t now_ms;
    int64_t reach_ms; /* further ahead no try of a revoke is put off, but to
                         the end of its credential */
};

/* Ids of open ones that are due, at most `cap`, the longest due first; *ret_next
 * is when the first of the others will be, INT64_MAX: never. */
AG_CHECK AG_NONNULL enum ag_err
minted_due(struct db_read *r, const struct minted_when *when, int64_t *out,
           size_t cap, size_t *ret_count, int64_t *ret_next_ms);

struct minted_counts {
    uint64_t live;
    uint64_t open;     /* all that may work at a provider */
    uint64_t revoking; /* of tasks that have ended */
    uint64_t failed;   /* of those, tried at least once */
};

/* secret_id 0: of all. */
AG_CHECK AG_NONNULL enum ag_err
minted_count(struct db_read *r, int64_t secret_id, struct minted_counts *ret);

typedef enum ag_err (*minted_each_fn)(const struct minted_row *row, void *arg);
/* Open ones, newest first, at most `limit`; of one secret, or of all (0). */
AG_CHECK enum ag_err minted_open_each(struct db_read *r, int64_t secret_id,
                                      int64_t limit, minted_each_fn each,
                                      void *arg);

/* The id that the next new row gets in this transaction. */
AG_CHECK AG_NONNULL enum ag_err minted_next_id(struct db_tx *tx, int64_t *ret);

/* Adds the row if created_ms is 0 (old ones of the secret leave), else writes
 * back all that may change. Times of the row are set. */
AG_CHECK AG_NONNULL enum ag_err minted_write(struct db_tx *tx,
                                             struct minted_row *row);

#endif
