/*
 * pattern.h - is a rule's regex one that both engines read, and how long are
 * its matches?
 * Floor: rules. Depends on: rules/format, libhs, libpcre2-8.
 */
#ifndef AG_RULES_PATTERN_H
#define AG_RULES_PATTERN_H

#include "base/attr.h"
#include "base/err.h"
#include "rules/format.h"

struct pattern_width {
    uint32_t min_bytes;
    uint32_t max_bytes; /* 1..RULE_WINDOW_MAX_BYTES */
};

/* Checks regex, `secret` and `allow` of a rule.
 * Errors: AG_EINVAL with a sentence that names the field and what to do. */
AG_CHECK AG_NONNULL enum ag_err pattern_check(const struct rule_item *item,
                                              struct pattern_width *ret);

#endif
