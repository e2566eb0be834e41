/*
 * rule_filter.h - the filter for unknown secrets: a sink that passes text on
 * and puts a marker where a rule finds a secret. It stands behind the filter
 * for known values (redactor.h), whose markers it leaves.
 * Floor: redact. Depends on: redact/rule_set, redact/hide, redact/sink,
 * redact/redactor (what a hit is).
 *
 * The output is that of one search through the whole text, whatever the parts
 * it was fed in: secrets that overlap are one hole, named after the leftmost,
 * of those with one start after the rule that needs no context, then the
 * first of the set. Held back is the run of bytes without blanks and quotes
 * that ends the text, if a keyword of a rule, or the beginning of one, is near
 * enough before or in it, and what a match needs to be decided: at most
 * RULE_FILTER_HELD_MAX_BYTES, as a rule nothing. A secret of any length costs
 * no memory: what follows the bytes that decide is dropped as it comes.
 *
 * Idle, as redactor.h has it: what waits for a decision is decided as if the
 * text ended; of what has not matched yet at most a quarter is shown where a
 * rule knows the secret by its own looks; where it knows it by its context
 * alone, whatever is too short for the rule is. A secret of which the text so
 * far can't be the beginning, by the rule's own regex, counts for neither.
 * rule_filter_pause(), for a terminal, does the same at once, if what has not
 * been seen takes REDACTOR_PAUSE_BYTES columns at most.
 */
#ifndef AG_REDACT_RULE_FILTER_H
#define AG_REDACT_RULE_FILTER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/redactor.h"
#include "redact/rule.h"
#include "redact/rule_set.h"
#include "redact/sink.h"

struct rule_filter;

enum {
    RULE_FILTER_HELD_MAX_BYTES =
        RULE_WINDOW_MAX_BYTES + RULE_LEAD_MAX_BYTES + RULE_JUDGED_BYTES + 1,
};

struct rule_filter_terms {
    const struct rule_set *set;
    enum rule_level_set level; /* RULES_DEFAULT: of the first pack alone */
    /* Is a secret, found whole, one to be left? Borrowed for the call; may be
     * NULL. One that goes on beyond RULE_JUDGED_BYTES is not asked for. */
    bool (*leave)(void *ctx, struct span secret);
    void *leave_ctx;
    /* As in redactor.h; the audience does not matter: rules are no secret. */
    struct redactor_options options;
};

/* Hits of rules have these bits in their id, the rule's number below; their
 * name is "rule:ID", their form raw. */
#define RULE_FILTER_ID_BITS (3ULL << 62)

/*
 * What is borrowed: the set, next's ctx.
 * Errors: AG_EINVAL marker; AG_EMEMLOCK; AG_ENOMEM.
 * Threads: one at a time; a set serves many.
 */
AG_CHECK AG_NONNULL enum ag_err
rule_filter_new(const struct rule_filter_terms *terms, const struct sink *next,
                struct rule_filter **ret);
void rule_filter_free(struct rule_filter *f);
AG_DEFINE_CLEANUP(rule_filter, rule_filter_free)

/*
 * feed:   gathers; many small parts cost no more than a large one. What is
 *         gathered is searched when there is enough of it, and by settle.
 * settle: lets out all that can be, after the parts that came together.
 * Errors: those of the next sink; AG_ENOMEM; AG_EINTERNAL.
 */
AG_CHECK AG_NONNULL enum ag_err rule_filter_feed(struct rule_filter *f,
                                                 struct span part);
AG_CHECK AG_NONNULL enum ag_err rule_filter_settle(struct rule_filter *f);
AG_CHECK AG_NONNULL enum ag_err rule_filter_idle(struct rule_filter *f);
/* All that is held or nothing: redactor_idle_whole(). */
AG_CHECK AG_NONNULL enum ag_err rule_filter_idle_whole(struct rule_filter *f);
AG_CHECK AG_NONNULL enum ag_err rule_filter_pause(struct rule_filter *f);
AG_CHECK AG_NONNULL enum ag_err rule_filter_finish(struct rule_filter *f);

/* Begins anew, for another text: nothing is left of the one before, which need
 * not have been finished. Errors: AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err rule_filter_restart(struct rule_filter *f);

/* Up to where the text was passed on or taken out. As the next sink is fed
 * text, that ends here; a marker stands for what begins here. */
AG_NONNULL uint64_t rule_filter_position(const struct rule_filter *f);

AG_NONNULL struct sink rule_filter_sink(struct rule_filter *f);
AG_NONNULL bool rule_filter_is_holding(const struct rule_filter *f);
AG_NONNULL size_t rule_filter_held_bytes(const struct rule_filter *f);

#endif
