/*
 * late.h - ends of tasks that could not be written when they came (a full disk,
 * one that fails): kept until they are.
 * Floor: core. Depends on: core/core, store/words.
 *
 * Until its end is written a task counts as alive: what was minted for it is not
 * revoked, and a rotation waits for it. Its processes are gone, and with them
 * whoever could use its token. What is not written when the vault locks or the
 * broker ends, the next unlock ends.
 */
#ifndef AG_CORE_LATE_H
#define AG_CORE_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/words.h"

struct core;
struct db_tx;
struct late;

AG_CHECK AG_NONNULL enum ag_err late_new(struct late **ret);
void late_free(struct late *late);

/* Threads: any. Beyond TREE_TASKS_MAX_COUNT they are left to the next unlock. */
AG_NONNULL void late_add(struct late *late, int64_t task_id,
                         enum end_reason reason, int exit_code);

/* Is there one? Threads: any. */
AG_NONNULL bool late_any(struct late *late);

/* Ends them all. *ret_last is given to late_written() when that is durable.
 * Writer. */
AG_CHECK AG_NONNULL enum ag_err late_write(struct core *core, struct db_tx *tx,
                                           uint64_t *ret_last);
AG_NONNULL void late_written(struct late *late, uint64_t last);

#endif
