/*
 * format.h - a file of rules, schema/rules/NAME.json, as it is written.
 * Floor: rules. Depends on: wire/msg (filled by it), redact/rule (meaning).
 *
 * A file is one group (a vendor, or a kind of place). redact/rule.h says what
 * a rule finds; this is how it is said:
 *
 * regex       what PCRE2 and Vectorscan read alike: no anchors, look-arounds,
 *             back references or possessive repeats; every repeat has an end.
 *             \b only before the secret. An open end is a `tail`.
 * keywords    a text that every match has; any case. The rarer the better: one
 *             that is near makes text wait, and two letters (mm, es) at the
 *             start of a regex slow all text; with `context` they are refused.
 * secret      the capture that is the secret; 0, the whole match, by default.
 * tail, stop, lead   classes, as in a regex between brackets, without them.
 * lead_max    bytes of `lead` at most; as many wait at the end of a text, since
 *             they may begin a secret: no more than the format needs.
 * entropy, efficiency   hundredths: 350 is 3.5 bits a character at least, 250
 *             is 2.5 characters a word piece at most.
 * gate        what follows a keyword in every match (redact/rule_gate.h), for
 *             keywords that are words of any text. To look these up costs a
 *             pack what a few rules do: where there are no more, none.
 * words       placeholder words are left; always so with `context`.
 * allow       patterns that may match anywhere in the secret.
 *
 * Examples and negatives are texts with parts that are made:
 *   «…»        what the filter must take out; each example has one or more
 *   ‹CLASS:N›  N characters of a class, by turns from a fixed generator; CLASS
 *              is as in `tail`, or one of the names of example.h
 *   ‹sum›      the rule's checksum of what stands in «…» before it
 *   ‹b64:TEXT› ‹b64url:TEXT›   TEXT in base64
 * so that no file holds what a scanner takes for a secret. An example must be
 * found by its rule (another may be named by the marker); a negative must not
 * be found by its rule.
 */
#ifndef AG_RULES_FORMAT_H
#define AG_RULES_FORMAT_H

#include "base/attr.h"
#include "wire/msg.h"

enum rule_level {
    RULE_LEVEL_DEFAULT,
    RULE_LEVEL_ALL, /* more is found, and more that is no secret */
    RULE_LEVEL_COUNT,
};

struct rule_texts {
    char **items;
    size_t count;
};

struct rule_item {
    char *id;
    char *service;
    char *description;
    char *source; /* the page that the format is from */
    int level;
    char *regex;
    struct rule_texts keywords;
    int64_t secret;
    char *tail;
    int64_t tail_max;
    char *until;
    char *stop;
    char *lead;
    int64_t lead_max;
    bool context;
    bool block;
    bool words;
    int64_t entropy;
    int64_t efficiency;
    int checksum; /* enum rule_sum */
    int gate;     /* enum rule_gate */
    bool checksum_must;
    struct rule_texts allow;
    struct rule_texts examples;
    struct rule_texts negatives;
};

struct rule_items {
    struct rule_item *items;
    size_t count;
};

struct rule_file {
    int64_t rules; /* the format's version, 1 */
    char *group;
    char *title;
    struct rule_items items;
};

/* Of `struct rule_file`. Static. */
const struct msg_spec *rule_file_spec(void);

#endif
