/*
 * rule_spans.h - what is to be taken out of a stretch of text: spans that may
 * overlap, in order, some of them still growing.
 * Floor: redact. Depends on: redact/rule_find.
 */
#ifndef AG_REDACT_RULE_SPANS_H
#define AG_REDACT_RULE_SPANS_H

#include "base/attr.h"
#include "base/err.h"
#include "redact/rule_find.h"

struct rule_span {
    struct rule_hit hit; /* a tail that has not ended goes on at hit.to */
    bool is_context;
    bool is_out; /* a part of it was reached: it belongs to a hole */
};

/* In place; zeroed is empty. Ordered by start, at one start those that are
 * known without context first, then by the rule's number. */
struct rule_spans {
    struct rule_span *items;
    size_t count;
    size_t cap;
};

AG_NONNULL void rule_spans_done(struct rule_spans *s);

/* Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err rule_spans_add(struct rule_spans *s,
                                               const struct rule_span *span);

/* Lets those that grow take what follows them in `text`. */
AG_NONNULL void rule_spans_grow(struct rule_spans *s, struct span text);

/* Drops those that end at or before `upto` and don't grow. */
AG_NONNULL void rule_spans_drop(struct rule_spans *s, size_t upto);

/* All indexes are `by` less: the text was moved. Starts before 0 become 0. */
AG_NONNULL void rule_spans_move(struct rule_spans *s, size_t by);

#endif
