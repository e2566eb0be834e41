#include "store/minted.h"

#include "store/row.h"
#include "store/shed.h"

enum {
    I_SECRET,
    I_VERSION,
    I_TASK,
    I_STATE,
    I_ATTEMPTS,
    I_CREATED,
    I_CHANGED,
    I_EXPIRES,
    I_DUE,
};

static const char SQL_LIVE_OF[] =
    "SELECT " COLS(MINTED_COLS) " FROM minted INDEXED BY minted_of_task"
                                " WHERE task_id = ? AND secret_id = ?"
                                " AND state = 2 AND state <= 3"
                                " ORDER BY id DESC LIMIT 1";
static const char SQL_OPEN_OF_TASK[] =
    "SELECT id FROM minted INDEXED BY minted_of_task WHERE task_id = ?1"
    " AND state <= 3 AND id > ?2 ORDER BY id LIMIT ?3";
/* Or further ahead than a revoke is ever put off: the clock was wrong then. */
static const char SQL_DUE[] =
    "SELECT id FROM minted INDEXED BY minted_due WHERE state <= 3"
    " AND (due_ms <= ?1 OR (state = 3 AND due_ms - ?2 > ?1"
    " AND attempts > 0 AND due_ms <> expires_ms)) ORDER BY due_ms LIMIT ?3";
static const char SQL_NEXT[] =
    "SELECT min(due_ms) FROM minted INDEXED BY minted_due WHERE state <= 3"
    " AND due_ms > ?1";
static const char SQL_COUNT[] =
    "SELECT sum(state = 2), count(*), sum(state = 3),"
    " sum(state = 3 AND attempts > 0) FROM minted INDEXED BY minted_due"
    " WHERE state <= 3 AND (?1 = 0 OR secret_id = ?1)";
static const char SQL_OPEN_EACH[] =
    "SELECT " COLS(MINTED_COLS) " FROM minted INDEXED BY minted_due"
                                " WHERE state <= 3"
                                " AND (?1 = 0 OR secret_id = ?1)"
                                " ORDER BY id DESC LIMIT ?2";
static const char SQL_ENDED[] =
    "SELECT id FROM minted INDEXED BY minted_ended WHERE secret_id = ?1"
    " AND state > 3 ORDER BY id DESC LIMIT ?3 OFFSET ?2";

void
minted_row_done(struct minted_row *row)
{
    text_free(AG_TAKE(row->plan));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct minted_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!minted_state_known(row->ints[I_STATE])) {
        return err_why(AG_ECORRUPT, "table minted, row %lld: unknown state",
                       (long long)row->id);
    }
    *ret = (struct minted_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .version = row->ints[I_VERSION],
        .task_id = row->ints[I_TASK],
        .state = (enum minted_state)row->ints[I_STATE],
        .attempts = row->ints[I_ATTEMPTS],
        .created_ms = row->ints[I_CREATED],
        .changed_ms = row->ints[I_CHANGED],
        .expires_ms = row->ints[I_EXPIRES],
        .due_ms = row->ints[I_DUE],
    };
    unpack_text(&u, ret->handle, sizeof(ret->handle));
    unpack_text(&u, ret->code, sizeof(ret->code));
    unpack_new(&u, &ret->plan);
    if (unpack_end(&u) != AG_OK) {
        minted_row_done(ret);
    }
    return u.err;
}

enum ag_err
minted_get(struct db_read *r, int64_t id, struct minted_row *ret)
{
    return row_one(r, TABLE_MINTED, id, decode, ret);
}

enum ag_err
minted_live_of(struct db_read *r, int64_t task_id, int64_t secret_id,
               struct minted_row *ret)
{
    const struct rows_walk walk = {.table = TABLE_MINTED,
                                   .ask = {.sql = SQL_LIVE_OF,
                                           .keys = {task_id, secret_id},
                                           .key_count = 2},
                                   .take = decode,
                                   .arg = ret};

    return rows_first(r, &walk);
}

