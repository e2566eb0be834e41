/*
 * rule_gate.h - what must follow a keyword at once, or no match of the rule has
 * that keyword. Words like "token" stand in all text, an assignment behind them
 * seldom does: rules with a gate are searched for near the keywords whose gate
 * is open, and cost next to nothing elsewhere.
 * Floor: redact. Depends on: base/span, redact/lanes.
 */
#ifndef AG_REDACT_RULE_GATE_H
#define AG_REDACT_RULE_GATE_H

#include "base/attr.h"
#include "base/span.h"

enum rule_gate {
    RULE_GATE_NONE,
    /* The rest of a name (36 bytes of \w . - at most), then quotes, brackets,
     * backslashes and blanks (11), then one of : = ? | < > and the comma. */
    RULE_GATE_SIGN,
    /* 48 bytes at most, then a >. */
    RULE_GATE_TAG,
    /* 20 bytes without quotes at most, then a quote and a blank. */
    RULE_GATE_QUOTE,
    /* 20 bytes at most, then 24 of \w and -. */
    RULE_GATE_RUN,
    /* 27 bytes at most, the last of them a blank, a quote or one of = : > , (
     * and a `, then 16 of \w - . + and /. */
    RULE_GATE_VALUE,
    RULE_GATE_COUNT,
};

/* In the order of the enum, ended by NULL. */
extern const char *const RULE_GATE_NAMES[];

/* A set of gates has bit N for gate N. */
enum {
    RULE_GATE_SETS_COUNT = 1 << RULE_GATE_COUNT,
};

/* The keywords that the gate stands behind, ended by NULL, in lower case; NULL:
 * those of the rule. */
const char *const *rule_gate_words(enum rule_gate gate);

/* Those of `gates` that are open, `text` being what follows the keyword. If it
 * ends too early to tell, they are. Threads: safe. */
unsigned rule_gate_open(unsigned gates, struct span text);

#endif
