/*
 * roles.h - role tokens for cron, CI and IDEs: a name, a kind, one token.
 * Floor: store. Depends on: store/words, store/row, store/tokens.
 */
#ifndef AG_STORE_ROLES_H
#define AG_STORE_ROLES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;

struct role_row {
    int64_t id;
    char name[NAME_MAX_BYTES + 1]; /* sealed; looked up by keyed hash */
    enum role_kind kind;
    int64_t token_id; /* 0 until roles_bind() */
    int64_t created_ms;
    int64_t ended_ms; /* 0: alive */
    enum end_reason end_reason;
};

/* A living role. Errors: AG_ENOTFOUND, AG_ECORRUPT, AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err roles_find(struct db_read *r, struct span name,
                                           struct role_row *ret);
AG_CHECK AG_NONNULL enum ag_err roles_get(struct db_read *r, int64_t id,
                                          struct role_row *ret);

typedef enum ag_err (*roles_each_fn)(const struct role_row *row, void *arg);
AG_CHECK enum ag_err roles_live_each(struct db_read *r, roles_each_fn each,
                                     void *arg);

/* Name and kind given; fills in the rest. The token row is then added with
 * role_id set (tokens_add()) and bound to it. Errors: AG_EEXISTS, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err roles_add(struct db_tx *tx,
                                          struct role_row *row);
AG_CHECK AG_NONNULL enum ag_err roles_bind(struct db_tx *tx, int64_t id,
                                           int64_t token_id);

/* Ends the role and revokes its token. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err roles_end(struct db_tx *tx, int64_t id,
                                          enum end_reason reason);

#endif
