/*
 * secrets_row.h - what secrets, versions and rekey share.
 * Floor: store. Depends on: store/secrets, store/versions.
 *
 * For this room only.
 */
#ifndef AG_STORE_SECRETS_ROW_H
#define AG_STORE_SECRETS_ROW_H

#include "store/secrets.h"
#include "store/versions.h"

struct keyring;

/* Writes the row as it is, with the name's hash under the ring in use. */
AG_CHECK AG_NONNULL enum ag_err secret_row_write(struct db_tx *tx,
                                                 const struct secret_row *row);

/* Wipes every value of the secret. */
AG_CHECK AG_NONNULL enum ag_err versions_destroy_all(struct db_tx *tx,
                                                     int64_t secret_id);

/* Rekey: every living data key from the old ring to the fresh one. */
AG_CHECK AG_NONNULL enum ag_err versions_rewrap_all(struct db_tx *tx,
                                                    struct keyring *old_ring,
                                                    struct keyring *fresh);
AG_CHECK AG_NONNULL enum ag_err wraps_rewrap_all(struct db_tx *tx,
                                                 struct keyring *old_ring,
                                                 struct keyring *fresh);

#endif
