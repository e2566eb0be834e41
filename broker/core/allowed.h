/*
 * allowed.h - the hosts that a task may reach without a credential: read from
 * its request, put on record with its start, told by `task show`.
 * Floor: core. Depends on: policy/allow, core/proxied, store/tasks.
 */
#ifndef AG_CORE_ALLOWED_H
#define AG_CORE_ALLOWED_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct call;
struct proxied;
struct task_request;
struct task_row;

/*
 * Into what the task may send. A host on this machine or its networks is a
 * person's word: a role token may not give it.
 * Errors: AG_EINVAL with a sentence, AG_EOPERATOR, AG_ELIMIT, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err allowed_take(const struct call *call,
                                             const struct task_request *request,
                                             struct proxied *set);

/* Adds the list to the row's detail. Errors: AG_EINVAL it is damaged; AG_ELIMIT,
 * AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err allowed_keep(const struct task_request *request,
                                             struct task_row *row);

/* Sets it as the member `allow` of `object`. Errors: as allowed_keep(). */
AG_CHECK AG_NONNULL enum ag_err allowed_show(const struct task_row *row,
                                             json_t *object);

#endif
