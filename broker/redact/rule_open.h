/*
 * rule_open.h - from where on may a secret still come, of which the text so
 * far shows no end? Vectorscan can't tell, keywords can: every match has one,
 * and a secret that is not a block lies in one run without separators.
 * Floor: redact. Depends on: redact/rule.
 */
#ifndef AG_REDACT_RULE_OPEN_H
#define AG_REDACT_RULE_OPEN_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/rule.h"

struct rule_open; /* the keywords of all rules */

AG_CHECK AG_NONNULL enum ag_err rule_open_new(struct rule_open **ret);
void rule_open_free(struct rule_open *o);
AG_DEFINE_CLEANUP(rule_open, rule_open_free)

/* The rule's keywords are borrowed; rules are numbered from 0 as they come. After
 * the last: rule_open_ready(). Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err rule_open_add(struct rule_open *o,
                                              const struct rule *rule);
AG_NONNULL void rule_open_ready(struct rule_open *o);

/*
 * The least index of `text` at which a secret may begin whose match ends
 * behind the text; text.len: none. `text` goes back rule_set_window() bytes
 * and RULE_LEAD_MAX_BYTES, or to the stream's start.
 */
AG_NONNULL size_t rule_open_from(const struct rule_open *o, struct span text);

/* May a match of the rule with this number still come that ends behind the
 * text? */
struct rule_open_doubt {
    void *ctx;
    bool (*may_come)(void *ctx, size_t rule, struct span text);
};

/*
 * The same for a pause: up to where text may be let out, if at most a quarter
 * of each secret that a rule without RULE_CONTEXT may begin shall show.
 */
AG_NONNULL size_t rule_open_pause(const struct rule_open *o, struct span text,
                                  const struct rule_open_doubt *doubt);

#endif
