#include "store/grants.h"

#include <string.h>

#include "store/ends.h"
#include "store/row.h"

enum {
    I_TASK,
    I_VERB,
    I_USES_MAX,
    I_USES_COUNT,
    I_CREATED,
    I_EXPIRES,
    I_ENDED,
};

static const char SQL_OF_TASK[] =
    "SELECT " COLS(GRANT_COLS) " FROM task_grant WHERE task_id = ? ORDER BY id";
static const char SQL_COUNT[] =
    "SELECT count(*) FROM task_grant WHERE task_id = ?";
static const char SQL_ALIVE[] =
    "SELECT id FROM task_grant WHERE task_id = ?1 AND id > ?2 AND ended_ms = 0"
    " ORDER BY id LIMIT ?3";

void
grant_row_done(struct grant_row *row)
{
    text_free(AG_TAKE(row->limits));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct grant_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!verb_known(row->ints[I_VERB])) {
        return err_why(AG_ECORRUPT, "table task_grant, row %lld: unknown word",
                       (long long)row->id);
    }
    memset(ret, 0, sizeof(*ret));
    ret->id = row->id;
    ret->task_id = row->ints[I_TASK];
    ret->verb = (enum verb)row->ints[I_VERB];
    ret->uses_max = row->ints[I_USES_MAX];
    ret->uses_count = row->ints[I_USES_COUNT];
    ret->created_ms = row->ints[I_CREATED];
    ret->expires_ms = row->ints[I_EXPIRES];
    ret->ended_ms = row->ints[I_ENDED];
    unpack_text(&u, ret->secret, sizeof(ret->secret));
    unpack_text(&u, ret->field, sizeof(ret->field));
    unpack_new(&u, &ret->limits);
    if (unpack_end(&u) != AG_OK) {
        grant_row_done(ret);
    }
    return u.err;
}

enum ag_err
grants_get(struct db_read *r, int64_t id, struct grant_row *ret)
{
    return row_one(r, TABLE_GRANT, id, decode, ret);
}

ROWS_TAKE(AG_AUTO(grant_row), grant_row, grants_each_fn)

enum ag_err
grants_of_task_each(struct db_read *r, int64_t task_id, grants_each_fn each,
                    void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_GRANT,
        .ask = {.sql = SQL_OF_TASK, .keys = {task_id}, .key_count = 1},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}

static enum ag_err
write_grant(struct db_tx *tx, const struct grant_row *grant)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};

    row_init(&row);
    row.id = grant->id;
    row.ints[I_TASK] = grant->task_id;
    row.ints[I_VERB] = (int64_t)grant->verb;
    row.ints[I_USES_MAX] = grant->uses_max;
    row.ints[I_USES_COUNT] = grant->uses_count;
    row.ints[I_CREATED] = grant->created_ms;
    row.ints[I_EXPIRES] = grant->expires_ms;
    row.ints[I_ENDED] = grant->ended_ms;
    pack_text(&p, grant->secret, NAME_MAX_BYTES);
    pack_text(&p, grant->field, REFERENCE_MAX_BYTES);
    pack_json(&p, grant->limits, GRANT_LIMITS_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_GRANT), &row);
}

static enum ag_err
check_count(struct db_tx *tx, int64_t task_id)
{
    const struct ask ask = {
        .sql = SQL_COUNT, .keys = {task_id}, .key_count = 1};
    int64_t count = 0;
    enum ag_err err = query_number(&tx->self.conn, &ask, &count);

    return err == AG_OK && count >= GRANTS_PER_TASK_MAX_COUNT
               ? err_why(AG_ELIMIT, "at most %d grants a task",
                         GRANTS_PER_TASK_MAX_COUNT)
               : err;
}

enum ag_err
grants_add(struct db_tx *tx, struct grant_row *grant)
{
    enum ag_err err = parse_name_pattern(span_str(grant->secret));

    if (err != AG_OK) {
        return err;
    }
    if (!verb_known((int64_t)grant->verb) || grant->verb == VERB_REVEAL ||
        grant->uses_max < 0) {
        return err_why(AG_EINVAL, "a grant's verb or limit is wrong");
    }
    err = check_count(tx, grant->task_id);
    if (err == AG_OK) {
        err = row_next_id(tx, table_of(TABLE_GRANT), &grant->id);
    }
    if (err != AG_OK) {
        return err;
    }
    grant->created_ms = tx->now_ms;
    grant->uses_count = 0;
    grant->ended_ms = 0;
    return write_grant(tx, grant);
}

enum ag_err
grants_update(struct db_tx *tx, struct grant_row *grant)
{
    AG_AUTO(grant_row) struct grant_row there = {0};
    enum ag_err err = grants_get(db_tx_read(tx), grant->id, &there);

    if (err != AG_OK) {
        return err;
    }
    there.uses_count = grant->uses_count;
    there.expires_ms = grant->expires_ms;
    there.ended_ms = grant->ended_ms;
    return write_grant(tx, &there);
}

static enum ag_err
end_one(struct db_tx *tx, int64_t id, void *arg)
{
    AG_AUTO(grant_row) struct grant_row grant = {0};
    enum ag_err err = grants_get(db_tx_read(tx), id, &grant);

    (void)arg;
    if (err != AG_OK) {
        return err;
    }
    grant.ended_ms = tx->now_ms;
    return write_grant(tx, &grant);
}

enum ag_err
grants_end_task(struct db_tx *tx, int64_t task_id)
{
    struct ends_walk walk = {.sql = SQL_ALIVE, .key = task_id, .each = end_one};

    return ends_each(tx, &walk);
}
