/*
 * meta.h - the vault's own facts: its id and the unlock slots.
 * Floor: store. Depends on: store/words, store/row.
 *
 * Slots are read while the vault is locked, so their rows can be verified only
 * after the unlock: store_unlock() then checks every slot row against the
 * record (one that was put back or changed is AG_ECORRUPT, named).
 */
#ifndef AG_STORE_META_H
#define AG_STORE_META_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

struct db_tx;
struct store;

enum {
    SLOT_BLOB_MAX_BYTES = 256, /* parameters, salt and the wrapped root key */
    SLOTS_MAX_COUNT = 16,
};

struct slot_row {
    int64_t id;
    enum slot_kind kind;
    int64_t created_ms;
    size_t blob_len;
    uint8_t blob[SLOT_BLOB_MAX_BYTES]; /* as crypt/slot made it */
};

/* All slots in order of id, locked or not; *ret_count of them. */
AG_CHECK AG_NONNULL enum ag_err slots_list(struct store *s,
                                           struct slot_row ret[SLOTS_MAX_COUNT],
                                           size_t *ret_count);

/*
 * The id the next slot will have: a slot's blob is bound to it, so it is asked
 * before slot_make() (which takes a second and must not block the writer).
 */
AG_CHECK AG_NONNULL enum ag_err slots_next_id(struct store *s, int64_t *ret);

/* row->id is from slots_next_id(); fills in created_ms.
 * Errors: AG_ECONFLICT that id was taken meanwhile (make the blob again);
 *         AG_ELIMIT, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err slots_add(struct db_tx *tx,
                                          struct slot_row *row);

/* Errors: AG_ENOTFOUND; AG_ECONFLICT it is the last passphrase slot. */
AG_CHECK AG_NONNULL enum ag_err slots_remove(struct db_tx *tx, int64_t id);

/* A new blob for a slot, same id: the passphrase change. AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err slots_replace(struct db_tx *tx,
                                              struct slot_row *row);

#endif
