/*
 * filter_vouch.h - in the filter process: what it can vouch for of one stream.
 * It hashes what was read and what was written, and searches what was written
 * once more: by a second filter as the first, which only counts, and if it has
 * a format by one for the vault's values in it as text.
 * Floor: privsep. Depends on: privsep/filter_set, privsep/filter_rules,
 * redact/redactor, redact/format.
 *
 * Memory is bounded as that of the stream itself: nothing is kept but what a
 * filter holds back.
 */
#ifndef AG_PRIVSEP_FILTER_VOUCH_H
#define AG_PRIVSEP_FILTER_VOUCH_H

#include <sys/uio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "privsep/filter_msg.h"
#include "privsep/filter_rules.h"
#include "privsep/filter_set.h"

struct fvouch;

/* `set` and `rules` are borrowed. Errors: AG_ELOCKED no set; AG_EMEMLOCK;
 * AG_ENOMEM; those of frules_filter(). */
AG_CHECK AG_NONNULL enum ag_err fvouch_new(const struct fmsg_stream *stream,
                                           struct fset *set,
                                           const struct frules *rules,
                                           struct fvouch **ret);
void fvouch_free(struct fvouch *v);
AG_DEFINE_CLEANUP(fvouch, fvouch_free)

/* What was read. NULL does nothing, here and below: nobody asked. */
void fvouch_read(struct fvouch *v, struct span part);

/* The first `len` bytes of these stretches were written. Not between
 * fset_enter() and fset_leave(). Errors: AG_ELOCKED, AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK enum ag_err fvouch_wrote(struct fvouch *v, const struct iovec *iov,
                                  size_t len);

/* The stream has ended well, and all was written. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err fvouch_finish(struct fvouch *v,
                                              struct filter_vouch *ret);

#endif
