/*
 * detail.h - the sealed descriptions of secrets and tasks: a JSON object in
 * their rows, in which each part of core has members of its own.
 * Floor: core. Depends on: store/secrets, store/tasks, wire/json.
 */
#ifndef AG_CORE_DETAIL_H
#define AG_CORE_DETAIL_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct secret_row;
struct task_row;

/* An empty object where there is none yet. *ret is the caller's.
 * Errors: AG_EINVAL it is damaged; AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err detail_of_secret(const struct secret_row *row,
                                                 json_t **ret);
AG_CHECK AG_NONNULL enum ag_err detail_of_task(const struct task_row *row,
                                               json_t **ret);

/* Into the row, whose text is freed first. Errors: AG_ENOMEM; it stays then. */
AG_CHECK AG_NONNULL enum ag_err detail_set_secret(struct secret_row *row,
                                                  const json_t *detail);
AG_CHECK AG_NONNULL enum ag_err detail_set_task(struct task_row *row,
                                                const json_t *detail);

#endif
