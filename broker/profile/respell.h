/*
 * respell.h - a value written as its leaf was spelled, so that it can stand in
 * the leaf's place.
 * Floor: profile. Depends on: profile/leaf, base/buf.
 */
#ifndef AG_PROFILE_RESPELL_H
#define AG_PROFILE_RESPELL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/leaf.h"

/*
 * Appends `value` so that leaf_value() of what is appended gives it back; of a
 * block, but for its newlines at the end, which are the leaf's.
 * Errors: AG_EINVAL a line break in a spelling that has none; AG_ELIMIT,
 *         AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err respell(const struct leaf *leaf,
                                        struct span value, struct buf *out);

#endif
