#include "store/meta_row.h"

#include <string.h>

#include "base/buf.h"
#include "crypt/keyring.h"
#include "store/row.h"

enum {
    VAULT_CREATED,
    VAULT_FOLDED,
    KEY_PURPOSE = 0,
    KEY_CREATED,
    VAULT_ROW = 1, /* its id */
};

static const char SQL_KEYS[] =
    "SELECT id, purpose, wrapped FROM data_key ORDER BY id";
static const char SQL_VAULT[] =
    "SELECT created_ms, uses_folded, vault_id FROM vault WHERE id = 1";

enum ag_err
vault_row_peek(struct db_read *r, struct vault_row *ret)
{
    AG_AUTO(query) struct query q = {0};
    struct span id;
    enum ag_err err = query_start(db_conn(r), SQL_VAULT, &q);

    if (err == AG_OK) {
        err = query_row(&q);
    }
    if (err == AG_ENOTFOUND) {
        return AG_ENOVAULT;
    }
    if (err != AG_OK) {
        return err;
    }
    id = query_col_blob(&q, 2);
    if (id.len != DB_VAULT_ID_BYTES) {
        return err_why(AG_ECORRUPT, "table vault, row 1 is damaged");
    }
    ret->created_ms = query_col_int(&q, 0);
    ret->uses_folded = (uint64_t)query_col_int(&q, 1);
    memcpy(ret->vault_id, id.ptr, DB_VAULT_ID_BYTES);
    return AG_OK;
}

enum ag_err
vault_row_get(struct db_read *r, struct vault_row *ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_get(r, table_of(TABLE_VAULT), VAULT_ROW, &q, &row);
    if (err != AG_OK) {
        return err;
    }
    if (row.blobs[0].len != DB_VAULT_ID_BYTES) {
        return err_why(AG_ECORRUPT, "table vault, row 1 is damaged");
    }
    ret->created_ms = row.ints[VAULT_CREATED];
    ret->uses_folded = (uint64_t)row.ints[VAULT_FOLDED];
    memcpy(ret->vault_id, row.blobs[0].ptr, DB_VAULT_ID_BYTES);
    return AG_OK;
}

enum ag_err
vault_row_put(struct db_tx *tx, const struct vault_row *vault)
{
    AG_AUTO(row) struct row row;

    row_init(&row);
    row.id = VAULT_ROW;
    row.ints[VAULT_CREATED] = vault->created_ms;
    row.ints[VAULT_FOLDED] = (int64_t)vault->uses_folded;
    row.blobs[0] = span_of(vault->vault_id, DB_VAULT_ID_BYTES);
    return row_write(tx, table_of(TABLE_VAULT), &row);
}

enum ag_err
key_rows_load(struct db_read *r, struct keyring *ring, struct keys **ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(keys) struct keys *keys = NULL;
    enum ag_err err = keys_new(&keys);

    if (err == AG_OK) {
        err = query_start(db_conn(r), SQL_KEYS, &q);
    }
    while (err == AG_OK) {
        err = query_row(&q);
        if (err == AG_OK) {
            struct key_row row = {.id = query_col_int(&q, 0),
                                  .purpose =
                                      (enum key_purpose)query_col_int(&q, 1)};

            err = keys_load(keys, ring, &row, query_col_blob(&q, 2));
        }
    }
    if (err != AG_ENOTFOUND) {
        return err;
    }
    if (!keys_complete(keys)) {
        return err_why(AG_ECORRUPT, "table data_key: a key is missing");
    }
    *ret = AG_TAKE(keys);
    return AG_OK;
}

enum ag_err
key_rows_make(struct keyring *ring, struct keys **ret)
{
    AG_AUTO(keys) struct keys *keys = NULL;
    enum ag_err err = keys_new(&keys);
    int64_t id;

    for (id = 1; id <= KEY_PURPOSES_COUNT && err == AG_OK; id++) {
        AG_AUTO(buf) struct buf wrapped;
        struct key_row row = {.id = id, .purpose = (enum key_purpose)id};

        buf_init(&wrapped, KEYRING_WRAPPED_BYTES, BUF_PLAIN);
        err = keys_make(keys, ring, &row, &wrapped);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(keys);
    }
    return err;
}

static enum ag_err
put_key(struct db_tx *tx, const struct key_row *key, int64_t created_ms,
        struct span wrapped)
{
    AG_AUTO(row) struct row row;

    row_init(&row);
    row.id = key->id;
    row.ints[KEY_PURPOSE] = (int64_t)key->purpose;
    row.ints[KEY_CREATED] = created_ms;
    row.blobs[0] = wrapped;
    return row_write(tx, table_of(TABLE_DATA_KEY), &row);
}

/* Time of birth of a key that has a row, else now. */
static enum ag_err
key_created(struct db_tx *tx, int64_t id, int64_t *ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_get(db_tx_read(tx), table_of(TABLE_DATA_KEY), id, &q, &row);
    *ret = err == AG_OK ? row.ints[KEY_CREATED] : db_tx_now_ms(tx);
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
key_rows_put(struct db_tx *tx, struct keyring *ring, const struct keys *keys)
{
    struct key_row key;
    size_t i;
    enum ag_err err = AG_OK;

    for (i = 0; err == AG_OK && keys_at(keys, i, &key); i++) {
        AG_AUTO(buf) struct buf wrapped;
        int64_t created_ms = 0;

        buf_init(&wrapped, KEYRING_WRAPPED_BYTES, BUF_PLAIN);
        err = keys_wrap(keys, ring, &key, &wrapped);
        if (err == AG_OK) {
            err = key_created(tx, key.id, &created_ms);
        }
        if (err == AG_OK) {
            err = put_key(tx, &key, created_ms, buf_view(&wrapped));
        }
    }
    return err;
}

enum ag_err
key_rows_renew(struct db_tx *tx, struct keyring *fresh, struct keys *keys)
{
    static const enum key_purpose RENEWED[] = {KEY_META, KEY_AUDIT, KEY_HEAD,
                                               KEY_ROW};

    int64_t id = 0;
    size_t i;
    enum ag_err err = row_next_id(tx, table_of(TABLE_DATA_KEY), &id);

    for (i = 0; i < AG_COUNT(RENEWED) && err == AG_OK; i++, id++) {
        AG_AUTO(buf) struct buf wrapped;
        struct key_row row = {.id = id, .purpose = RENEWED[i]};

        buf_init(&wrapped, KEYRING_WRAPPED_BYTES, BUF_PLAIN);
        err = keys_make(keys, fresh, &row, &wrapped);
    }
    return err;
}
