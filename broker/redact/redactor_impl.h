/*
 * redactor_impl.h - the inside of a redactor, shared by its files: redactor.c
 * (holes, the operator's stream) and redactor_task.c. Nobody else includes it.
 * Floor: redact.
 */
#ifndef AG_REDACT_REDACTOR_IMPL_H
#define AG_REDACT_REDACTOR_IMPL_H

#include "redact/hide.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"
#include "redact/scan.h"

/*
 * Positions count from the first byte not yet decided, which is held.ptr[0]
 * or the start of the next part. What lies before `emitted` has been let out,
 * shown or dropped; what lies before `hole_end` belongs to the last hole.
 */
struct redactor {
    struct lockmem own; /* where this struct lies */
    struct redactor_options options;
    struct sink next;
    const struct matcher *set;
    struct lockmem held;
    size_t held_len;
    size_t held_most;    /* all of `held` that text was in */
    struct lockmem line; /* of a task: not let out yet */
    size_t line_len;
    size_t line_most; /* the same of `line` */
    size_t emitted;
    size_t hole_end;
    uint64_t offset; /* in the stream, of the first byte not decided */
    bool is_idle;    /* idle was called since the last part */
    size_t behind_len;
    uint8_t behind[MATCHER_BEHIND_BYTES];
    struct hide hide;
    struct scan scan;
};

/* ---- redactor.c ---- */

/*
 * Decides the starts below `limit`, in order, up to the first that needs more
 * text; lets out what is decided. *ret: how many were decided.
 */
AG_CHECK AG_NONNULL enum ag_err redactor_decide(struct redactor *r,
                                                struct span text, size_t limit,
                                                bool at_end, size_t *ret);

/* Moves on by `len` decided bytes at the start of `text`. */
AG_NONNULL void redactor_advance(struct redactor *r, struct span text,
                                 size_t len);

/* All of `text`, which ends at a cut or at the stream's end. */
AG_CHECK AG_NONNULL enum ag_err redactor_let_out_all(struct redactor *r,
                                                     struct span text);

/* Makes room for `wanted` bytes; the first `used` stay. */
AG_CHECK AG_NONNULL enum ag_err redactor_grow(struct lockmem *mem, size_t used,
                                              size_t wanted);

AG_NONNULL static inline void
note_most(size_t *most, size_t len)
{
    *most = len > *most ? len : *most;
}

/* ---- redactor_task.c ---- */

AG_CHECK AG_NONNULL enum ag_err redactor_feed_task(struct redactor *r,
                                                   struct span part);

#endif
