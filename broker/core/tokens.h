/*
 * tokens.h - tokens as their holders and the operator use them. The table of
 * live tokens is in memory, rebuilt from the database at unlock.
 * Floor: core. Depends on: crypt/token, store/tokens, policy/grant.
 */
#ifndef AG_CORE_TOKENS_H
#define AG_CORE_TOKENS_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"
#include "core/tasks.h"

struct secret;

struct token_request {
    const char
        *task; /* the operator's choice; NULL: child of the token shown */
    const struct task_grant_request *grants; /* none: the parent's */
    size_t grant_count;
    int64_t ttl_ms;     /* 0: what the parent has left */
    int64_t max_ttl_ms; /* 0: as ttl */
    int64_t uses;       /* 0: unlimited */
    bool unbound;       /* usable from any process: operator only */
};

/* POST /v1/tokens. *ret: {token, accessor, expires_at, renew_until,
 * generation}. Errors: AG_EWIDER, AG_ENOTFOUND, AG_EDENIED. Writer. */
AG_CHECK AG_NONNULL enum ag_err
core_token_create(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct token_request *request, json_t **ret);

/* GET /v1/tokens/self and POST /v1/tokens/lookup {accessor}. */
AG_CHECK AG_NONNULL enum ag_err
core_token_self(struct core *core, const struct call *call, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_token_lookup(struct core *core,
                                                  const struct call *call,
                                                  const char *accessor,
                                                  json_t **ret);
AG_CHECK enum ag_err core_tokens_list(struct core *core,
                                      const struct call *call, const char *task,
                                      json_t **ret);

/*
 * POST /v1/tokens/self/renew: a later end, up to the hard maximum, and a new
 * text: the one that was shown ends. `call` is of access_renewal().
 * *ret: as token_self, and {token}. Errors: AG_ENOTOKEN; AG_ERENEWED. Writer.
 */
AG_CHECK AG_NONNULL enum ag_err core_token_renew(struct core *core,
                                                 struct db_tx *tx,
                                                 const struct call *call,
                                                 int64_t ttl_ms, json_t **ret);

/*
 * POST /v1/tokens/revoke and DELETE /v1/tokens/self: one of these is set, the
 * rest NULL. Children go with their parent. `prefix` is a secret's name or
 * pattern: every token with a grant under it. *ret: {revoked: n}. Writer.
 */
struct revoke_request {
    const char *accessor;
    const char *token;
    const char *task;
    const char *prefix;
    bool self;
};
AG_CHECK AG_NONNULL enum ag_err
core_token_revoke(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct revoke_request *request, json_t **ret);

/* Leases: GET /v1/leases?task=, DELETE /v1/leases/{id} (Writer). */
AG_CHECK enum ag_err core_leases_list(struct core *core,
                                      const struct call *call, const char *task,
                                      json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_lease_revoke(struct core *core,
                                                  struct db_tx *tx,
                                                  const struct call *call,
                                                  const char *id);

/* Wraps: single use. *ret: {token, expires_at}. Writer. */
struct wrap_request {
    const char *ref;            /* this or `value`; the other is NULL */
    const struct secret *value; /* a text of the caller's */
    int64_t ttl_ms;             /* 0: the setting's maximum */
};
AG_CHECK AG_NONNULL enum ag_err
core_wrap_make(struct core *core, struct db_tx *tx, const struct call *call,
               const struct wrap_request *request, json_t **ret);

/*
 * A second opening is an alarm that must stay on the record, so the job
 * succeeds and *ret_outcome (AG_OK, AG_EUNWRAPPED, AG_EEXPIRED, AG_EREVOKED) is the answer;
 * *ret is NULL unless that is AG_OK. Errors: AG_ETOKEN, AG_ENOTOKEN; AG_EONHOLD
 * and it stays closed. Writer.
 */
AG_CHECK AG_NONNULL enum ag_err
core_wrap_open(struct core *core, struct db_tx *tx, const struct call *call,
               const char *token, struct secret **ret,
               enum ag_err *ret_outcome);

/* Role tokens of services. *ret: as token_create. Writer. */
struct role_request {
    const char *name;
    const char *kind; /* rotator, runner, auditor or backup */
    int64_t ttl_ms;
};
AG_CHECK AG_NONNULL enum ag_err
core_role_create(struct core *core, struct db_tx *tx, const struct call *call,
                 const struct role_request *request, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_role_remove(struct core *core,
                                                 struct db_tx *tx,
                                                 const struct call *call,
                                                 const char *name);
AG_CHECK AG_NONNULL enum ag_err core_roles_list(struct core *core,
                                                json_t **ret);

#endif
