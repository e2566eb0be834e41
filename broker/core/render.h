/*
 * render.h - a template filled with values, for the file of a daemon: in the
 * place of {{ ag://NAME#/FIELD }} stands the value, {{"{{"}} is {{ itself, and
 * all else stays as it is.
 * Floor: core. Depends on: core/promise, store/exposure.
 */
#ifndef AG_CORE_RENDER_H
#define AG_CORE_RENDER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"

struct core;
struct db_tx;
struct secret;

enum {
    RENDER_MAX_BYTES = 192 * 1024, /* what comes out; a value's limit is more */
    RENDER_REFS_MAX_COUNT = 256,
    RENDER_STATE_BYTES = 33, /* hex of 16 bytes, and a NUL */
};

struct render_request {
    const struct secret *text; /* the template; no secret by itself */
    const char *path;          /* of the file that is written: for the record */
    const char *unless;        /* NULL, or the state the caller has */
};

/* In place; {0} before. */
struct rendering {
    struct secret *text;            /* NULL: the state is what the caller has */
    char state[RENDER_STATE_BYTES]; /* changes with the versions */
};

void rendering_done(struct rendering *r);
AG_DEFINE_CLEANUP_INPLACE(rendering, rendering_done)

/*
 * A delivery of each value named, at grade file, on the record and the exposure
 * ledger; none when the state is as the caller has it.
 * Errors: AG_EINVAL with the line of what is no reference; AG_ENOTFOUND there is
 *         no such secret or field; AG_EGRADE, AG_EPROOF (it can be had at grade
 *         proxy), AG_EONHOLD; AG_EUNSUPPORTED it is minted; AG_ELIMIT. Nothing is on the record then. Writer.
 */
AG_CHECK AG_NONNULL enum ag_err
core_render(struct core *core, struct db_tx *tx, const struct call *call,
            const struct render_request *request, struct rendering *ret);

#endif
