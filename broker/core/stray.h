/*
 * stray.h - placeholders that turn up where their task can't have put them to
 * use: in a file on the disk, in text that somebody has redacted.
 * Floor: core. Depends on: core/permit.
 *
 * Only the broker can tell a placeholder from a value, and it tells the operator
 * alone; a task that asks `redact` gets the same answer with and without one.
 * What is found is what placeholder_scan() finds (profile/placeholder.h).
 */
#ifndef AG_CORE_STRAY_H
#define AG_CORE_STRAY_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/call.h"

struct core;

enum {
    STRAY_TASKS_MAX_COUNT = 32, /* told of one text: the rest is more of it */
};

/*
 * POST /v1/placeholders: the operator found `text` on the disk. Each task whose
 * placeholder stands in it is on the record as a tripwire; one that still runs
 * is ended: what it was given has left it. *ret: {placeholders: [{task,
 * running}]}. Blocks.
 * Errors: AG_ELOCKED, AG_ENOMEM, those of the writer.
 */
AG_CHECK AG_NONNULL enum ag_err stray_on_disk(struct core *core,
                                              const struct call *call,
                                              struct span text, json_t **ret);

/*
 * `text` passes /v1/redact. A task's own placeholder is nothing; that of another
 * one, shown by a task, ends the one it is of; that of an ended one is put on
 * the record. Blocks. Errors: as above.
 */
AG_CHECK AG_NONNULL enum ag_err
stray_in_redact(struct core *core, const struct call *call, struct span text);

#endif
