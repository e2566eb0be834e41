/*
 * makers.h - who made a version of a secret: a value that a task made up must
 * not have the broker act on another task's output.
 * Floor: store. Depends on: store/versions.
 */
#ifndef AG_STORE_MAKERS_H
#define AG_STORE_MAKERS_H

#include "base/attr.h"
#include "base/err.h"
#include "store/versions.h"

/* *ret: MAKER_UNKNOWN for a version that was made before this was recorded.
 * Errors: AG_ECORRUPT, AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err makers_of(struct db_read *r, int64_t version_id,
                                          enum version_maker *ret);

/* Once, by versions_add(). `task_id` 0: none. */
AG_CHECK AG_NONNULL enum ag_err makers_note(struct db_tx *tx,
                                            int64_t version_id,
                                            enum version_maker maker,
                                            int64_t task_id);

#endif
