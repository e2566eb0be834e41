/*
 * check.h - does every rule find its examples, and leave its negatives?
 * Floor: rules. Depends on: rules/compile, redact/rule_find.
 */
#ifndef AG_RULES_CHECK_H
#define AG_RULES_CHECK_H

#include "base/attr.h"
#include "base/err.h"
#include "rules/load.h"

enum {
    RULE_CHECK_SEEDS = 8, /* an example is made so often, each time anew */
};

/* One thing that is wrong, as a sentence; borrowed for the call. */
typedef void (*rule_check_fn)(void *ctx, const char *problem);

/*
 * `ctx` may be NULL. Checks each rule alone: of an example what stands in «…» is taken out, and
 * nothing else; nothing is taken out of a negative. Looked for at every byte
 * by PCRE2, without Vectorscan.
 * Errors: those of rule_compile_one(); *ret_problems is then not written.
 */
AG_CHECK enum ag_err rule_check(const struct rule_book *book,
                                rule_check_fn tell, void *ctx,
                                size_t *ret_problems);

#endif
