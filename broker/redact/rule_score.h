/*
 * rule_score.h - does a text look as if it was drawn by chance?
 * Floor: redact. Depends on: base/span.
 */
#ifndef AG_REDACT_RULE_SCORE_H
#define AG_REDACT_RULE_SCORE_H

#include "base/attr.h"
#include "base/span.h"

enum {
    RULE_SCORE_MAX_BYTES = 512, /* more is not looked at */
};

/* Shannon's entropy of its bytes, in bits per hundred characters. */
uint32_t rule_score_entropy(struct span text);

/*
 * Characters per hundred pieces, when a text is cut into pieces greedily: the
 * words of a list (three letters and more, any case), and of all else two
 * characters a piece. Words of natural language and of programs come out at
 * 400 and more, keys drawn by chance near 200, whatever their alphabet. (What
 * others do with the vocabulary of a language model, with a list of ours.)
 */
uint32_t rule_score_efficiency(struct span text);

/* Is it what people write where a secret belongs: a reference to a variable,
 * an example's word, one character over and over? */
bool rule_score_is_placeholder(struct span text);

#endif
