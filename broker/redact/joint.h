/*
 * joint.h - the blocks of fragments and those that forms begin with, in one
 * bitmap: so one look at a text tells of both.
 * Floor: redact. Depends on: redact/fragments, redact/marks.
 */
#ifndef AG_REDACT_JOINT_H
#define AG_REDACT_JOINT_H

#include "redact/marks.h"

/* Chooses how a text is looked at for `block_count` blocks of fragments and the
 * forms, if there are not too many of these. Returns the logarithm of how many
 * bits the bitmap needs. */
AG_NONNULL uint32_t joint_measure(struct matcher *m, size_t block_count);

/* Marks the block that begins at `block`; those of all forms, or none. */
AG_NONNULL void joint_put(struct set_fragments *f, const uint8_t *block);
AG_NONNULL void joint_put_forms(struct matcher *m);

/* May the block that begins at `block` be marked? */
AG_NONNULL bool joint_has(const struct set_fragments *f, const uint8_t *block);

#endif
