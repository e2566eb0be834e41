#include "store/value.h"

#include "base/secret.h"

enum ag_err
value_seal(struct db_read *r, struct seal_at at, const struct secret *value,
           struct buf *wrapped, struct buf *sealed)
{
    AG_AUTO(secret) struct secret *key = NULL;
    struct keyring *ring = db_ring(r);
    enum ag_err err;

    if (ring == NULL) {
        return AG_ELOCKED;
    }
    at.vault_id = db_vault_id(r);
    at.column = "wrapped";
    err = keyring_data_new(ring, &at, wrapped, &key);
    if (err != AG_OK) {
        return err;
    }
    at.column = "value";
    return seal_make(key, &at, secret_view(value), sealed);
}

enum ag_err
value_open(struct db_read *r, struct seal_at at, struct span wrapped,
           struct span sealed, struct secret **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    struct keyring *ring = db_ring(r);
    enum ag_err err;

    if (ring == NULL) {
        return AG_ELOCKED;
    }
    at.vault_id = db_vault_id(r);
    at.column = "wrapped";
    err = keyring_data_open(ring, &at, wrapped, &key);
    if (err != AG_OK) {
        return err;
    }
    at.column = "value";
    return seal_open(key, &at, sealed, ret);
}
