/*
 * issue.h - makes tokens: the row, the text, the entry of the live table; and
 * fills that table from the rows.
 * Floor: core. Depends on: core/live, crypt/token, store/tokens.
 */
#ifndef AG_CORE_ISSUE_H
#define AG_CORE_ISSUE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"
#include "core/live.h"

struct core;
struct db_read;
struct db_tx;
struct secret;

struct issue {
    int64_t task_id;
    const struct live_token *parent; /* NULL: none */
    int64_t role_id;                 /* with `role` */
    int role;                        /* enum role_kind, or 0 */
    bool unbound;
    int64_t expires_ms; /* wall clock */
    int64_t max_ms;
    int64_t uses;             /* GRANT_USES_UNLIMITED or a number */
    struct grant_set *grants; /* borrowed */
};

/* What issue_row() made, to be given to issue_live() as the last step. */
struct issued {
    struct live_token token;
    struct secret *text; /* the token; the caller's */
};

/* Writes the row. Errors: those of the store; AG_ELOCKED. Writer. */
AG_CHECK AG_NONNULL enum ag_err issue_row(struct core *core, struct db_tx *tx,
                                          const struct issue *what,
                                          struct issued *ret);

/* Puts it into the table; nothing in the database is touched. */
AG_CHECK AG_NONNULL enum ag_err issue_live(struct core *core,
                                           const struct issued *issued);

void issued_done(struct issued *issued);
AG_DEFINE_CLEANUP_INPLACE(issued, issued_done)

/* {token, accessor, expires_at, renew_until, generation}: the only copy of the
 * text in clear, in memory that is wiped. */
AG_CHECK AG_NONNULL enum ag_err issued_answer(const struct issued *issued,
                                              json_t **ret);

/* What the task (0: none) prints of a token's text is redacted from the next
 * commit of the set on, in place of an older text of that token. Errors: those
 * of the filter. */
AG_CHECK AG_NONNULL enum ag_err issue_hide(struct core *core, int64_t task_id,
                                           int64_t token_id,
                                           const struct secret *text);

/* {accessor, task, role, unbound, revoked, uses_left, generation, expires_at,
 * renew_until, grants}. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err token_describe(const struct live_token *token,
                                               json_t **ret);

/* The live token of an accessor; a task finds its own family only. Ownership:
 * live_release(). Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err token_by_accessor(struct core *core,
                                                  const struct call *call,
                                                  const char *accessor,
                                                  struct live_token **ret);

/* The table as the rows have it. Errors: those of the store. */
AG_CHECK AG_NONNULL enum ag_err issue_load(struct core *core,
                                           struct db_read *r);

#endif
