#include "crypt/keyring.h"
#include "store/ends.h"
#include "store/row.h"
#include "store/secrets_row.h"

static const char SQL_VERSIONS[] =
    "SELECT id FROM version WHERE state <= ?1 AND id > ?2 ORDER BY id LIMIT ?3";
static const char SQL_WRAPS[] =
    "SELECT id FROM wrap WHERE has_value = ?1 AND id > ?2"
    " ORDER BY id LIMIT ?3";

enum {
    VERSION_NUMBER_AT = 1, /* place of the version's number among its ints */
    VERSION_WRAPPED_AT = 0,
    WRAP_WRAPPED_AT = 1, /* place of the wrapped key among the blobs */
};

struct rewrap {
    const struct table *table;
    unsigned wrapped_at;
    struct keyring *old_ring;
    struct keyring *fresh;
};

static enum ag_err
rewrap_one(struct db_tx *tx, int64_t id, void *arg)
{
    const struct rewrap *job = arg;
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    AG_AUTO(buf) struct buf wrapped;
    struct seal_at at = {
        .table = job->table->name, .column = "wrapped", .row = id};
    enum ag_err err;

    row_init(&row);
    buf_init(&wrapped, KEYRING_WRAPPED_BYTES, BUF_PLAIN);
    err = row_get(db_tx_read(tx), job->table, id, &q, &row);
    if (job->table->id == TABLE_VERSION) {
        at.version = row.ints[VERSION_NUMBER_AT];
    }
    if (err == AG_OK) {
        err = keyring_data_rewrap(job->old_ring, job->fresh, &at,
                                  row.blobs[job->wrapped_at], &wrapped);
    }
    if (err != AG_OK) {
        return err;
    }
    row.blobs[job->wrapped_at] = buf_view(&wrapped);
    return row_write(tx, job->table, &row);
}

enum ag_err
versions_rewrap_all(struct db_tx *tx, struct keyring *old_ring,
                    struct keyring *fresh)
{
    struct rewrap job = {.table = table_of(TABLE_VERSION),
                         .wrapped_at = VERSION_WRAPPED_AT,
                         .old_ring = old_ring,
                         .fresh = fresh};
    struct ends_walk walk = {.sql = SQL_VERSIONS,
                             .key = VERSION_RETAINED,
                             .each = rewrap_one,
                             .arg = &job};

    return ends_each(tx, &walk);
}

enum ag_err
wraps_rewrap_all(struct db_tx *tx, struct keyring *old_ring,
                 struct keyring *fresh)
{
    struct rewrap job = {.table = table_of(TABLE_WRAP),
                         .wrapped_at = WRAP_WRAPPED_AT,
                         .old_ring = old_ring,
                         .fresh = fresh};
    struct ends_walk walk = {
        .sql = SQL_WRAPS, .key = 1, .each = rewrap_one, .arg = &job};

    return ends_each(tx, &walk);
}
