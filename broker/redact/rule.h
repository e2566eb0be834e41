/*
 * rule.h - one rule for unknown secrets as the filter uses it.
 * Floor: redact. Depends on: redact/rule_class, redact/rule_gate,
 * redact/rule_sum.
 *
 * What a rule finds. Its regex matches up to `window` bytes that end at e; of
 * all matches that end there, the leftmost counts, if
 * - one of the keywords (in any case) begins within it, at the secret's first
 *   byte or before, or behind it by at most lead_max bytes, all of `lead`;
 * - the secret, the capture `secret` of it, has no blank, quote or control
 *   character before the match's last byte (not with RULE_BLOCK).
 * Where there is a `tail`, the regex says the least there must be, and the
 * secret goes on from e as long as bytes are of that class: to the end of the
 * text `until`, when there is one, and for tail_max bytes at most, unless that
 * is 0. The byte behind the secret must not be of the class `stop`.
 * That decides where a secret may stand. Whether it is one: a right `sum` says
 * yes; with RULE_SUM_MUST a wrong one says no. Else it must have the entropy,
 * the efficiency, be none of the words people write in a secret's place
 * (RULE_WORDS) and match none of `allow`. Of a long secret only the first
 * RULE_JUDGED_BYTES are looked at.
 * A `gate` changes nothing of this: it says what follows a keyword in each
 * match anyhow, so that the rule is not looked for elsewhere.
 */
#ifndef AG_REDACT_RULE_H
#define AG_REDACT_RULE_H

#include "base/attr.h"
#include "base/span.h"
#include "redact/rule_class.h"
#include "redact/rule_gate.h"
#include "redact/rule_sum.h"

enum {
    RULE_ID_MAX_BYTES = 64,
    RULE_WINDOW_MAX_BYTES = 1024, /* bounds what is kept of the text before */
    RULE_JUDGED_BYTES = 512,      /* and of the text behind */
    RULE_KEYWORD_MIN_BYTES = 2,
    RULE_KEYWORD_MAX_BYTES = 32,
    RULE_UNTIL_MAX_BYTES = 32,
    RULE_LEAD_MAX_BYTES = 64,    /* what a rule's lead_max may be */
    RULE_STRINGS_MAX_COUNT = 64, /* keywords, allowed patterns: of one rule */
    RULES_MAX_COUNT = 2048,      /* of one pack, of one set */
};

enum rule_flags {
    RULE_PLAIN = 0,
    RULE_CONTEXT = 1,  /* known by what stands around it; others win */
    RULE_BLOCK = 2,    /* of several lines */
    RULE_WORDS = 4,    /* placeholder words are no secrets */
    RULE_SUM_MUST = 8, /* none without a right sum */
    RULE_TAIL = 16,
    RULE_STOP = 32,
    RULE_LEAD = 64,
};

struct rule {
    const char *id;
    const char *service;
    const char *regex;
    struct span until;
    const struct span *keywords;
    size_t keyword_count;
    const char *const *allow;
    size_t allow_count;
    uint32_t secret;     /* capture group */
    uint32_t window;     /* bytes of the longest match */
    uint32_t min_bytes;  /* of the shortest */
    uint32_t tail_max;   /* bytes; 0: no end */
    uint32_t lead_max;   /* bytes */
    uint32_t entropy;    /* bits per hundred characters, at least; or 0 */
    uint32_t efficiency; /* characters per hundred word pieces, at most; or 0 */
    enum rule_sum sum;
    enum rule_gate gate;
    enum rule_flags flags;
    struct rule_class tail;
    struct rule_class stop;
    struct rule_class lead;
};

#endif
