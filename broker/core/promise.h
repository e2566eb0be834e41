/*
 * promise.h - what a task is given, worked out from its request: grants,
 * deliveries, and how the tool finds them.
 * Floor: core. Depends on: policy/grant, profile/plan, store/secrets.
 */
#ifndef AG_CORE_PROMISE_H
#define AG_CORE_PROMISE_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/running.h"
#include "core/tasks.h"
#include "policy/grant.h"

struct call;
struct core;
struct db_read;
struct db_tx;
struct secret_row;

struct promises {
    struct grant grants[GRANTS_MAX_COUNT];
    size_t grant_count;
    struct delivery deliveries[TASK_DELIVERIES_MAX_COUNT];
    json_t *described[TASK_DELIVERIES_MAX_COUNT]; /* for the answer */
    size_t delivery_count;
    struct proxied *proxied; /* NULL: nothing goes through the proxy; grant_id
                                is the index in `grants` until there are rows */
    json_t *urls;            /* [{var, service, path}…] */
    json_t *args;            /* to be put behind argv[0] */
    json_t *unset;           /* variables that would win over a delivery */
    json_t *downgraded;      /* {secret: the grade that could be had} */
};

/*
 * First what the operator's word opens is opened (places_widen()); nothing else
 * is changed. Writer.
 * Ownership: *ret is the caller's, promises_free().
 * Errors: AG_ENOTFOUND a secret or profile (the sentence says what to type),
 *         AG_EGRADE, AG_EHELD, AG_EUNSUPPORTED, AG_EINVAL, AG_ELIMIT; AG_EPROOF
 *         a new place, or a grade that is worse than need be.
 */
AG_CHECK AG_NONNULL enum ag_err
promises_make(struct core *core, struct db_tx *tx, const struct call *call,
              const struct task_request *request, struct promises **ret);
void promises_free(struct promises *p);
AG_DEFINE_CLEANUP(promises, promises_free)

/*
 * May the task read this one, which a grant of its covers? What could be had at
 * grade proxy only if the operator let it: by naming it, or by a pattern that
 * matched it when the task began. Errors: AG_EGRADE.
 */
AG_CHECK AG_NONNULL enum ag_err promise_may_read(struct core *core,
                                                 struct db_read *r,
                                                 int64_t task_id,
                                                 const struct secret_row *row);

/* Adds spill_key: the public key (base64) under which a write-back is kept
 * when the broker is gone. */
AG_CHECK AG_NONNULL enum ag_err promise_spill_key(struct core *core,
                                                  json_t *answer);

#endif
