/*
 * values.h - the value of a secret, or one of its fields, out of the store.
 * Floor: core. Depends on: store/secrets, store/versions, profile/fields.
 */
#ifndef AG_CORE_VALUES_H
#define AG_CORE_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/secrets.h"
#include "store/versions.h"

struct call;
struct core;
struct db_read;
struct db_tx;
struct get_request;
struct grant;
struct profile;
struct profile_file;
struct secret;
struct task_row;

/* secrets_find() with a sentence that says which is missing, and what to type.
 */
AG_CHECK AG_NONNULL enum ag_err
secret_named(struct db_read *r, struct span name, struct secret_row *ret);

/* A name that a caller may give a value: parse_name(), and none of the broker's
 * own below auth-guard/, where trust in profiles is kept.
 * Errors: AG_EINVAL; AG_EDENIED. */
AG_CHECK enum ag_err secret_name_free(struct span name);

/* tasks_get() with a sentence that says which is missing, and what to type. */
AG_CHECK AG_NONNULL enum ag_err task_numbered(struct db_read *r, int64_t id,
                                              struct task_row *ret);

/* AG_ENOTFOUND with a sentence for a version that is not there, or no more. */
AG_CHECK AG_NONNULL enum ag_err version_missing(const struct secret_row *row,
                                                int64_t number);

/* The profile a secret belongs to, or NULL; *ret_file (may be NULL) is the
 * entry its content came from, or NULL too. Live as long as the profiles. One of
 * the user's own that is not trusted as it is now says nothing: NULL. */
const struct profile *value_profile(struct core *core,
                                    const struct secret_row *row,
                                    const struct profile_file **ret_file);

/* The profile that a secret names, trusted or not, or NULL: who acts by it asks
 * trust_find() first. */
AG_NONNULL const struct profile *value_named(struct core *core,
                                             const struct secret_row *row);

/* By what the secret fields of `content`, a value of this secret, are found: the
 * entry of its profile; NULL without one. Of a profile that is not trusted the
 * format at most is believed, and no field is left out. */
const struct profile_file *value_fields(struct core *core,
                                        const struct secret_row *row,
                                        struct span content);

/* The entry of this profile, whether trusted or not, that `row` came from. */
const struct profile_file *value_file(const struct secret_row *row,
                                      const struct profile *profile);

/* Which value: a whole version (0: the current one) or one of its fields. Of a
 * secret that is minted, 0 is the task's own. */
struct value_wish {
    const struct secret_row *row;
    const char *field; /* NULL or empty: the whole */
    int64_t number;
    int64_t task_id; /* 0: none asks */
};

/*
 * Ownership: *ret is the caller's. Errors: AG_ENOTFOUND, AG_EINVAL, AG_ECORRUPT.
 */
AG_CHECK AG_NONNULL enum ag_err value_of(struct core *core, struct db_read *r,
                                         const struct value_wish *wish,
                                         struct version_row *ret_version,
                                         struct secret **ret);

/* The same of the current version that a text names: NAME#POINTER. */
AG_CHECK AG_NONNULL enum ag_err value_by_reference(struct core *core,
                                                   struct db_read *r,
                                                   const char *text,
                                                   struct secret **ret);

/*
 * One reading in clear by a call: its right checked, the use counted in the
 * rows. The caller puts it on the record, and takes the use from the token in
 * memory as its last step (live_spend()) if there is a grant.
 */
struct reading {
    struct secret_row row;
    struct version_row version;
    const struct grant *grant; /* of call->token; NULL: the operator's own */
    struct secret *value;
};

void reading_done(struct reading *reading);
AG_DEFINE_CLEANUP_INPLACE(reading, reading_done)

/* Errors: AG_ENOTFOUND, AG_EPROOF, AG_ENOGRANT, AG_EGRADE, AG_EUSEDUP; those of
 * value_of(). Writer. */
AG_CHECK AG_NONNULL enum ag_err value_read(struct core *core, struct db_tx *tx,
                                           const struct call *call,
                                           const struct get_request *request,
                                           struct reading *ret);

#endif
