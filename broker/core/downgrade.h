/*
 * downgrade.h - values that a task was given at a worse grade than need be: an
 * operator's word, kept with the task and shown by the exposure ledger.
 * Floor: core. Depends on: store/tasks.
 *
 * A member of the task's sealed description: "downgraded": {SECRET: the grade
 * that could be had}.
 */
#ifndef AG_CORE_DOWNGRADE_H
#define AG_CORE_DOWNGRADE_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct task_row;

/* Adds them to the row's description, if there are any. Errors: AG_ENOMEM,
 * AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err downgrades_keep(json_t *downgraded,
                                                struct task_row *row);

/* Was `secret` one of the task's? Errors: AG_ECORRUPT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err downgrades_has(const struct task_row *row,
                                               const char *secret, bool *ret);

/* Sets `instead_of` in `item` if `secret` was one of the task's. Errors:
 * AG_ECORRUPT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
downgrades_show(const struct task_row *row, const char *secret, json_t *item);

#endif
