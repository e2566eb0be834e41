/*
 * vault_impl.h - what vault.c, unlock.c, lock.c and proof.c share.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_VAULT_IMPL_H
#define AG_CORE_VAULT_IMPL_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"
#include "store/audit.h"
#include "store/words.h"

struct core;
struct secret;
struct slot_row;

/* Approves the caller's session and notes its proof; adds `until`.
 * Errors: AG_EDENIED a task asks; AG_EUNTRACED. */
AG_CHECK AG_NONNULL enum ag_err
proof_approve(struct core *core, const struct call *call, json_t *answer);

/* One audit row by itself. `body` is stolen, NULL allowed. Waits. */
AG_CHECK enum ag_err proof_note(struct core *core, const struct call *call,
                                enum audit_kind kind, json_t *body);

/* The passphrase, once more, of an open vault; a wrong one is on the record.
 * *ret_slot may be NULL. Errors: AG_EPASSPHRASE; those of slots_try(). */
AG_CHECK enum ag_err proof_try(struct core *core, const struct call *call,
                               const struct secret *passphrase,
                               struct slot_row *ret_slot,
                               struct secret **ret_root);

/* Adds vault_id in hex. */
AG_CHECK AG_NONNULL enum ag_err vault_set_id(struct core *core, json_t *answer);

/* Ends every task, puts `kind` on the record, waits until they are gone or
 * LOCK_WAIT_MS have passed. */
AG_CHECK enum ag_err vault_end_all(struct core *core, const struct call *call,
                                   enum end_reason reason,
                                   enum audit_kind kind);

/* Wipes keys, set and tables. The caller holds vault_lock. */
AG_NONNULL void vault_close_keys(struct core *core);

#endif
