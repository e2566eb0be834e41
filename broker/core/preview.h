/*
 * preview.h - what a task would be given: the same decisions as when one is
 * started, of which nothing stays.
 * Floor: core. Depends on: core/promise, core/tasks.
 */
#ifndef AG_CORE_PREVIEW_H
#define AG_CORE_PREVIEW_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/tasks.h"

struct call;
struct core;
struct db_tx;

/*
 * POST /v1/preview. *ret: {passphrase, values: [{kind, secret, grade,
 * instead_of?, …}…], grants: [{secret, field, verb}…], places: [{secret, hosts,
 * paths, methods, in, name, inner, plain, optional}…], urls, args, allow,
 * isolation}. `passphrase`: it would cost one, which is not asked for here.
 * Errors: those of core_task_start(), but for AG_EPROOF to an operator. Writer;
 * nothing is changed.
 */
AG_CHECK AG_NONNULL enum ag_err
core_task_preview(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct task_request *request, json_t **ret);

#endif