enum ag_err
minted_open_of_task(struct db_read *r, int64_t task_id, int64_t after,
                    int64_t *out, size_t cap, size_t *ret_count)
{
    const struct ask ask = {.sql = SQL_OPEN_OF_TASK,
                            .keys = {task_id, after, (int64_t)cap},
                            .key_count = 3};

    return query_numbers(db_conn(r), &ask, out, cap, ret_count);
}

/* When the first of those that are not due will be. */
static enum ag_err
next_due(struct db_read *r, int64_t now_ms, int64_t *ret)
{
    const struct ask ask = {.sql = SQL_NEXT, .keys = {now_ms}, .key_count = 1};
    int64_t next_ms = 0; /* of none: NULL, which reads as 0 */
    enum ag_err err = query_number(db_conn(r), &ask, &next_ms);

    if (err == AG_OK) {
        *ret = next_ms != 0 ? next_ms : INT64_MAX;
    }
    return err;
}

enum ag_err
minted_due(struct db_read *r, const struct minted_when *when, int64_t *out,
           size_t cap, size_t *ret_count, int64_t *ret_next_ms)
{
    const struct ask ask = {
        .sql = SQL_DUE,
        .keys = {when->now_ms, when->reach_ms, (int64_t)cap},
        .key_count = 3};
    enum ag_err err = query_numbers(db_conn(r), &ask, out, cap, ret_count);

    return err == AG_OK ? next_due(r, when->now_ms, ret_next_ms) : err;
}

enum ag_err
minted_count(struct db_read *r, int64_t secret_id, struct minted_counts *ret)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(db_conn(r), SQL_COUNT, &q);

    if (err == AG_OK) {
        query_int(&q, secret_id);
        err = query_row(&q);
    }
    if (err == AG_OK) {
        ret->live = (uint64_t)query_col_int(&q, 0);
        ret->open = (uint64_t)query_col_int(&q, 1);
        ret->revoking = (uint64_t)query_col_int(&q, 2);
        ret->failed = (uint64_t)query_col_int(&q, 3);
    }
    return err;
}

ROWS_TAKE(AG_AUTO(minted_row), minted_row, minted_each_fn)

enum ag_err
minted_open_each(struct db_read *r, int64_t secret_id, int64_t limit,
                 minted_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_MINTED,
                                   .ask = {.sql = SQL_OPEN_EACH,
                                           .keys = {secret_id, limit},
                                           .key_count = 2},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
minted_next_id(struct db_tx *tx, int64_t *ret)
{
    return row_next_id(tx, table_of(TABLE_MINTED), ret);
}

enum ag_err
minted_write(struct db_tx *tx, struct minted_row *minted)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};
    const struct shed shed = {TABLE_MINTED, SQL_ENDED, MINTED_ENDED_MAX_COUNT};
    bool is_new = minted->created_ms == 0;
    enum ag_err err;

    row_init(&row);
    if (is_new) {
        minted->created_ms = tx->now_ms;
    }
    minted->changed_ms = tx->now_ms;
    row.id = minted->id;
    row.ints[I_SECRET] = minted->secret_id;
    row.ints[I_VERSION] = minted->version;
    row.ints[I_TASK] = minted->task_id;
    row.ints[I_STATE] = (int64_t)minted->state;
    row.ints[I_ATTEMPTS] = minted->attempts;
    row.ints[I_CREATED] = minted->created_ms;
    row.ints[I_CHANGED] = minted->changed_ms;
    row.ints[I_EXPIRES] = minted->expires_ms;
    row.ints[I_DUE] = minted->due_ms;
    pack_text(&p, minted->handle, MINTED_HANDLE_BYTES - 1);
    pack_text(&p, minted->code, MINTED_CODE_BYTES - 1);
    pack_json(&p, minted->plan, MINTED_PLAN_MAX_BYTES);
    err = p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_MINTED), &row);
    return err == AG_OK && is_new ? shed_ended(tx, &shed, row.ints[I_SECRET])
                                  : err;
}
