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

struct core;
struct db_read;
struct profile;
struct profile_file;
struct secret;
struct secret_row;
struct version_row;

/* The profile a secret belongs to, or NULL; *ret_file (may be NULL) is the
 * entry its content came from, or NULL too. Live as long as the profiles. */
const struct profile *value_profile(struct core *core,
                                    const struct secret_row *row,
                                    const struct profile_file **ret_file);

/*
 * `field` may be NULL or empty: the whole; number 0 is the current version.
 * Ownership: *ret is the caller's. Errors: AG_ENOTFOUND, AG_EINVAL, AG_ECORRUPT.
 */
AG_CHECK enum ag_err value_of(struct core *core, struct db_read *r,
                              const struct secret_row *row, const char *field,
                              int64_t number, struct version_row *ret_version,
                              struct secret **ret);

#endif
