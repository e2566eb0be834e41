/*
 * example.h - an example of a rule, made from the text that stands for it.
 * Floor: rules. Depends on: rules/format (how it is written), base/buf.
 *
 * Names for classes: base62, base36 (0-9a-z), base58, base32 (A-Z2-7), hex,
 * HEX, digits, lower, upper, base64, base64url.
 */
#ifndef AG_RULES_EXAMPLE_H
#define AG_RULES_EXAMPLE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "rules/format.h"

enum {
    RULE_EXAMPLE_MAX_BYTES = 32 * 1024,
    RULE_EXAMPLE_SECRETS_MAX_COUNT = 16,
};

struct rule_example {
    struct buf text;
    size_t secret_count;

    struct {
        size_t from;
        size_t to;
    } secrets[RULE_EXAMPLE_SECRETS_MAX_COUNT]; /* of what stood in «…» */
};

/*
 * Makes `text` of `item`. `seed` picks another secret each time; the same
 * gives the same.
 * Ownership: *ret is in place, released with rule_example_done(), also after
 *            an error.
 * Errors: AG_EINVAL, AG_ELIMIT with a sentence; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err rule_example_make(const struct rule_item *item,
                                                  const char *text,
                                                  uint64_t seed,
                                                  struct rule_example *ret);
AG_NONNULL void rule_example_done(struct rule_example *e);
AG_DEFINE_CLEANUP_INPLACE(rule_example, rule_example_done)

#endif
