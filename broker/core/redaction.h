/*
 * redaction.h - keeps the filter's set as the vault is: every live version of
 * every secret, whole and field by field.
 * Floor: core. Depends on: privsep/filter, profile/fields, redact/strength.
 *
 * Adding and removing only queue. Whoever hands a value out, or a stream over,
 * calls redaction_commit() first, which makes the set be in force and costs
 * next to nothing when nothing waits.
 */
#ifndef AG_CORE_REDACTION_H
#define AG_CORE_REDACTION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct core;
struct db_read;
struct secret;
struct secret_row;

/* `version_id` is the row of the version. Threads: any. */
AG_CHECK AG_NONNULL enum ag_err redaction_add(struct core *core,
                                              const struct secret_row *row,
                                              int64_t version_id,
                                              const struct secret *value);

/* The version's value was destroyed, durably: it and its fields go with the
 * next redaction_commit(). What another version has too stays, since each
 * version has entries of its own. For store_on_gone(). */
AG_NONNULL void redaction_gone(void *core, int64_t version_id);

#define REDACTION_TOKEN_NAME "auth-guard/token" /* of all tokens */

/* A token of a task, from its making until it is revoked: what a task prints
 * of its own environment. Dropping one that is not there is no error. */
AG_CHECK AG_NONNULL enum ag_err
redaction_add_token(struct core *core, int64_t id, const struct secret *text);
AG_NONNULL void redaction_drop_token(struct core *core, int64_t id);

/* Blocks for the filter when something waits. Never on the writer thread. */
AG_CHECK AG_NONNULL enum ag_err redaction_commit(struct core *core);

/* The values of secrets of this profile anew: what it says is believed now. */
AG_CHECK AG_NONNULL enum ag_err
redaction_refill(struct core *core, struct db_read *r, const char *profile);

/* The filter is told the key of placeholders, which are no secrets: after every
 * change of keys. */
AG_CHECK AG_NONNULL enum ag_err redaction_know(struct core *core);

/* At unlock: all of it. */
AG_CHECK AG_NONNULL enum ag_err redaction_fill(struct core *core,
                                               struct db_read *r);

/* All that is in the set but tokens: values whole (`pointer` empty; `is_syntax`:
 * its lines say nothing) and field by field. Borrowed for the call. */
typedef enum ag_err (*redaction_shown_fn)(void *arg,
                                          const struct secret_row *row,
                                          const char *pointer, bool is_syntax,
                                          const struct secret *value);
AG_CHECK AG_NONNULL enum ag_err redaction_each(struct core *core,
                                               struct db_read *r,
                                               redaction_shown_fn shown,
                                               void *arg);

/* The same of one value, in the order of their numbers in its group. */
AG_CHECK AG_NONNULL enum ag_err redaction_entries(struct core *core,
                                                  const struct secret_row *row,
                                                  const struct secret *value,
                                                  redaction_shown_fn shown,
                                                  void *arg);

/* Values of more bytes than the filter takes are not for the vault: what can't
 * be redacted must not be handed out. AG_ELIMIT with a sentence. */
AG_CHECK AG_NONNULL enum ag_err redaction_fits(const struct secret *value);

/* Appends to an array of sentences what `put` and `adopt` must say about the
 * fields that can't be redacted. */
AG_CHECK AG_NONNULL enum ag_err redaction_warn(struct core *core,
                                               const struct secret_row *row,
                                               const struct secret *value,
                                               json_t *warnings);

#endif
