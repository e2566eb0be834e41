/*
 * slots.h - from a passphrase, key or recovery code to the root key and back.
 * Floor: core. Depends on: crypt/slot, store/meta.
 */
#ifndef AG_CORE_SLOTS_H
#define AG_CORE_SLOTS_H

#include "base/attr.h"
#include "base/err.h"
#include "crypt/slot.h"
#include "store/meta.h"

struct core;
struct secret;

/* One slot's row, its blob made for `id`. Blocks for Argon2. */
AG_CHECK AG_NONNULL enum ag_err
slot_row_make(const uint8_t *vault_id, int64_t id, enum slot_factor factor,
              const struct secret *secret, const struct secret *root,
              struct slot_row *ret);

/*
 * Tries every slot of that factor. *ret_slot (may be NULL) is the one that
 * opened. Wrong tries in a row make the next one wait.
 * Errors: AG_EPASSPHRASE none did; AG_ERATE with a sentence; those of
 * slot_open(). Blocks for Argon2 once per slot.
 */
AG_CHECK enum ag_err slots_try(struct core *core, enum slot_factor factor,
                               const struct secret *secret,
                               struct slot_row *ret_slot,
                               struct secret **ret_root);

#endif
