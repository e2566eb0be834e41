/*
 * filter_set.h - in the filter process: the set in force, the changes that
 * wait, and the step from one to the next.
 * Floor: privsep. Depends on: redact/matcher, privsep/filter_msg.
 *
 * Streams search under fset_enter()/fset_leave() and hold nothing between, so
 * a stream that waits for input or output never delays a commit.
 */
#ifndef AG_PRIVSEP_FILTER_SET_H
#define AG_PRIVSEP_FILTER_SET_H

#include "base/attr.h"
#include "base/err.h"
#include "privsep/filter_msg.h"

struct fset;

AG_CHECK AG_NONNULL enum ag_err fset_new(struct fset **ret);
void fset_free(struct fset *s);
AG_DEFINE_CLEANUP(fset, fset_free)

/* One record, in order. Main thread. Errors: AG_EINVAL, AG_EMEMLOCK,
 * AG_ENOMEM; what waited before still waits. */
AG_CHECK AG_NONNULL enum ag_err fset_change(struct fset *s,
                                            const struct fmsg_record *record);

/* Puts what waits in force; returns when nobody searches with the old set.
 * Main thread. Errors: AG_EMEMLOCK, AG_ENOMEM, AG_EINVAL (a value that never
 * came whole); nothing has changed then. */
AG_CHECK AG_NONNULL enum ag_err fset_commit(struct fset *s,
                                            uint64_t *ret_epoch);

/* Forgets the set and what waits. Main thread. */
AG_NONNULL void fset_wipe(struct fset *s);

/* The set in force, until fset_leave(); NULL (and nothing to leave): none.
 * Any thread; not twice in one. */
AG_NONNULL const struct matcher *fset_enter(struct fset *s);
AG_NONNULL void fset_leave(struct fset *s);

/* Its epoch; between the two. */
AG_NONNULL uint64_t fset_epoch(const struct fset *s);

struct fset_stats {
    uint64_t epoch;
    uint64_t value_count;
    uint64_t entry_count;
};
AG_NONNULL struct fset_stats fset_stats(struct fset *s);

#endif
