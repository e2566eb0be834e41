/*
 * record_texts.h - texts that come in parts, one in each record, each searched
 * as one.
 * Floor: redact. Depends on: redact/record_item, redact/scrub.
 */
#ifndef AG_REDACT_RECORD_TEXTS_H
#define AG_REDACT_RECORD_TEXTS_H

#include "base/attr.h"
#include "base/err.h"
#include "redact/record_item.h"
#include "redact/scrub.h"

struct record_texts;

/* Of `terms` the borders are not looked at. Errors: as scrub_new(). */
AG_CHECK AG_NONNULL enum ag_err
record_texts_new(const struct scrub_terms *terms, struct record_texts **ret);
void record_texts_free(struct record_texts *t);
AG_DEFINE_CLEANUP(record_texts, record_texts_free)

/* As scrub_use(). */
AG_CHECK enum ag_err record_texts_use(struct record_texts *t,
                                      const struct matcher *set);

/* The next record has come: texts it has no part of are silent for longer, and
 * those that were for too long end. */
AG_CHECK AG_NONNULL enum ag_err record_texts_tick(struct record_texts *t);

/* One of its parts, in order. When it is decided its text is in it, and its
 * item has one open part less; until then the item has to stay.
 * Errors: as scrub_feed(). */
AG_CHECK AG_NONNULL enum ag_err record_texts_add(struct record_texts *t,
                                                 struct record_part *part);

/* Ends all of them: no part is open after it. */
AG_CHECK AG_NONNULL enum ag_err record_texts_end(struct record_texts *t);

/* scrub_settle() or scrub_idle_whole() for each. */
AG_CHECK AG_NONNULL enum ag_err
record_texts_step(struct record_texts *t, enum ag_err (*move)(struct scrub *s));
AG_NONNULL bool record_texts_are_holding(const struct record_texts *t);

#endif
