/*
 * stamp.h - what a task is given in a value's place at grade proxy: one
 * placeholder, or a document of them; and a document that came back.
 * Floor: core. Depends on: core/running, profile/placeholder.
 */
#ifndef AG_CORE_STAMP_H
#define AG_CORE_STAMP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/running.h"

struct core;
struct db_read;
struct secret;
struct secret_row;

/* A delivery of a running task. */
struct stamp {
    int64_t task_id;
    size_t index;
    const struct delivery *delivery;
};

/*
 * Takes `real` over: *ret looks like it, and which placeholder stands for which
 * field is known of the task from now on.
 * Errors: AG_EUNSUPPORTED with a sentence; AG_ELIMIT; AG_ENOTFOUND the task has
 *         ended.
 */
AG_CHECK AG_NONNULL enum ag_err stamp_make(struct core *core,
                                           const struct stamp *stamp,
                                           const struct secret_row *row,
                                           struct secret *real,
                                           struct secret **ret);

/*
 * A document as the tool left it, with the current values in the placeholders'
 * stead. *ret_new: at least one secret in it is no placeholder of the task's;
 * without one *ret is not written, there is nothing to keep.
 * Errors: AG_EFILE a placeholder stands in another field than its own, or
 *         where no secret belongs; AG_EINVAL not of its format; …
 */
AG_CHECK AG_NONNULL enum ag_err stamp_undo(struct core *core, struct db_read *r,
                                           const struct stamp *stamp,
                                           const struct secret *content,
                                           bool *ret_new, struct secret **ret);

#endif
