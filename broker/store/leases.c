#include "store/leases.h"

#include <string.h>

#include "store/ends.h"
#include "store/row.h"

enum {
    I_TASK,
    I_TOKEN,
    I_SECRET,
    I_VERSION,
    I_VERB,
    I_CREATED,
    I_EXPIRES,
    I_ENDED,
    I_REASON,
};

static const char SQL_LIVE[] =
    "SELECT " COLS(LEASE_COLS) " FROM lease INDEXED BY lease_live"
                               " WHERE ended_ms = 0 ORDER BY id";
static const char SQL_OF_TASK[] =
    "SELECT " COLS(LEASE_COLS) " FROM lease WHERE task_id = ?"
                               " ORDER BY id DESC LIMIT ?";
static const char SQL_ALIVE_IDS[] =
    "SELECT id FROM lease INDEXED BY lease_live_task WHERE task_id = ?1"
    " AND id > ?2 AND ended_ms = 0 ORDER BY id LIMIT ?3";

void
lease_row_done(struct lease_row *row)
{
    text_free(AG_TAKE(row->detail));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct lease_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!verb_known(row->ints[I_VERB]) ||
        !end_reason_known(row->ints[I_REASON])) {
        return err_why(AG_ECORRUPT, "table lease, row %lld: unknown word",
                       (long long)row->id);
    }
    *ret = (struct lease_row){
        .id = row->id,
        .task_id = row->ints[I_TASK],
        .token_id = row->ints[I_TOKEN],
        .secret_id = row->ints[I_SECRET],
        .version = row->ints[I_VERSION],
        .verb = (enum verb)row->ints[I_VERB],
        .created_ms = row->ints[I_CREATED],
        .expires_ms = row->ints[I_EXPIRES],
        .ended_ms = row->ints[I_ENDED],
        .end_reason = (enum end_reason)row->ints[I_REASON],
    };
    unpack_new(&u, &ret->detail);
    if (unpack_end(&u) != AG_OK) {
        lease_row_done(ret);
    }
    return u.err;
}

enum ag_err
leases_get(struct db_read *r, int64_t id, struct lease_row *ret)
{
    return row_one(r, TABLE_LEASE, id, decode, ret);
}

ROWS_TAKE(AG_AUTO(lease_row), lease_row, leases_each_fn)

enum ag_err
leases_live_each(struct db_read *r, leases_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_LEASE,
                                   .ask = {.sql = SQL_LIVE},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
leases_of_task_each(struct db_read *r, int64_t task_id, uint32_t limit,
                    leases_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_LEASE,
        .ask = {.sql = SQL_OF_TASK, .keys = {task_id, limit}, .key_count = 2},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}

static enum ag_err
write_lease(struct db_tx *tx, const struct lease_row *lease)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};

    row_init(&row);
    row.id = lease->id;
    row.ints[I_TASK] = lease->task_id;
    row.ints[I_TOKEN] = lease->token_id;
    row.ints[I_SECRET] = lease->secret_id;
    row.ints[I_VERSION] = lease->version;
    row.ints[I_VERB] = (int64_t)lease->verb;
    row.ints[I_CREATED] = lease->created_ms;
    row.ints[I_EXPIRES] = lease->expires_ms;
    row.ints[I_ENDED] = lease->ended_ms;
    row.ints[I_REASON] = (int64_t)lease->end_reason;
    pack_json(&p, lease->detail, LEASE_DETAIL_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_LEASE), &row);
}

enum ag_err
leases_add(struct db_tx *tx, struct lease_row *lease)
{
    enum ag_err err;

    if (!verb_known((int64_t)lease->verb) || lease->expires_ms < tx->now_ms) {
        return err_why(AG_EINVAL, "a lease's verb or end is wrong");
    }
    err = row_next_id(tx, table_of(TABLE_LEASE), &lease->id);
    if (err != AG_OK) {
        return err;
    }
    lease->created_ms = tx->now_ms;
    lease->ended_ms = 0;
    lease->end_reason = END_NONE;
    return write_lease(tx, lease);
}

enum ag_err
leases_update(struct db_tx *tx, struct lease_row *lease)
{
    AG_AUTO(lease_row) struct lease_row there = {0};
    enum ag_err err = leases_get(db_tx_read(tx), lease->id, &there);

    if (err != AG_OK) {
        return err;
    }
    if (there.ended_ms != 0) {
        return err_why(AG_ECONFLICT, "the lease has ended");
    }
    there.version = lease->version;
    there.expires_ms = lease->expires_ms;
    return write_lease(tx, &there);
}

enum ag_err
leases_end(struct db_tx *tx, int64_t id, enum end_reason reason)
{
    AG_AUTO(lease_row) struct lease_row lease = {0};
    enum ag_err err = leases_get(db_tx_read(tx), id, &lease);

    if (err != AG_OK || lease.ended_ms != 0) {
        return err;
    }
    if (reason == END_NONE) {
        return err_why(AG_EINVAL, "an end needs a reason");
    }
    lease.ended_ms = tx->now_ms;
    lease.end_reason = reason;
    return write_lease(tx, &lease);
}

static enum ag_err
end_one(struct db_tx *tx, int64_t id, void *arg)
{
    (void)arg;
    return leases_end(tx, id, END_PARENT);
}

enum ag_err
leases_end_task(struct db_tx *tx, int64_t task_id)
{
    struct ends_walk found = {
        .sql = SQL_ALIVE_IDS, .key = task_id, .each = end_one};

    return ends_each(tx, &found);
}
