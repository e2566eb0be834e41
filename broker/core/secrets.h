/*
 * secrets.h - secrets and their versions: put, get, list, roll back, remove.
 * Floor: core. Depends on: store/secrets, policy/grant, profile.
 */
#ifndef AG_CORE_SECRETS_H
#define AG_CORE_SECRETS_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"

struct secret;

/* PUT /v1/secrets/{name}. Optional texts may be NULL. */
struct put_request {
    const char *name;
    const struct secret *value;
    const char *kind; /* "opaque" when NULL */
    const char *profile;
    const char *min_grade; /* a verb's name; the worst it allows */
    const char *description;
    int64_t if_version; /* -1: whatever; 0: must not exist; else current */
};

/* *ret: {name, version, warnings: […]}. Errors: AG_EINVAL, AG_ECONFLICT,
 * AG_ELIMIT. Writer. */
AG_CHECK AG_NONNULL enum ag_err
core_secret_put(struct core *core, struct db_tx *tx, const struct call *call,
                const struct put_request *request, json_t **ret);

/* PATCH: fields that are NULL stay. A worse min_grade needs a fresh proof.
 * Writer. */
struct patch_request {
    const char *name;
    const char *min_grade;
    const char *description;
    const char *on_leak; /* core/incident.h */
};
AG_CHECK AG_NONNULL enum ag_err
core_secret_patch(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct patch_request *request);

/* DELETE: removes the secret with all versions; the audit row stays. Writer. */
AG_CHECK AG_NONNULL enum ag_err core_secret_remove(struct core *core,
                                                   struct db_tx *tx,
                                                   const struct call *call,
                                                   const char *name);

/*
 * GET /v1/secrets/{name}/value: for the operator with fresh proof, or a task
 * with a `read` grant. `field` may be NULL; version 0 is the current one.
 *
 * core_secret_get_quick() answers when the delivery is on record already (the use
 * is journalled before it returns) and else gives AG_EBUSY with *ret untouched:
 * then core_secret_get() must be run as a writer job, which records it durably.
 * Ownership: the caller frees *ret.
 */
struct get_request {
    const char *name;
    const char *field;
    int64_t version;
};
AG_CHECK AG_NONNULL enum ag_err
core_secret_get_quick(struct core *core, const struct call *call,
                      const struct get_request *request, int64_t *ret_version,
                      struct secret **ret);
AG_CHECK AG_NONNULL enum ag_err
core_secret_get(struct core *core, struct db_tx *tx, const struct call *call,
                const struct get_request *request, int64_t *ret_version,
                struct secret **ret);

/* GET /v1/secrets, /v1/secrets/{name}, /v1/secrets/{name}/versions: metadata
 * only. A task sees the names its grants cover. prefix may be NULL. */
AG_CHECK enum ag_err core_secret_list(struct core *core,
                                      const struct call *call,
                                      const char *prefix, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_secret_show(struct core *core,
                                                 const struct call *call,
                                                 const char *name,
                                                 json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_secret_versions(struct core *core,
                                                     const struct call *call,
                                                     const char *name,
                                                     json_t **ret);

/* POST …/versions {rollback: N} or {destroy: N}. Writer. */
AG_CHECK AG_NONNULL enum ag_err core_secret_rollback(struct core *core,
                                                     struct db_tx *tx,
                                                     const struct call *call,
                                                     const char *name,
                                                     int64_t version);
AG_CHECK AG_NONNULL enum ag_err
core_secret_destroy(struct core *core, struct db_tx *tx,
                    const struct call *call, const char *name, int64_t version);

#endif
