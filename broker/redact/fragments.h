/*
 * fragments.h - twelve bytes of a value, from wherever in it: what a tool that
 * cuts its output leaves, or two halves printed apart.
 * Floor: redact. Depends on: redact/matcher, redact/holes, redact/marks.
 *
 * Looked for is every run of at least FRAGMENT_MIN_BYTES that a text shares
 * with a value that is redacted wherever it stands (STRENGTH_FULL), within one
 * of its lines; armour, the claims of a JWT, and documents (MATCHER_NO_LINES),
 * of which the fields are values themselves, are left out. Twelve bytes of it must look random: there are
 * FRAGMENT_CHANGES changes between lower case, upper case and digits, or
 * FRAGMENT_DIGITS digits, or they are letters and blanks only. So a URL's host
 * or a word is left alone.
 *
 * The run is covered from the third of its first twelve random bytes on: so a
 * text that ends in one or two characters that some value has need not wait;
 * or from its start, if that is the value's.
 * Sets with more than FRAGMENT_CELLS_MAX_COUNT places to look for have
 * fragments of their first values only: the memory is locked.
 */
#ifndef AG_REDACT_FRAGMENTS_H
#define AG_REDACT_FRAGMENTS_H

#include "base/attr.h"
#include "base/span.h"
#include "redact/holes.h"

struct marked;

enum {
    FRAGMENT_MIN_BYTES = 12,
    FRAGMENT_BLOCK_BYTES = 5,
    FRAGMENT_CHANGES = 3,
    FRAGMENT_DIGITS = 8,
    FRAGMENT_SHOWN_BYTES = 2,
    FRAGMENT_CELLS_MAX_COUNT = 24 * 1024,
};

/* A text with what stood before it, as in scan.h. `offset` is the text's in
 * the stream; `most` bounds what may be held back. Spans are borrowed. What was
 * looked at tells of forms, too: marked[0] of the set's, marked[1] of the
 * base's (marks.h). */
struct fragments_request {
    const struct matcher *set;
    struct span text;
    struct span behind;
    uint64_t offset;
    size_t most;
    struct marked *marked;
    bool is_at_end; /* nothing follows the text */
};

/* Adds the fragments in the text to `holes`. Returns how much of it is decided:
 * behind that a fragment may still begin or go on. */
AG_NONNULL size_t fragments_find(const struct fragments_request *request,
                                 struct holes *holes);

#endif
