/*
 * meta_row.h - the vault's own row, its keys' rows and its slots' rows.
 * Floor: store. Depends on: store/row, store/keys.
 *
 * For this room only.
 */
#ifndef AG_STORE_META_ROW_H
#define AG_STORE_META_ROW_H

#include "base/attr.h"
#include "base/err.h"
#include "store/db.h"
#include "store/meta.h"

struct vault_row {
    int64_t created_ms;
    uint64_t uses_folded;
    uint8_t vault_id[DB_VAULT_ID_BYTES];
};

/* Unverified, for a locked vault. AG_ENOVAULT when there is none. */
AG_CHECK AG_NONNULL enum ag_err vault_row_peek(struct db_read *r,
                                               struct vault_row *ret);
AG_CHECK AG_NONNULL enum ag_err vault_row_get(struct db_read *r,
                                              struct vault_row *ret);
AG_CHECK AG_NONNULL enum ag_err vault_row_put(struct db_tx *tx,
                                              const struct vault_row *row);

/* All keys of data_key, unwrapped with the keyring. AG_ECORRUPT when one is
 * missing or does not open. */
AG_CHECK AG_NONNULL enum ag_err
key_rows_load(struct db_read *r, struct keyring *ring, struct keys **ret);

/* The first keys of a new vault, in memory only. */
AG_CHECK AG_NONNULL enum ag_err key_rows_make(struct keyring *ring,
                                              struct keys **ret);

/* Writes a row for every key, wrapped under `ring`. */
AG_CHECK AG_NONNULL enum ag_err
key_rows_put(struct db_tx *tx, struct keyring *ring, const struct keys *keys);

/* For a rekey: adds fresh keys to `keys` for every purpose but KEY_USES. */
AG_CHECK AG_NONNULL enum ag_err
key_rows_renew(struct db_tx *tx, struct keyring *fresh, struct keys *keys);

/* Removes every living slot and adds these. */
AG_CHECK AG_NONNULL enum ag_err
slots_replace_all(struct db_tx *tx, struct slot_row *slots, size_t slot_count);

#endif
