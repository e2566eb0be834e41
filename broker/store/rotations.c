#include "store/rotations.h"

#include "store/row.h"
#include "store/shed.h"

enum {
    I_SECRET,
    I_STATE,
    I_OLD,
    I_NEW,
    I_ATTEMPTS,
    I_CREATED,
    I_CHANGED,
    I_DUE,
};

static const char SQL_OPEN_OF[] =
    "SELECT " COLS(ROTATION_COLS) " FROM rotation"
                                  " WHERE secret_id = ? AND state <= 6";
static const char SQL_OPEN_COUNT[] =
    "SELECT count(*) FROM rotation WHERE state <= 6";
static const char SQL_DUE[] =
    "SELECT secret_id FROM rotation WHERE state <= 6"
    " AND (due_ms <= ?1 OR changed_ms > ?1) ORDER BY due_ms LIMIT ?2";
static const char SQL_EACH[] = "SELECT " COLS(
    ROTATION_COLS) " FROM rotation WHERE id > ?1 ORDER BY id DESC LIMIT ?2";
static const char SQL_EACH_OF[] =
    "SELECT " COLS(ROTATION_COLS) " FROM rotation INDEXED BY rotation_of"
                                  " WHERE secret_id = ?1"
                                  " ORDER BY id DESC LIMIT ?2";
static const char SQL_ENDED[] =
    "SELECT id FROM rotation INDEXED BY rotation_of WHERE secret_id = ?1"
    " AND state > 6 ORDER BY id DESC LIMIT ?3 OFFSET ?2";
static const char SQL_HOLD[] =
    "SELECT count(*) FROM rotation WHERE secret_id = ?1 AND state <= 6"
    " AND (old_version = ?2 OR new_version = ?2)";
/* Verbs: file, env, read. At grade proxy each request takes the current one. */
static const char SQL_READERS[] =
    "SELECT count(*) FROM lease INDEXED BY lease_live WHERE ended_ms = 0"
    " AND secret_id = ?1 AND version = ?2 AND verb IN (3, 4, 5)";

void
rotation_row_done(struct rotation_row *row)
{
    text_free(AG_TAKE(row->plan));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct rotation_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!rotation_state_known(row->ints[I_STATE])) {
        return err_why(AG_ECORRUPT, "table rotation, row %lld: unknown state",
                       (long long)row->id);
    }
    *ret = (struct rotation_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .state = (enum rotation_state)row->ints[I_STATE],
        .old_version = row->ints[I_OLD],
        .new_version = row->ints[I_NEW],
        .attempts = row->ints[I_ATTEMPTS],
        .created_ms = row->ints[I_CREATED],
        .changed_ms = row->ints[I_CHANGED],
        .due_ms = row->ints[I_DUE],
    };
    unpack_text(&u, ret->code, sizeof(ret->code));
    unpack_new(&u, &ret->plan);
    if (unpack_end(&u) != AG_OK) {
        rotation_row_done(ret);
    }
    return u.err;
}

enum ag_err
rotations_get(struct db_read *r, int64_t id, struct rotation_row *ret)
{
    return row_one(r, TABLE_ROTATION, id, decode, ret);
}

enum ag_err
rotations_open_of(struct db_read *r, int64_t secret_id,
                  struct rotation_row *ret)
{
    const struct rows_walk walk = {
        .table = TABLE_ROTATION,
        .ask = {.sql = SQL_OPEN_OF, .keys = {secret_id}, .key_count = 1},
        .take = decode,
        .arg = ret};

    return rows_first(r, &walk);
}

enum ag_err
rotations_open_count(struct db_read *r, uint64_t *ret)
{
    return query_count(db_conn(r), SQL_OPEN_COUNT, ret);
}

enum ag_err
rotations_due(struct db_read *r, int64_t now_ms, int64_t *out, size_t cap,
              size_t *ret_count)
{
    const struct ask ask = {
        .sql = SQL_DUE, .keys = {now_ms, (int64_t)cap}, .key_count = 2};

    return query_numbers(db_conn(r), &ask, out, cap, ret_count);
}

ROWS_TAKE(AG_AUTO(rotation_row), rotation_row, rotations_each_fn)

enum ag_err
rotations_each(struct db_read *r, int64_t secret_id, int64_t limit,
               rotations_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_ROTATION,
        .ask = {.sql = secret_id != 0 ? SQL_EACH_OF : SQL_EACH,
                .keys = {secret_id, limit},
                .key_count = 2},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}

/* A number that `sql` counts for a version. */
static enum ag_err
count_for(struct db_read *r, const char *sql, int64_t secret_id,
          int64_t version, int64_t *ret)
{
    const struct ask ask = {
        .sql = sql, .keys = {secret_id, version}, .key_count = 2};

    return query_number(db_conn(r), &ask, ret);
}

enum ag_err
rotations_hold(struct db_read *r, int64_t secret_id, int64_t version, bool *ret)
{
    int64_t count = 0;
    enum ag_err err = count_for(r, SQL_HOLD, secret_id, version, &count);

    if (err == AG_OK) {
        *ret = count > 0;
    }
    return err;
}

enum ag_err
rotations_readers(struct db_read *r, int64_t secret_id, int64_t version,
                  int64_t *ret_count)
{
    return count_for(r, SQL_READERS, secret_id, version, ret_count);
}

enum ag_err
rotations_write(struct db_tx *tx, struct rotation_row *rotation)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};
    const struct shed shed = {TABLE_ROTATION, SQL_ENDED,
                              ROTATION_ENDED_MAX_COUNT};
    bool is_new = rotation->id == 0;
    enum ag_err err = AG_OK;

    row_init(&row);
    if (is_new) {
        err = row_next_id(tx, table_of(TABLE_ROTATION), &rotation->id);
        rotation->state = ROTATION_PREPARING;
        rotation->created_ms = tx->now_ms;
    }
    if (err != AG_OK) {
        return err;
    }
    rotation->changed_ms = tx->now_ms;
    row.id = rotation->id;
    row.ints[I_SECRET] = rotation->secret_id;
    row.ints[I_STATE] = (int64_t)rotation->state;
    row.ints[I_OLD] = rotation->old_version;
    row.ints[I_NEW] = rotation->new_version;
    row.ints[I_ATTEMPTS] = rotation->attempts;
    row.ints[I_CREATED] = rotation->created_ms;
    row.ints[I_CHANGED] = rotation->changed_ms;
    row.ints[I_DUE] = rotation->due_ms;
    pack_text(&p, rotation->code, ROTATION_CODE_BYTES - 1);
    pack_json(&p, rotation->plan, ROTATION_PLAN_MAX_BYTES);
    err =
        p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_ROTATION), &row);
    return err == AG_OK && is_new ? shed_ended(tx, &shed, row.ints[I_SECRET])
                                  : err;
}
