/*
 * redactor_impl.h - the inside of a redactor, shared by its files: redactor.c
 * (holes, the operator's stream), redactor_show.c, redactor_looks.c and
 * redactor_task.c. Nobody else includes it.
 * Floor: redact.
 */
#ifndef AG_REDACT_REDACTOR_IMPL_H
#define AG_REDACT_REDACTOR_IMPL_H

#include "redact/hide.h"
#include "redact/lockmem.h"
#include "redact/marks.h"
#include "redact/redactor.h"
#include "redact/scan.h"
#include "redact/view.h"

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
    uint64_t serial; /* the set's: another may lie where it was */
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
    struct views *views_own;
    struct views *views;     /* for the operator; NULL: the set has no looks */
    struct marked marked[2]; /* of the text that was looked at last */
    struct scan scan;
};

/* ---- redactor.c ---- */

/* Of `text` what hasn't been let out, up to there. */
AG_CHECK AG_NONNULL enum ag_err redactor_let_out(struct redactor *r,
                                                 struct span text, size_t upto);

/* r->scan then goes through the starts below `limit`. */
AG_NONNULL void redactor_scan(struct redactor *r, struct span text,
                              size_t limit, bool at_end);

/* Covers what was found ahead and begins before text[start], or there and is
 * longer than `len`. */
AG_CHECK AG_NONNULL enum ag_err redactor_cover_ahead(struct redactor *r,
                                                     struct span text,
                                                     size_t start, size_t len);

/* Covers a form, and before it what begins before it. */
AG_CHECK AG_NONNULL enum ag_err redactor_cover(struct redactor *r,
                                               struct span text,
                                               const struct scan_hit *hit);

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

/* Makes room for `wanted` bytes, in a stream that runs; the first `used` stay.
 * Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err redactor_grow(struct lockmem *mem, size_t used,
                                              size_t wanted);

AG_NONNULL static inline void
note_most(size_t *most, size_t len)
{
    *most = len > *most ? len : *most;
}

/* ---- redactor_looks.c: fragments and views, for the operator ---- */

/* Errors: AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err redactor_looks_use(struct redactor *r,
                                                   const struct matcher *set);
AG_NONNULL void redactor_looks_done(struct redactor *r);

/* Finds ahead what no form finds. Returns how much of the text is decided. */
AG_NONNULL size_t redactor_look(struct redactor *r, struct span text,
                                bool at_end);

/* How much of what is held may be shown, as far as that goes; with a `most`
 * (else SIZE_MAX) no more of a value than that, and nothing that was found. */
AG_NONNULL size_t redactor_look_show(struct redactor *r, struct span text,
                                     size_t most);

/* ---- redactor_task.c ---- */

AG_CHECK AG_NONNULL enum ag_err redactor_feed_task(struct redactor *r,
                                                   struct span part);

#endif
