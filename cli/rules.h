/*
 * rules.h - unknown secrets taken out in this process: where there is no vault,
 * and with rules of the person's own, which the filter process must not load.
 * Floor: cli. Depends on: redact/rule_filter, base.
 */
#ifndef AG_CLI_RULES_H
#define AG_CLI_RULES_H

#include <jansson.h>

#include "args.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"
#include "base/span.h"
#include "redact/format.h"

struct prints;
struct rule_stage;

enum rule_level_word {
    RULE_WORD_UNSAID,
    RULE_WORD_KNOWN,   /* the vault's values alone */
    RULE_WORD_DEFAULT, /* and the shipped rules */
    RULE_WORD_ALL,     /* and those that find more than they should */
    RULE_WORD_NONE,    /* neither: files of rules alone */
};

/* `text` may be NULL. Errors: AG_EUSAGE with a sentence. */
AG_CHECK enum ag_err rule_word_parse(const char *text,
                                     enum rule_level_word *ret);
/* As the broker is told; NULL: nothing to tell. Static. */
const char *rule_word_text(enum rule_level_word word);

/*
 * Loads the shipped rules (RULE_WORD_DEFAULT, RULE_WORD_ALL) and compiles those
 * of `files`.
 * Ownership: *ret is the caller's, freed with rule_stage_free().
 * Errors: those of rule_set_new() and rule_set_load(); what auth-guard-rules
 *         says of a file, AG_EINVAL.
 */
AG_CHECK AG_NONNULL enum ag_err rule_stage_new(const struct paths *paths,
                                               enum rule_level_word word,
                                               const struct arg_list *files,
                                               struct rule_stage **ret);
void rule_stage_free(struct rule_stage *s);
AG_DEFINE_CLEANUP(rule_stage, rule_stage_free)

/* Values that `set` knows by their fingerprints are taken out first; it is the
 * stage's from now on. */
AG_NONNULL void rule_stage_use(struct rule_stage *s, struct prints *set);

/* What one stream had; the object is the caller's: {"hits", "bytes_in",
 * "bytes_out", "counts": {NAME: n}} as the filter process reports it. */
AG_CHECK AG_NONNULL enum ag_err rule_stage_copy(struct rule_stage *s,
                                                enum format format, int src_fd,
                                                int dst_fd,
                                                json_t **ret_report);

/* Where a hit begins, counted from the first byte read, in which form, and what
 * it is: "rule:ID", or a value's name in the set of fingerprints. Borrowed for
 * the call. */
typedef enum ag_err rule_found_fn(void *ctx, uint64_t offset, struct span form,
                                  struct span name);

/* Searches to the end of `src_fd` and passes nothing on. In text by rules and
 * fingerprints beside each other; what is found in a record of another format
 * begins where the record does.
 * Errors: those of `found` and of reading; AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK enum ag_err rule_stage_find(struct rule_stage *s, enum format format,
                                     int src_fd, rule_found_fn *found,
                                     void *ctx);

#endif
