#include "store/wraps.h"

#include <string.h>

#include "base/secret.h"
#include "store/row.h"
#include "store/value.h"

enum {
    I_TASK,
    I_SECRET,
    I_VERSION,
    I_CREATED,
    I_EXPIRES,
    I_OPENED,
    I_ATTEMPTS,
    I_HAS_VALUE,
    B_HASH = 0,
    B_WRAPPED,
    B_VALUE,
};

static const char SQL_BY_HASH[] =
    "SELECT " COLS(WRAP_COLS) " FROM wrap WHERE hash = ?";
static const char SQL_EXPIRED[] =
    "SELECT id FROM wrap INDEXED BY wrap_waiting WHERE has_value = 1"
    " AND expires_ms <= ? LIMIT ?";

static struct seal_at
place_of(int64_t id)
{
    return (struct seal_at){.table = "wrap", .column = "", .row = id};
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct wrap_row *ret = to;

    if (row->blobs[B_HASH].len != WRAP_HASH_BYTES) {
        return err_why(AG_ECORRUPT, "table wrap, row %lld is damaged",
                       (long long)row->id);
    }
    *ret = (struct wrap_row){
        .id = row->id,
        .task_id = row->ints[I_TASK],
        .secret_id = row->ints[I_SECRET],
        .version = row->ints[I_VERSION],
        .created_ms = row->ints[I_CREATED],
        .expires_ms = row->ints[I_EXPIRES],
        .opened_ms = row->ints[I_OPENED],
        .attempts_count = row->ints[I_ATTEMPTS],
    };
    memcpy(ret->hash, row->blobs[B_HASH].ptr, WRAP_HASH_BYTES);
    return AG_OK;
}

enum ag_err
wraps_add(struct db_tx *tx, struct wrap_row *wrap, const struct secret *value)
{
    AG_AUTO(row) struct row row;
    AG_AUTO(buf) struct buf wrapped;
    AG_AUTO(buf) struct buf sealed;
    enum ag_err err;

    row_init(&row);
    buf_init(&wrapped, VALUE_WRAPPED_MAX_BYTES, BUF_PLAIN);
    buf_init(&sealed, VALUE_SEALED_MAX_BYTES, BUF_PLAIN);
    if (wrap->expires_ms <= tx->now_ms) {
        return err_why(AG_EINVAL, "the wrap's end has passed already");
    }
    err = row_next_id(tx, table_of(TABLE_WRAP), &row.id);
    if (err == AG_OK) {
        err = value_seal(db_tx_read(tx), place_of(row.id), value, &wrapped,
                         &sealed);
    }
    if (err != AG_OK) {
        return err;
    }
    row.ints[I_TASK] = wrap->task_id;
    row.ints[I_SECRET] = wrap->secret_id;
    row.ints[I_VERSION] = wrap->version;
    row.ints[I_CREATED] = tx->now_ms;
    row.ints[I_EXPIRES] = wrap->expires_ms;
    row.ints[I_HAS_VALUE] = 1;
    row.blobs[B_HASH] = span_of(wrap->hash, WRAP_HASH_BYTES);
    row.blobs[B_WRAPPED] = buf_view(&wrapped);
    row.blobs[B_VALUE] = buf_view(&sealed);
    err = row_write(tx, table_of(TABLE_WRAP), &row);
    if (err == AG_OK) {
        wrap->id = row.id;
        wrap->created_ms = tx->now_ms;
        wrap->opened_ms = 0;
        wrap->attempts_count = 0;
    }
    return err;
}

/* Writes the row without its value. */
static enum ag_err
write_empty(struct db_tx *tx, struct row *row)
{
    row->ints[I_HAS_VALUE] = 0;
    row->blobs[B_WRAPPED] = span_of(NULL, 0);
    row->blobs[B_VALUE] = span_of(NULL, 0);
    tx->wiped = true;
    return row_write(tx, table_of(TABLE_WRAP), row);
}

/* What the opening comes to, before anything is changed. */
static enum ag_err
judge(const struct db_tx *tx, const struct row *row)
{
    if (row->ints[I_OPENED] != 0) {
        return AG_EUNWRAPPED;
    }
    if (row->ints[I_HAS_VALUE] == 0 || row->ints[I_EXPIRES] <= tx->now_ms) {
        return err_why(AG_EEXPIRED, "the wrap has expired");
    }
    return AG_OK;
}

enum ag_err
wraps_open(struct db_tx *tx, const uint8_t hash[WRAP_HASH_BYTES],
           struct wrap_row *ret_row, struct secret **ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err verdict;
    enum ag_err err;

    row_init(&row);
    err = row_find(db_tx_read(tx), table_of(TABLE_WRAP), SQL_BY_HASH,
                   span_of(hash, WRAP_HASH_BYTES), &q, &row);
    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_ENOTOKEN : err;
    }
    verdict = judge(tx, &row);
    if (verdict == AG_OK) {
        err = value_open(db_tx_read(tx), place_of(row.id), row.blobs[B_WRAPPED],
                         row.blobs[B_VALUE], &value);
        row.ints[I_OPENED] = tx->now_ms;
    } else {
        row.ints[I_ATTEMPTS]++;
    }
    if (err == AG_OK) {
        err = write_empty(tx, &row);
    }
    if (err == AG_OK) {
        err = decode(&row, ret_row);
    }
    if (err == AG_OK && verdict == AG_OK) {
        *ret = AG_TAKE(value);
    }
    return err != AG_OK ? err : verdict;
}

static enum ag_err
expire_one(struct db_tx *tx, int64_t id)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_get(db_tx_read(tx), table_of(TABLE_WRAP), id, &q, &row);
    return err != AG_OK ? err : write_empty(tx, &row);
}

enum ag_err
wraps_expire(struct db_tx *tx, int64_t now_ms, uint32_t limit,
             uint64_t *ret_count)
{
    uint64_t count = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && count < limit) {
        AG_AUTO(query) struct query q = {0};
        int64_t id = 0;

        err = query_start(&tx->self.conn, SQL_EXPIRED, &q);
        if (err != AG_OK) {
            return err;
        }
        query_int(&q, now_ms);
        query_int(&q, 1);
        err = query_row(&q);
        if (err == AG_OK) {
            id = query_col_int(&q, 0);
            query_done(&q);
            err = expire_one(tx, id);
            count++;
        }
    }
    if (err != AG_OK && err != AG_ENOTFOUND) {
        return err;
    }
    *ret_count = count;
    return AG_OK;
}
