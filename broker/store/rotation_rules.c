#include "store/rotation_rules.h"

#include "store/row.h"

enum {
    I_SECRET,
    I_CREATED,
    I_CHANGED,
    I_NEXT,
    I_REACH,
    I_REMOVED,
};

static const char SQL_OF_SECRET[] =
    "SELECT " COLS(ROTATION_RULE_COLS) " FROM rotation_rule"
                                       " WHERE secret_id = ?"
                                       " AND removed_ms = 0";
static const char SQL_ALL[] =
    "SELECT " COLS(ROTATION_RULE_COLS) " FROM rotation_rule"
                                       " WHERE removed_ms = 0 ORDER BY id";
/* The two halves by one index; a rule that lies too far ahead is rare. */
static const char SQL_DUE[] =
    "SELECT secret_id FROM rotation_rule INDEXED BY rotation_rule_next"
    " WHERE removed_ms = 0 AND (next_ms <= ?1 OR next_ms - reach_ms > ?1)"
    " AND NOT EXISTS (SELECT 1 FROM rotation WHERE rotation.secret_id ="
    " rotation_rule.secret_id AND state <= 6)"
    " ORDER BY next_ms LIMIT ?2";

void
rotation_rule_row_done(struct rotation_rule_row *row)
{
    text_free(AG_TAKE(row->plan));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct rotation_rule_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    *ret = (struct rotation_rule_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .created_ms = row->ints[I_CREATED],
        .changed_ms = row->ints[I_CHANGED],
        .next_ms = row->ints[I_NEXT],
        .reach_ms = row->ints[I_REACH],
        .removed_ms = row->ints[I_REMOVED],
    };
    unpack_new(&u, &ret->plan);
    if (unpack_end(&u) != AG_OK) {
        rotation_rule_row_done(ret);
    }
    return u.err;
}

ROWS_TAKE(AG_AUTO(rotation_rule_row), rotation_rule_row, rotation_rules_each_fn)

enum ag_err
rotation_rules_each(struct db_read *r, rotation_rules_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_ROTATION_RULE,
                                   .ask = {.sql = SQL_ALL},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
rotation_rules_of(struct db_read *r, int64_t secret_id,
                  struct rotation_rule_row *ret)
{
    const struct rows_walk walk = {
        .table = TABLE_ROTATION_RULE,
        .ask = {.sql = SQL_OF_SECRET, .keys = {secret_id}, .key_count = 1},
        .take = decode,
        .arg = ret};

    return rows_first(r, &walk);
}

enum ag_err
rotation_rules_due(struct db_read *r, int64_t now_ms, int64_t *out, size_t cap,
                   size_t *ret_count)
{
    const struct ask ask = {
        .sql = SQL_DUE, .keys = {now_ms, (int64_t)cap}, .key_count = 2};

    return query_numbers(db_conn(r), &ask, out, cap, ret_count);
}

enum ag_err
rotation_rules_write(struct db_tx *tx, struct rotation_rule_row *rule)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};
    enum ag_err err = AG_OK;

    row_init(&row);
    if (rule->id == 0) {
        err = row_next_id(tx, table_of(TABLE_ROTATION_RULE), &rule->id);
        rule->created_ms = tx->now_ms;
    }
    if (err != AG_OK) {
        return err;
    }
    rule->changed_ms = tx->now_ms;
    row.id = rule->id;
    row.ints[I_SECRET] = rule->secret_id;
    row.ints[I_CREATED] = rule->created_ms;
    row.ints[I_CHANGED] = rule->changed_ms;
    row.ints[I_NEXT] = rule->next_ms;
    row.ints[I_REACH] = rule->reach_ms;
    row.ints[I_REMOVED] = rule->removed_ms;
    pack_json(&p, rule->plan, ROTATION_PLAN_MAX_BYTES);
    return p.err != AG_OK ? p.err
                          : row_write(tx, table_of(TABLE_ROTATION_RULE), &row);
}
