/*
 * secrecy.h - which leaves of a value are secret.
 * Floor: profile. Depends on: profile/leaf.
 *
 * What a profile declares, or else what looks like it; fields.h says the rule
 * in words. Shared by those who collect secrets and those who replace them, so
 * that neither knows of one more than the other.
 */
#ifndef AG_PROFILE_SECRECY_H
#define AG_PROFILE_SECRECY_H

#include "base/attr.h"
#include "base/span.h"
#include "profile/leaf.h"
#include "profile/profile.h"

struct secrecy {
    const struct strings *patterns; /* NULL or empty: undeclared */
    bool whole;                     /* the format has one value only */
};

/* `file` may be NULL; `format` is what the content is read as. */
struct secrecy secrecy_of(const struct profile_file *file,
                          enum file_format format);

/* Not a secret by what the profile says or, without one, by its looks. `value`
 * is the leaf's, decoded. */
AG_NONNULL bool secrecy_is_open(const struct secrecy *s,
                                const struct leaf *leaf, struct span value);

/* Words that are long and yet nobody's secret; and short ones. */
bool secrecy_is_harmless(struct span text);

/* `${NPM_TOKEN}`, `$TOKEN`: the value is somewhere else. */
bool secrecy_is_indirect(struct span text);

#endif
