/*
 * rule_find.h - from "a match of this rule ends here" to a secret, or none:
 * what rule.h says, on a text of which a part is there.
 * Floor: redact. Depends on: redact/rule_set.
 */
#ifndef AG_REDACT_RULE_FIND_H
#define AG_REDACT_RULE_FIND_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/rule_set.h"

struct rule_tools;

/* One thread's. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err rule_tools_new(const struct rule_set *set,
                                               struct rule_tools **ret);
void rule_tools_free(struct rule_tools *t);
AG_DEFINE_CLEANUP(rule_tools, rule_tools_free)

/* What kept a search from being one since the tools were made: a regex of a
 * set that is RULE_SET_LAZY could not be compiled. */
AG_CHECK AG_NONNULL enum ag_err rule_tools_error(const struct rule_tools *t);

/* A part of a stream, from rule_set_window() + 1 bytes before what is asked
 * for, or from its start on. */
struct rule_text {
    struct span part;
    bool has_end; /* nothing comes behind it */
};

/* What follows the least there must be of a secret. */
struct rule_tail {
    const struct rule *rule;
    size_t len;     /* of the tail so far */
    size_t matched; /* bytes of `until` */
    bool has_ended;
};

struct rule_hit {
    size_t rule;
    size_t from; /* of the secret, in the part */
    size_t to;
    size_t end;            /* of the match */
    struct rule_tail tail; /* not ended: the secret is longer than `to` shows */
};

/* Is there a match that ends at `end`? Fills *ret but for its tail. */
AG_NONNULL bool rule_confirm(struct rule_tools *t, size_t rule,
                             struct rule_text text, size_t end,
                             struct rule_hit *ret);

/* May a match of the rule still come that begins in `text`, and what is there of
 * it? True where it would cost too much to tell. */
AG_NONNULL bool rule_may_come(struct rule_tools *t, size_t rule,
                              struct span text);

enum rule_verdict {
    RULE_NO,
    RULE_YES,
    RULE_WAIT, /* more text decides */
};

/* Is a confirmed hit a secret? On RULE_YES its end is where the tail ends, as
 * far as it was looked at. */
AG_NONNULL enum rule_verdict
rule_judge(struct rule_tools *t, struct rule_text text, struct rule_hit *hit);

/* Separators end the run of bytes in which a secret lies (rule.h). */
bool rule_is_separator(uint8_t byte);

/* Takes the tail's bytes off the front of `text`; returns how many. Ended: a
 * byte behind it was seen, or its limit. */
AG_NONNULL size_t rule_tail_take(struct rule_tail *tail, struct span text);

#endif
