#include "store/incidents.h"

#include "store/row.h"
#include "store/shed.h"

enum {
    I_SECRET,
    I_VERSION,
    I_TASK,
    I_SOURCE,
    I_ANSWER,
    I_SEEN,
    I_CREATED,
    I_CHANGED,
    I_CLOSED,
};

static const char SQL_OF_VERSION[] =
    "SELECT " COLS(INCIDENT_COLS) " FROM incident"
                                  " WHERE secret_id = ? AND version = ?"
                                  " AND closed_ms = 0";
static const char SQL_OF_TASK[] =
    "SELECT " COLS(INCIDENT_COLS) " FROM incident"
                                  " WHERE task_id = ? AND secret_id IS NULL"
                                  " AND closed_ms = 0";
static const char SQL_EACH[] =
    "SELECT " COLS(INCIDENT_COLS) " FROM incident"
                                  " WHERE ?1 = 0 OR closed_ms = 0"
                                  " ORDER BY id DESC LIMIT ?2";
static const char SQL_ANSWERED[] =
    "SELECT id, coalesce(secret_id, 0), version FROM incident"
    " WHERE closed_ms = 0 AND answer = ?1 ORDER BY id LIMIT ?2";
static const char SQL_CLOSED[] =
    "SELECT id FROM incident WHERE closed_ms > 0 AND id > ?1"
    " ORDER BY id DESC LIMIT ?3 OFFSET ?2";
static const char SQL_OPEN_COUNT[] =
    "SELECT count(*) FROM incident WHERE closed_ms = 0";

void
incident_row_done(struct incident_row *row)
{
    text_free(AG_TAKE(row->detail));
}

const char *
incident_source_text(enum incident_source source)
{
    switch (source) {
    case INCIDENT_OUTPUT:
        return "output";
    case INCIDENT_TRIPWIRE:
        return "tripwire";
    case INCIDENT_SAID:
        return "said";
    case INCIDENT_REPORT:
        return "report";
    }
    return "unknown";
}

const char *
incident_answer_text(enum incident_answer answer)
{
    switch (answer) {
    case ANSWER_RECORD:
        return "record";
    case ANSWER_HOLD:
        return "hold";
    case ANSWER_ROTATE:
        return "rotate";
    case ANSWER_DONE:
        return "done";
    case ANSWER_FAILED:
        return "failed";
    }
    return "unknown";
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct incident_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};
    int64_t source = row->ints[I_SOURCE];
    int64_t answer = row->ints[I_ANSWER];

    if (source < INCIDENT_OUTPUT || source > INCIDENT_REPORT ||
        answer < ANSWER_RECORD || answer > ANSWER_FAILED) {
        return err_why(AG_ECORRUPT, "table incident, row %lld: unknown word",
                       (long long)row->id);
    }
    *ret = (struct incident_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .version = row->ints[I_VERSION],
        .task_id = row->ints[I_TASK],
        .source = (enum incident_source)source,
        .answer = (enum incident_answer)answer,
        .seen_count = row->ints[I_SEEN],
        .created_ms = row->ints[I_CREATED],
        .changed_ms = row->ints[I_CHANGED],
        .closed_ms = row->ints[I_CLOSED],
    };
    unpack_new(&u, &ret->detail);
    if (unpack_end(&u) != AG_OK) {
        incident_row_done(ret);
    }
    return u.err;
}

enum ag_err
incidents_get(struct db_read *r, int64_t id, struct incident_row *ret)
{
    return row_one(r, TABLE_INCIDENT, id, decode, ret);
}

enum ag_err
incidents_open_of(struct db_read *r, const struct incident_row *of,
                  struct incident_row *ret)
{
    const struct ask of_task = {
        .sql = SQL_OF_TASK, .keys = {of->task_id}, .key_count = 1};
    const struct ask of_version = {.sql = SQL_OF_VERSION,
                                   .keys = {of->secret_id, of->version},
                                   .key_count = 2};
    const struct rows_walk walk = {.table = TABLE_INCIDENT,
                                   .ask = of->secret_id == 0 ? of_task
                                                             : of_version,
                                   .take = decode,
                                   .arg = ret};

    return rows_first(r, &walk);
}

ROWS_TAKE(AG_AUTO(incident_row), incident_row, incidents_each_fn)

enum ag_err
incidents_each(struct db_read *r, bool open_only, int64_t limit,
               incidents_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_INCIDENT,
                                   .ask = {.sql = SQL_EACH,
                                           .keys = {open_only ? 1 : 0, limit},
                                           .key_count = 2},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
incidents_answered(struct db_read *r, enum incident_answer answer,
                   struct incident_key *out, size_t cap, size_t *ret_count)
{
    const struct ask ask = {.sql = SQL_ANSWERED,
                            .keys = {(int64_t)answer, (int64_t)cap},
                            .key_count = 2};
    AG_AUTO(query) struct query q = {0};
    size_t count = 0;
    enum ag_err err = query_ask(db_conn(r), &ask, &q);

    while (err == AG_OK && count < cap) {
        err = query_row(&q);
        if (err == AG_OK) {
            out[count++] = (struct incident_key){query_col_int(&q, 0),
                                                 query_col_int(&q, 1),
                                                 query_col_int(&q, 2)};
        }
    }
    *ret_count = count;
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
incidents_open_count(struct db_read *r, uint64_t *ret)
{
    return query_count(db_conn(r), SQL_OPEN_COUNT, ret);
}

enum ag_err
incidents_write(struct db_tx *tx, struct incident_row *incident)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};
    const struct shed shed = {TABLE_INCIDENT, SQL_CLOSED,
                              INCIDENT_CLOSED_MAX_COUNT};
    bool is_new = incident->id == 0;
    enum ag_err err = AG_OK;

    row_init(&row);
    if (is_new) {
        err = row_next_id(tx, table_of(TABLE_INCIDENT), &incident->id);
        incident->created_ms = tx->now_ms;
    }
    if (err != AG_OK) {
        return err;
    }
    incident->changed_ms = tx->now_ms;
    row.id = incident->id;
    row.ints[I_SECRET] = incident->secret_id;
    row.ints[I_VERSION] = incident->version;
    row.ints[I_TASK] = incident->task_id;
    row.ints[I_SOURCE] = (int64_t)incident->source;
    row.ints[I_ANSWER] = (int64_t)incident->answer;
    row.ints[I_SEEN] = incident->seen_count;
    row.ints[I_CREATED] = incident->created_ms;
    row.ints[I_CHANGED] = incident->changed_ms;
    row.ints[I_CLOSED] = incident->closed_ms;
    pack_json(&p, incident->detail, INCIDENT_DETAIL_MAX_BYTES);
    err =
        p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_INCIDENT), &row);
    return err == AG_OK && is_new ? shed_ended(tx, &shed, 0) : err;
}
