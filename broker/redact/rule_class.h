/*
 * rule_class.h - sets of bytes, written as in a regex between brackets.
 * Floor: redact. Depends on: base/span.
 */
#ifndef AG_REDACT_RULE_CLASS_H
#define AG_REDACT_RULE_CLASS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct rule_class {
    uint64_t bits[4];
};

/*
 * "A-Za-z0-9_\-": bytes, ranges, a leading ^ for all others; \n \r \t \s and
 * a backslash before any other character stand for themselves.
 * Errors: AG_EINVAL with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err rule_class_parse(struct span text,
                                                 struct rule_class *ret);

AG_NONNULL static inline bool
rule_class_has(const struct rule_class *c, uint8_t byte)
{
    return (c->bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

/* How many bytes at the start of `text` are of the class. */
AG_NONNULL size_t rule_class_run(const struct rule_class *c, struct span text);

#endif
