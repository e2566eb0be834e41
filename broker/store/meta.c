#include "store/meta.h"

#include <string.h>

#include "store/ends.h"
#include "store/meta_row.h"
#include "store/row.h"
#include "store/store_db.h"

enum {
    SLOT_KIND,
    SLOT_CREATED,
    SLOT_REMOVED,
};

static const char SQL_ALIVE[] =
    "SELECT id, kind, created_ms, blob FROM slot WHERE removed_ms = 0"
    " ORDER BY id";
static const char SQL_ALIVE_IDS[] =
    "SELECT id FROM slot WHERE removed_ms = ?1 AND id > ?2 ORDER BY id"
    " LIMIT ?3";
static const char SQL_NEXT[] = "SELECT coalesce(max(id), 0) + 1 FROM slot";
static const char SQL_OTHERS[] =
    "SELECT count(*) FROM slot WHERE removed_ms = 0 AND kind = 1 AND id <> ?";
static const char SQL_COUNT[] =
    "SELECT count(*) FROM slot WHERE removed_ms = 0";

/* A slot is read before there is a key to check its tag with. */
static enum ag_err
read_slot(struct query *q, struct slot_row *ret)
{
    struct span blob = query_col_blob(q, 3);

    if (blob.len > SLOT_BLOB_MAX_BYTES ||
        !slot_kind_known(query_col_int(q, 1))) {
        return err_why(AG_ECORRUPT, "table slot, row %lld is damaged",
                       (long long)query_col_int(q, 0));
    }
    memset(ret, 0, sizeof(*ret));
    ret->id = query_col_int(q, 0);
    ret->kind = (enum slot_kind)query_col_int(q, 1);
    ret->created_ms = query_col_int(q, 2);
    ret->blob_len = blob.len;
    if (blob.len > 0) {
        memcpy(ret->blob, blob.ptr, blob.len);
    }
    return AG_OK;
}

static enum ag_err
list_slots(struct db_read *r, struct slot_row *ret, size_t *ret_count)
{
    AG_AUTO(query) struct query q = {0};
    size_t count = 0;
    enum ag_err err = query_start(db_conn(r), SQL_ALIVE, &q);

    while (err == AG_OK) {
        err = query_row(&q);
        if (err == AG_OK && count == SLOTS_MAX_COUNT) {
            err = err_why(AG_ECORRUPT, "more than %d slots", SLOTS_MAX_COUNT);
        }
        if (err == AG_OK) {
            err = read_slot(&q, &ret[count]);
            count++;
        }
    }
    if (err != AG_ENOTFOUND) {
        return err;
    }
    *ret_count = count;
    return AG_OK;
}

enum ag_err
slots_list(struct store *s, struct slot_row ret[SLOTS_MAX_COUNT],
           size_t *ret_count)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = db_read_open(store_db(s), true, &r);

    return err != AG_OK ? err : list_slots(r, ret, ret_count);
}

static enum ag_err
count_of(struct db_read *r, const char *sql, int64_t id, int64_t *ret)
{
    const struct ask ask = {
        .sql = sql, .keys = {id}, .key_count = id != 0 ? 1 : 0};

    return query_number(db_conn(r), &ask, ret);
}

enum ag_err
slots_next_id(struct store *s, int64_t *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = db_read_open(store_db(s), true, &r);

    return err != AG_OK ? err : count_of(r, SQL_NEXT, 0, ret);
}

static enum ag_err
write_slot(struct db_tx *tx, const struct slot_row *slot, int64_t removed_ms)
{
    AG_AUTO(row) struct row row;

    row_init(&row);
    row.id = slot->id;
    row.ints[SLOT_KIND] = (int64_t)slot->kind;
    row.ints[SLOT_CREATED] = slot->created_ms;
    row.ints[SLOT_REMOVED] = removed_ms;
    row.blobs[0] = span_of(slot->blob, removed_ms == 0 ? slot->blob_len : 0);
    return row_write(tx, table_of(TABLE_SLOT), &row);
}

enum ag_err
slots_add(struct db_tx *tx, struct slot_row *slot)
{
    struct db_read *r = db_tx_read(tx);
    int64_t next = 0;
    int64_t count = 0;
    enum ag_err err = count_of(r, SQL_NEXT, 0, &next);

    if (err == AG_OK) {
        err = count_of(r, SQL_COUNT, 0, &count);
    }
    if (err != AG_OK) {
        return err;
    }
    if (slot->blob_len == 0 || slot->blob_len > SLOT_BLOB_MAX_BYTES ||
        !slot_kind_known((int64_t)slot->kind)) {
        return err_why(AG_EINVAL, "not a slot");
    }
    if (count >= SLOTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "at most %d unlock slots", SLOTS_MAX_COUNT);
    }
    if (slot->id != next) {
        return err_why(AG_ECONFLICT, "another slot was added meanwhile");
    }
    slot->created_ms = db_tx_now_ms(tx);
    return write_slot(tx, slot, 0);
}

/* A living slot of the vault, verified. */
static enum ag_err
get_slot(struct db_tx *tx, int64_t id, struct slot_row *ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_get(db_tx_read(tx), table_of(TABLE_SLOT), id, &q, &row);
    if (err != AG_OK) {
        return err;
    }
    if (row.ints[SLOT_REMOVED] != 0) {
        return AG_ENOTFOUND;
    }
    *ret = (struct slot_row){.id = id,
                             .kind = (enum slot_kind)row.ints[SLOT_KIND],
                             .created_ms = row.ints[SLOT_CREATED]};
    return AG_OK;
}

enum ag_err
slots_remove(struct db_tx *tx, int64_t id)
{
    struct slot_row slot;
    int64_t others = 0;
    enum ag_err err = get_slot(tx, id, &slot);

    if (err == AG_OK) {
        err = count_of(db_tx_read(tx), SQL_OTHERS, id, &others);
    }
    if (err != AG_OK) {
        return err;
    }
    if (slot.kind == SLOT_PASSPHRASE && others == 0) {
        return err_why(AG_ECONFLICT, "slot %lld is the last passphrase",
                       (long long)id);
    }
    return write_slot(tx, &slot, db_tx_now_ms(tx));
}

enum ag_err
slots_replace(struct db_tx *tx, struct slot_row *slot)
{
    struct slot_row old;
    enum ag_err err = get_slot(tx, slot->id, &old);

    if (err != AG_OK) {
        return err;
    }
    if (slot->blob_len == 0 || slot->blob_len > SLOT_BLOB_MAX_BYTES) {
        return err_why(AG_EINVAL, "not a slot");
    }
    slot->kind = old.kind;
    slot->created_ms = old.created_ms;
    return write_slot(tx, slot, 0);
}

static enum ag_err
remove_one(struct db_tx *tx, int64_t id, void *arg)
{
    struct slot_row slot;
    enum ag_err err = get_slot(tx, id, &slot);

    (void)arg;
    return err != AG_OK ? err : write_slot(tx, &slot, db_tx_now_ms(tx));
}

enum ag_err
slots_replace_all(struct db_tx *tx, struct slot_row *slots, size_t slot_count)
{
    struct ends_walk all = {.sql = SQL_ALIVE_IDS, .each = remove_one};
    size_t i;
    enum ag_err err = ends_each(tx, &all);

    for (i = 0; i < slot_count && err == AG_OK; i++) {
        err = slots_add(tx, &slots[i]);
    }
    return err;
}
