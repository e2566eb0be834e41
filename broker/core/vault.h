/*
 * vault.h - the life of the keys: init, unlock, lock, proofs, slots, rekey.
 * Floor: core. Depends on: crypt/slot, crypt/keyring, store.
 */
#ifndef AG_CORE_VAULT_H
#define AG_CORE_VAULT_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"

struct secret;

enum {
    VAULT_PASSPHRASE_MIN_BYTES = 8
};

/*
 * POST /v1/init. Makes the vault, opens it and approves the caller's session.
 * *ret: {vault_id, recovery_code, until}: carries the only copy of the
 * recovery code; the caller frees it with json_decref (wiped by the allocator).
 * Errors: AG_EEXISTS, AG_EINVAL (passphrase too short). Slow.
 */
AG_CHECK AG_NONNULL enum ag_err vault_init(struct core *core,
                                           const struct call *call,
                                           const struct secret *passphrase,
                                           json_t **ret);

/* What unlocks: exactly one is not NULL. Only a passphrase approves. */
struct unlock_request {
    const struct secret *passphrase;
    const struct secret *recovery_code;
    const struct secret *key; /* content of a key file or credential */
    /* The way out of AG_EROLLBACK after a deliberate restore: the vault is taken
     * as it is, and that is put on the record. With the passphrase only. */
    bool accept_rollback;
};

/*
 * POST /v1/unlock. Opens the vault if it is locked: checks the counter and the
 * audit head, folds what a crash left behind, fills the redaction set. With a
 * passphrase it also approves the caller's session, open or not.
 * *ret: {vault_id, operator, until?, found: [sentence…]}.
 * Errors: AG_ENOVAULT, AG_EPASSPHRASE, AG_ERATE (too many tries),
 *         AG_EROLLBACK, AG_ECORRUPT, AG_EDENIED (a task asks). Slow.
 */
AG_CHECK AG_NONNULL enum ag_err
vault_unlock(struct core *core, const struct call *call,
             const struct unlock_request *request, json_t **ret);

/* POST /v1/proof: a fresh proof for this session and parent. *ret: {until}.
 * Slow. */
AG_CHECK AG_NONNULL enum ag_err vault_prove(struct core *core,
                                            const struct call *call,
                                            const struct secret *passphrase,
                                            json_t **ret);

/* POST /v1/lock: revokes tokens, ends tasks, wipes. Slow (waits for tasks). */
AG_CHECK AG_NONNULL enum ag_err vault_lock(struct core *core,
                                           const struct call *call);

/* The same when it has been quiet for long. Slow. */
AG_NONNULL void vault_lock_idle(struct core *core);

/* POST /v1/passphrase: replaces the passphrase slot in one transaction. Slow */
AG_CHECK AG_NONNULL enum ag_err
vault_change_passphrase(struct core *core, const struct call *call,
                        const struct secret *old_passphrase,
                        const struct secret *new_passphrase);

/* POST /v1/rekey: a new root key, every data key wrapped anew, in one
 * transaction. Tasks end; the other slots go, since what opens them is not
 * known. *ret: {recovery_code}, a new one. Slow. */
AG_CHECK AG_NONNULL enum ag_err vault_rekey(struct core *core,
                                            const struct call *call,
                                            const struct secret *passphrase,
                                            json_t **ret);

/* Slots. kind: "recovery" or "key". *ret of add: {id, recovery_code?}. */
AG_CHECK AG_NONNULL enum ag_err vault_slots(struct core *core, json_t **ret);
AG_CHECK enum ag_err vault_slot_add(struct core *core, const struct call *call,
                                    const char *kind, const struct secret *key,
                                    json_t **ret);
AG_CHECK AG_NONNULL enum ag_err
vault_slot_remove(struct core *core, const struct call *call, int64_t id);

#endif
