/*
 * pieces.h - what of a value is looked for: its pieces and lines, and in which
 * forms (matcher.h says which count).
 * Floor: redact. Depends on: redact/matcher, redact/variants.
 */
#ifndef AG_REDACT_PIECES_H
#define AG_REDACT_PIECES_H

#include "base/attr.h"
#include "base/span.h"
#include "redact/matcher.h"
#include "redact/variants.h"

/* Called for each piece; `raw` lies within the value. False ends the walk. */
typedef bool (*piece_fn)(void *ctx, struct span raw, bool is_line);

AG_NONNULL bool pieces_walk(struct span value, enum matcher_flags flags,
                            piece_fn visit, void *ctx);

/* Is this form of this piece in the set? *ret_len is its length. */
AG_NONNULL bool pieces_has_form(enum variant form, struct span raw,
                                bool is_line, unsigned int traits,
                                size_t *ret_len);

/* Where no form of this value reaches across. */
enum matcher_cut pieces_cut(struct span value);

/* How many newlines it has inside, and so its forms at most. */
size_t pieces_line_ends(struct span value);

#endif
