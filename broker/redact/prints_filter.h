/*
 * prints_filter.h - the filter by fingerprints: a sink that passes text on and
 * puts a marker where a form stands that a set of them knows (prints.h).
 * Floor: redact. Depends on: redact/prints, redact/redactor (options, what a
 * hit is), redact/sink.
 *
 * The output is that of one search through the whole text, whatever the parts
 * it was fed in; forms that overlap are one hole, named after the leftmost, of
 * these the longest. What may begin a form can't be told from what may not, so
 * a line is held until it ends, and of one longer than the longest form that
 * much of its end. So it is for logs and texts, not for a prompt; there is
 * nothing it could let out of a line when its source pauses.
 */
#ifndef AG_REDACT_PRINTS_FILTER_H
#define AG_REDACT_PRINTS_FILTER_H

#include "base/attr.h"
#include "base/err.h"
#include "redact/prints.h"
#include "redact/redactor.h"
#include "redact/sink.h"

struct prints_filter;

/*
 * `set` and next's ctx are borrowed; `options` is copied, its audience does not
 * matter: who has the set can guess without a filter. A hit's id is the value's
 * number.
 * Errors: AG_EINVAL marker; AG_ENOMEM. Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err
prints_filter_new(const struct prints *set,
                  const struct redactor_options *options,
                  const struct sink *next, struct prints_filter **ret);
void prints_filter_free(struct prints_filter *f);
AG_DEFINE_CLEANUP(prints_filter, prints_filter_free)

/* Errors: those of the next sink; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err prints_filter_feed(struct prints_filter *f,
                                                   struct span part);
AG_CHECK AG_NONNULL enum ag_err prints_filter_finish(struct prints_filter *f);

/* Another text begins; the one before need not have been finished. */
AG_NONNULL void prints_filter_restart(struct prints_filter *f);

/* Up to where the text was passed on or taken out. As the next sink is fed
 * text, that ends here. */
AG_NONNULL uint64_t prints_filter_position(const struct prints_filter *f);

AG_NONNULL struct sink prints_filter_sink(struct prints_filter *f);

#endif
