/*
 * gram.h - which stretches of a text are compared where comparing all of them
 * would cost too much: places that the text alone determines, so that whoever
 * looks at a text, and whoever looks at a part of it, meet at the same ones.
 * Floor: redact. Depends on: base/span.
 *
 * A gram is GRAM_BYTES in a row. Of GRAM_WINDOW_COUNT neighbouring grams the
 * one with the smallest hash is chosen, of equal ones the last. So of every
 * stretch of GRAM_FORM_MIN_BYTES at least one is chosen, by looking at that
 * stretch alone. The hash rolls and is public: it chooses and proves nothing.
 * Source: Schleimer, Wilkerson, Aiken, Winnowing: Local Algorithms for Document
 * Fingerprinting, SIGMOD 2003, section 4.
 */
#ifndef AG_REDACT_GRAM_H
#define AG_REDACT_GRAM_H

#include "base/attr.h"
#include "base/span.h"

enum {
    GRAM_BYTES = 20,
    GRAM_WINDOW_COUNT = 5,
    GRAM_FORM_MIN_BYTES = GRAM_BYTES + GRAM_WINDOW_COUNT - 1,
};

/* A walk through a text; zeroed it stands at its start. Fields are the
 * module's own. */
struct gram_walk {
    size_t at;      /* in the text: the next gram's first byte */
    uint64_t hash;  /* of the gram before it, if there is one */
    uint64_t count; /* of grams seen */
    uint64_t least; /* which of the last ones is chosen: its number, from 1 */
    uint64_t told;  /* the last one that was returned */
    uint64_t recent[GRAM_WINDOW_COUNT]; /* their hashes, by number */
};

/* The next chosen gram: *ret is where it begins in `text`, which may have grown
 * since the last call. False: none without more text. */
AG_NONNULL bool gram_next(struct gram_walk *w, struct span text, size_t *ret);

/* The first `by` bytes were taken off the text: not the last
 * GRAM_FORM_MIN_BYTES of what was walked through. */
AG_NONNULL void gram_move(struct gram_walk *w, size_t by);

#endif
