#include "store/notices.h"

#include "store/row.h"
#include "store/shed.h"

enum {
    I_SECRET,
    I_ROTATION,
    I_CREATED,
    I_TOLD,
};

static const char SQL_WAITING[] =
    "SELECT " COLS(NOTICE_COLS) " FROM notice INDEXED BY notice_waiting"
                                " WHERE told_ms = 0 ORDER BY id LIMIT 1";
static const char SQL_OF[] = "SELECT " COLS(
    NOTICE_COLS) " FROM notice WHERE id >= ?2 AND rotation_id = ?1"
                 " ORDER BY id DESC LIMIT 1";
static const char SQL_TOLD[] =
    "SELECT id FROM notice WHERE told_ms > 0 AND id > ?1"
    " ORDER BY id DESC LIMIT ?3 OFFSET ?2";

void
notice_row_done(struct notice_row *row)
{
    text_free(AG_TAKE(row->input));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct notice_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    *ret = (struct notice_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .rotation_id = row->ints[I_ROTATION],
        .created_ms = row->ints[I_CREATED],
        .told_ms = row->ints[I_TOLD],
    };
    unpack_text(&u, ret->program, sizeof(ret->program));
    unpack_text(&u, ret->event, sizeof(ret->event));
    unpack_text(&u, ret->code, sizeof(ret->code));
    unpack_new(&u, &ret->input);
    if (unpack_end(&u) != AG_OK) {
        notice_row_done(ret);
    }
    return u.err;
}

enum ag_err
notices_waiting(struct db_read *r, struct notice_row *ret)
{
    const struct rows_walk walk = {.table = TABLE_NOTICE,
                                   .ask = {.sql = SQL_WAITING},
                                   .take = decode,
                                   .arg = ret};

    return rows_first(r, &walk);
}

enum ag_err
notices_of(struct db_read *r, int64_t rotation_id, int64_t from,
           struct notice_row *ret)
{
    const struct rows_walk walk = {
        .table = TABLE_NOTICE,
        .ask = {.sql = SQL_OF, .keys = {rotation_id, from}, .key_count = 2},
        .take = decode,
        .arg = ret};

    return rows_first(r, &walk);
}

enum ag_err
notices_next_id(struct db_read *r, int64_t *ret)
{
    const struct ask ask = {.sql = table_of(TABLE_NOTICE)->next};

    return query_number(db_conn(r), &ask, ret);
}

enum ag_err
notices_write(struct db_tx *tx, struct notice_row *notice)
{
    const struct shed shed = {TABLE_NOTICE, SQL_TOLD, NOTICE_TOLD_MAX_COUNT};
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};
    bool is_new = notice->id == 0;
    enum ag_err err = AG_OK;

    row_init(&row);
    if (is_new) {
        err = row_next_id(tx, table_of(TABLE_NOTICE), &notice->id);
        notice->created_ms = tx->now_ms;
    }
    if (err != AG_OK) {
        return err;
    }
    row.id = notice->id;
    row.ints[I_SECRET] = notice->secret_id;
    row.ints[I_ROTATION] = notice->rotation_id;
    row.ints[I_CREATED] = notice->created_ms;
    row.ints[I_TOLD] = notice->told_ms;
    pack_text(&p, notice->program, NAME_MAX_BYTES);
    pack_text(&p, notice->event, NOTICE_EVENT_BYTES - 1);
    pack_text(&p, notice->code, NOTICE_CODE_BYTES - 1);
    pack_json(&p, notice->input, NOTICE_INPUT_MAX_BYTES);
    err = p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_NOTICE), &row);
    return err == AG_OK && is_new ? shed_ended(tx, &shed, 0) : err;
}
