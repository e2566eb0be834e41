/*
 * strength.h - whether a value can be redacted at all: one that is too short
 * or too easy to guess would black out ordinary text and give itself away by
 * the holes.
 * Floor: redact. Depends on: base/span.
 */
#ifndef AG_REDACT_STRENGTH_H
#define AG_REDACT_STRENGTH_H

#include "base/attr.h"
#include "base/span.h"

enum {
    STRENGTH_TOKEN_MIN_BYTES = 4, /* shorter is never redacted */
    STRENGTH_FULL_MIN_BYTES = 8,  /* shorter counts as a whole token only */
};

enum strength {
    STRENGTH_FULL,  /* redacted wherever it stands */
    STRENGTH_TOKEN, /* 4..7 bytes: only as a whole token, operator only */
    STRENGTH_SHORT, /* below 4 bytes: not redacted */
    STRENGTH_GUESSABLE, /* repeats, runs, short numbers, common words: not redacted */
};

/* What is looked for of a value: without blanks and line ends around it. */
struct span strength_trimmed(struct span value);

/* Looks at `value` as it would be printed; blanks at its ends don't count. */
enum strength strength_of(struct span value);

/* What `put` and `adopt` warn of; NULL for STRENGTH_FULL. Static. */
const char *strength_warning(enum strength strength);

/* Is a value of this strength in the redaction set at all? */
bool strength_is_redacted(enum strength strength);

#endif
