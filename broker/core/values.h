/*
 * values.h - the value of a secret, or one of its fields, out of the store.
 * Floor: core. Depends on: store/versions, profile/fields.
 */
#ifndef AG_CORE_VALUES_H
#define AG_CORE_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct core;
struct db_read;
struct profile;
struct profile_file;
struct secret;
struct secret_row;
struct version_row;

/* secrets_find() with a sentence that says which is missing, and what to type.
 */
AG_CHECK AG_NONNULL enum ag_err
secret_named(struct db_read *r, struct span name, struct secret_row *ret);

/* The profile a secret belongs to, or NULL; *ret_file (may be NULL) is the
 * entry its content came from, or NULL too. Live as long as the profiles. */
const struct profile *value_profile(struct core *core,
                                    const struct secret_row *row,
                                    const struct profile_file **ret_file);

/* Which value: a whole version (0: the current one) or one of its fields. */
struct value_wish {
    const struct secret_row *row;
    const char *field; /* NULL or empty: the whole */
    int64_t number;
};

/*
 * Ownership: *ret is the caller's. Errors: AG_ENOTFOUND, AG_EINVAL, AG_ECORRUPT.
 */
AG_CHECK AG_NONNULL enum ag_err value_of(struct core *core, struct db_read *r,
                                         const struct value_wish *wish,
                                         struct version_row *ret_version,
                                         struct secret **ret);

#endif
