/*
 * holds.h - secrets that are not handed out: an incident is open and their rule
 * says `hold`.
 * Floor: core. Depends on: store/incidents.
 *
 * A copy of the rows, since each use asks; it is read again after every change.
 */
#ifndef AG_CORE_HOLDS_H
#define AG_CORE_HOLDS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct core;
struct db_read;
struct holds;

enum {
    HOLDS_MAX_COUNT = 1024, /* open incidents that hold; more is no list */
};

AG_CHECK AG_NONNULL enum ag_err holds_new(struct holds **ret);
void holds_free(struct holds *h);
AG_DEFINE_CLEANUP(holds, holds_free)

/* As the rows are. Beyond HOLDS_MAX_COUNT everything is held. Errors: those of
 * the store; what was known before stays. */
AG_CHECK AG_NONNULL enum ag_err holds_load(struct holds *h, struct db_read *r);

/* Threads: any. Errors: AG_EONHOLD with a sentence: a task may read it. */
AG_CHECK AG_NONNULL enum ag_err holds_check(struct holds *h, int64_t secret_id,
                                            const char *name);

#endif
