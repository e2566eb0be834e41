/*
 * rule_words.h - words that are no secrets: of English and of programs.
 * Floor: redact. Depends on: base/span.
 */
#ifndef AG_REDACT_RULE_WORDS_H
#define AG_REDACT_RULE_WORDS_H

#include "base/attr.h"
#include "base/span.h"

/* The length of the longest word of the list that `text` starts with, in any
 * case; 0: none. */
size_t rule_words_longest(struct span text);

#endif
