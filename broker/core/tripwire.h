/*
 * tripwire.h - what a task may ask of the filter before it counts as guessing:
 * so many questions a second, so many hits on values it has no grant for.
 * Floor: core. Depends on: core/running, store/audit.
 */
#ifndef AG_CORE_TRIPWIRE_H
#define AG_CORE_TRIPWIRE_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct core;

/* What a task sees in the place of a value: no name, which it may have no
 * grant for. */
#define TRIPWIRE_MARKER "[redacted]"

enum {
    /* A person's transcript is one question; an oracle needs thousands. */
    TRIPWIRE_ASKS_MAX_COUNT = 20,
    TRIPWIRE_WINDOW_MS = 1000,
    /* A task that meets values of others by accident does so once or twice. */
    TRIPWIRE_HITS_MAX_COUNT = 8,
};

/* Before a task's question. Errors: AG_ERATE with a sentence. */
AG_CHECK AG_NONNULL enum ag_err tripwire_ask(struct core *core,
                                             int64_t task_id);

/* After it: counts is {"NAME": n, ...}. Past the limit the task is ended and
 * that is on the record. Waits for the writer then; never on its thread. */
AG_NONNULL void tripwire_count(struct core *core, int64_t task_id,
                               const json_t *counts);

#endif
