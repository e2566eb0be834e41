/*
 * compile.h - from rules as they are written to the pack that the filter
 * loads. The only place that needs Vectorscan's compiler.
 * Floor: rules. Depends on: rules/load, redact/rule_pack, libhs, libpcre2-8.
 */
#ifndef AG_RULES_COMPILE_H
#define AG_RULES_COMPILE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "rules/load.h"

/*
 * Appends the pack of all rules of `level` to `out`: a streaming database for
 * any processor of this architecture, without starts of matches.
 * Errors: AG_EINVAL with a sentence that names file, rule, field and what to
 *         do; AG_ENOTFOUND no rule of this level; AG_ELIMIT; AG_ENOMEM.
 * Blocks: about a second for a few hundred rules.
 */
AG_CHECK AG_NONNULL enum ag_err rule_compile(const struct rule_book *book,
                                             enum rule_level level,
                                             struct buf *out);

/* All rules, whatever their level: of a person's own file. */
AG_CHECK AG_NONNULL enum ag_err rule_compile_all(const struct rule_book *book,
                                                 struct buf *out);

/* Only the rule number `index`, whatever its level. */
AG_CHECK AG_NONNULL enum ag_err rule_compile_one(const struct rule_book *book,
                                                 size_t index, struct buf *out);

#endif
