/*
 * trust.h - a user's own profile says where a credential goes, so it is used
 * only when the operator has said, with fresh proof, that it may: its hash is
 * kept in the vault, and a profile that changed has to be trusted anew.
 * Floor: core. Depends on: store/secrets, profile.
 *
 * The hash is a value like others (one mechanism: sealed, versioned, on the
 * record), named auth-guard/profile/NAME, at a grade no task is ever given.
 */
#ifndef AG_CORE_TRUST_H
#define AG_CORE_TRUST_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"

struct db_read;
struct profile;

/* A profile that may be used: a shipped one, or one that is trusted as it is.
 * Errors: AG_ENOTFOUND; AG_EDENIED with a sentence that says what to type. */
AG_CHECK AG_NONNULL enum ag_err trust_find(struct core *core, struct db_read *r,
                                           const char *name,
                                           const struct profile **ret);

/*
 * The same for what a secret on record says of its own profile, asked often and
 * without a database: as the rows were at trust_load(), which unlock, each
 * change of trust and a failed commit see to. Threads: any; trust_load() one at
 * a time. trust_new() is core_new()'s.
 */
AG_CHECK AG_NONNULL bool trust_stands(const struct core *core,
                                      const struct profile *profile);
AG_CHECK AG_NONNULL enum ag_err trust_load(struct core *core,
                                           struct db_read *r);
AG_CHECK AG_NONNULL enum ag_err trust_new(struct core *core);

/* PUT /v1/profiles/{name}/trust. Errors: AG_ENOTFOUND; AG_EINVAL a shipped
 * one. Writer. */
AG_CHECK AG_NONNULL enum ag_err core_profile_trust(struct core *core,
                                                   struct db_tx *tx,
                                                   const struct call *call,
                                                   const char *name);

#endif
