/*
 * filter_rules.h - in the filter process: the rules for unknown secrets, loaded
 * before it is confined, and what it knows of placeholders.
 * Floor: privsep. Depends on: redact/rule_filter, base/paths.
 */
#ifndef AG_PRIVSEP_FILTER_RULES_H
#define AG_PRIVSEP_FILTER_RULES_H

#include "base/attr.h"
#include "base/err.h"
#include "privsep/filter.h"
#include "redact/digest.h"
#include "redact/rule_filter.h"

struct frules;

/* Loads the installed rules. That there are none is no error: it is told to
 * who asks for them. Errors: AG_ENOMEM. */
AG_CHECK enum ag_err frules_new(const struct filter_ours *ours,
                                struct frules **ret);
void frules_free(struct frules *r);
AG_DEFINE_CLEANUP(frules, frules_free)

/*
 * What a filter of this level is made of; the set is NULL with
 * FILTER_RULES_NONE. The options are left empty.
 * Errors: why there are no rules, with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err frules_terms(const struct frules *r,
                                             enum filter_rules level,
                                             struct rule_filter_terms *ret);

/*
 * A stream's filter, to stand before `next`; *ret NULL with FILTER_RULES_NONE.
 * `options` is copied.
 * Errors: those of frules_terms() and rule_filter_new().
 */
AG_CHECK AG_NONNULL enum ag_err
frules_filter(const struct frules *r, enum filter_rules level,
              const struct redactor_options *options, const struct sink *next,
              struct rule_filter **ret);

/* What a level looks for (redact/digest.h). Zeros: nothing. */
AG_NONNULL void frules_digest(const struct frules *r, enum filter_rules level,
                              uint8_t out[DIGEST_BYTES], uint64_t *ret_count);

/* The key of placeholders; empty: forgotten. */
AG_CHECK AG_NONNULL enum ag_err frules_know(const struct frules *r,
                                            struct span key);

#endif
