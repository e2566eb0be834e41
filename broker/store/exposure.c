#include "store/exposure.h"

#include "store/row.h"

enum {
    I_SECRET,
    I_VERSION,
    I_TASK,
    I_VERB,
    I_FIRST,
    I_LAST,
    I_TIMES,
};

static const char SQL_SEEN[] = "SELECT " COLS(
    EXPOSURE_COLS) " FROM exposure WHERE secret_id = ?"
                   " AND version = ? AND coalesce(task_id, 0) = ?"
                   " AND verb = ?";
static const char SQL_OF_SECRET[] =
    "SELECT " COLS(EXPOSURE_COLS) " FROM exposure WHERE secret_id = ?"
                                  " ORDER BY id DESC LIMIT ?";
static const char SQL_OF_TASK[] =
    "SELECT " COLS(EXPOSURE_COLS) " FROM exposure WHERE task_id = ?"
                                  " ORDER BY id DESC LIMIT ?";

static enum ag_err
decode(const struct row *row, void *to)
{
    struct exposure_row *ret = to;

    if (!verb_known(row->ints[I_VERB])) {
        return err_why(AG_ECORRUPT, "table exposure, row %lld: unknown word",
                       (long long)row->id);
    }
    *ret = (struct exposure_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .version = row->ints[I_VERSION],
        .task_id = row->ints[I_TASK],
        .verb = (enum verb)row->ints[I_VERB],
        .first_ms = row->ints[I_FIRST],
        .last_ms = row->ints[I_LAST],
        .times_count = row->ints[I_TIMES],
    };
    return AG_OK;
}

/* The row there is for this (secret, version, task, verb). */
static enum ag_err
find(struct db_read *r, const struct exposure_row *seen,
     struct exposure_row *ret)
{
    const struct rows_walk walk = {
        .table = TABLE_EXPOSURE,
        .ask = {.sql = SQL_SEEN,
                .keys = {seen->secret_id, seen->version, seen->task_id,
                         (int64_t)seen->verb},
                .key_count = 4},
        .take = decode,
        .arg = ret};

    return rows_first(r, &walk);
}

enum ag_err
exposure_note(struct db_tx *tx, const struct exposure_row *seen, bool *ret_new)
{
    AG_AUTO(row) struct row row;
    struct exposure_row there = *seen;
    enum ag_err err;
    bool is_new = false;

    row_init(&row);
    if (!verb_known((int64_t)seen->verb)) {
        return err_why(AG_EINVAL, "an exposure's verb is wrong");
    }
    err = find(db_tx_read(tx), seen, &there);
    if (err == AG_ENOTFOUND) {
        is_new = true;
        there.first_ms = tx->now_ms;
        there.times_count = 0;
        err = row_next_id(tx, table_of(TABLE_EXPOSURE), &there.id);
    }
    if (err != AG_OK) {
        return err;
    }
    row.id = there.id;
    row.ints[I_SECRET] = there.secret_id;
    row.ints[I_VERSION] = there.version;
    row.ints[I_TASK] = there.task_id;
    row.ints[I_VERB] = (int64_t)there.verb;
    row.ints[I_FIRST] = there.first_ms;
    /* The clock may have been set back since. */
    row.ints[I_LAST] =
        tx->now_ms > there.first_ms ? tx->now_ms : there.first_ms;
    row.ints[I_TIMES] = there.times_count + 1;
    err = row_write(tx, table_of(TABLE_EXPOSURE), &row);
    if (err == AG_OK && ret_new != NULL) {
        *ret_new = is_new;
    }
    return err;
}

ROWS_TAKE(, exposure_row, exposure_each_fn)

enum ag_err
exposure_of_secret_each(struct db_read *r, int64_t secret_id, uint32_t limit,
                        exposure_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_EXPOSURE,
                                   .ask = {.sql = SQL_OF_SECRET,
                                           .keys = {secret_id, limit},
                                           .key_count = 2},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
exposure_of_task_each(struct db_read *r, int64_t task_id, uint32_t limit,
                      exposure_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_EXPOSURE,
        .ask = {.sql = SQL_OF_TASK, .keys = {task_id, limit}, .key_count = 2},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}
