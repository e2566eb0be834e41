/*
 * table.h - the profile format as rows: what wire/msg decodes by and what
 * schema/profile.schema.json says in another language (a test compares them).
 * Floor: profile. Depends on: wire/msg, profile/profile.
 */
#ifndef AG_PROFILE_TABLE_H
#define AG_PROFILE_TABLE_H

#include "profile/profile.h"
#include "wire/msg.h"

/* Of `struct profile`. Static. */
const struct msg_spec *profile_spec(void);

/* Frees what decoding and profile_complete() gave it. */
AG_NONNULL void profile_release(struct profile *p);

/* What rows can't say: fields that belong together, templates and pointers
 * well formed. Also puts defaults in the place of parts left out.
 * Errors: AG_EINVAL with a sentence that names the field. */
AG_CHECK AG_NONNULL enum ag_err profile_complete(struct profile *p);

#endif
