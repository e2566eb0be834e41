#include "store/versions.h"

#include <string.h>

#include "base/secret.h"
#include "store/makers.h"
#include "store/row.h"
#include "store/secrets_row.h"
#include "store/value.h"

enum {
    I_SECRET,
    I_NUMBER,
    I_STATE,
    I_CREATED,
    I_CHANGED,
    I_BYTES,
    B_WRAPPED = 0,
    B_VALUE,
};

enum {
    /* Of one secret: kept ones are few, a secret rotated hourly for years is
     * not; the walks that change rows take them in pieces. */
    PIECE_COUNT = 64,
};

static const char SQL_NUMBER[] =
    "SELECT " COLS(VERSION_COLS) " FROM version"
                                 " WHERE secret_id = ? AND number = ?";
static const char SQL_CURRENT[] =
    "SELECT " COLS(VERSION_COLS) " FROM version"
                                 " WHERE secret_id = ? AND state = 2";
static const char SQL_OF_SECRET[] =
    "SELECT " COLS(VERSION_COLS) " FROM version"
                                 " WHERE secret_id = ? ORDER BY number DESC";
/* Ids first, so that no walk is open while rows change. */
static const char SQL_RETAINED[] =
    "SELECT number FROM version WHERE secret_id = ?1 AND state = 3"
    " AND number <> ?2 AND number NOT IN (SELECT old_version FROM rotation"
    " WHERE secret_id = ?1 AND state <= 6 UNION SELECT new_version FROM"
    " rotation WHERE secret_id = ?1 AND state <= 6)"
    " ORDER BY number DESC LIMIT -1 OFFSET ?3";
static const char SQL_LIVE[] =
    "SELECT number FROM version WHERE secret_id = ? AND state <= 3"
    " ORDER BY number";

static struct seal_at
place_of(const struct row *row, const char *column)
{
    return (struct seal_at){.table = "version",
                            .column = column,
                            .row = row->id,
                            .version = row->ints[I_NUMBER]};
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct version_row *ret = to;

    if (!version_state_known(row->ints[I_STATE])) {
        return err_why(AG_ECORRUPT, "table version, row %lld: unknown state",
                       (long long)row->id);
    }
    *ret = (struct version_row){
        .id = row->id,
        .secret_id = row->ints[I_SECRET],
        .number = row->ints[I_NUMBER],
        .state = (enum version_state)row->ints[I_STATE],
        .created_ms = row->ints[I_CREATED],
        .changed_ms = row->ints[I_CHANGED],
        .value_bytes = row->ints[I_BYTES],
    };
    return AG_OK;
}

/* The row with its query, which holds the blobs. */
static enum ag_err
find(struct db_read *r, int64_t secret_id, int64_t number, struct query *q,
     struct row *ret)
{
    enum ag_err err =
        query_start(db_conn(r), number == 0 ? SQL_CURRENT : SQL_NUMBER, q);

    if (err != AG_OK) {
        return err;
    }
    query_int(q, secret_id);
    if (number != 0) {
        query_int(q, number);
    }
    err = query_row(q);
    return err != AG_OK ? err : row_read(r, table_of(TABLE_VERSION), q, ret);
}

enum ag_err
versions_get(struct db_read *r, int64_t secret_id, int64_t number,
             struct version_row *ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = find(r, secret_id, number, &q, &row);
    return err != AG_OK ? err : decode(&row, ret);
}

enum ag_err
versions_by_id(struct db_read *r, int64_t id, struct version_row *ret)
{
    return row_one(r, TABLE_VERSION, id, decode, ret);
}

enum ag_err
versions_value(struct db_read *r, int64_t secret_id, int64_t number,
               struct version_row *ret_row, struct secret **ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    struct version_row version;
    enum ag_err err;

    row_init(&row);
    err = find(r, secret_id, number, &q, &row);
    if (err == AG_OK) {
        err = decode(&row, &version);
    }
    if (err != AG_OK) {
        return err;
    }
    if (version.state == VERSION_DESTROYED ||
        version.state == VERSION_RELEASED) {
        return err_why(AG_ENOTFOUND, "version %lld is %s",
                       (long long)version.number,
                       version_state_text(version.state));
    }
    err = value_open(r, place_of(&row, ""), row.blobs[B_WRAPPED],
                     row.blobs[B_VALUE], ret);
    if (err == AG_OK && ret_row != NULL) {
        *ret_row = version;
    }
    return err;
}

ROWS_TAKE(, version_row, versions_each_fn)

enum ag_err
versions_each(struct db_read *r, int64_t secret_id, versions_each_fn each,
              void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_VERSION,
        .ask = {.sql = SQL_OF_SECRET, .keys = {secret_id}, .key_count = 1},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}

/* ---- changes ------------------------------------------------------------- */

/* Writes a state; destroyed and released ones lose key and value. */
static enum ag_err
set_state(struct db_tx *tx, int64_t secret_id, int64_t number,
          enum version_state state)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = find(db_tx_read(tx), secret_id, number, &q, &row);
    if (err != AG_OK) {
        return err;
    }
    row.ints[I_STATE] = (int64_t)state;
    row.ints[I_CHANGED] = tx->now_ms;
    if (state == VERSION_DESTROYED || state == VERSION_RELEASED) {
        row.ints[I_BYTES] = 0;
        row.blobs[B_WRAPPED] = span_of(NULL, 0);
        row.blobs[B_VALUE] = span_of(NULL, 0);
        tx->wiped = true;
        err = buf_add_u64le(&tx->gone, (uint64_t)row.id);
    }
    return err == AG_OK ? row_write(tx, table_of(TABLE_VERSION), &row) : err;
}

/* What destroy_found() leaves: nothing, or the newest, and one more whatever its
 * age. */
struct keep {
    bool none; /* all go */
    int64_t count;
    int64_t spare;
};

/* Destroys what `sql` finds, piece by piece, until it finds nothing. */
static enum ag_err
destroy_found(struct db_tx *tx, const char *sql, int64_t secret_id,
              const struct keep *keep)
{
    const struct ask ask = {.sql = sql,
                            .keys = {secret_id, keep->spare, keep->count},
                            .key_count = keep->none ? 1 : 3};
    int64_t numbers[PIECE_COUNT];
    size_t count = PIECE_COUNT;
    enum ag_err err = AG_OK;
    size_t i;

    while (err == AG_OK && count == PIECE_COUNT) {
        err = query_numbers(&tx->self.conn, &ask, numbers, PIECE_COUNT, &count);
        for (i = 0; i < count && err == AG_OK; i++) {
            err = set_state(tx, secret_id, numbers[i], VERSION_DESTROYED);
        }
    }
    return err;
}

enum ag_err
versions_destroy_all(struct db_tx *tx, int64_t secret_id)
{
    const struct keep none = {.none = true};

    return destroy_found(tx, SQL_LIVE, secret_id, &none);
}

static enum ag_err
destroy_beyond(struct db_tx *tx, const struct secret_row *secret, int64_t spare)
{
    const struct keep keep = {.count = secret->retain_count, .spare = spare};

    return destroy_found(tx, SQL_RETAINED, secret->id, &keep);
}

static enum ag_err
get_alive(struct db_tx *tx, int64_t secret_id, struct secret_row *ret)
{
    enum ag_err err = secrets_get(db_tx_read(tx), secret_id, ret);

    return err == AG_OK && ret->removed_ms != 0 ? AG_ENOTFOUND : err;
}

/* Makes `number` the current version of the secret: the former one and those
 * beyond the retention step back first (one current at a time is a constraint
 * of the schema). */
static enum ag_err
make_current(struct db_tx *tx, struct secret_row *secret, int64_t number,
             int64_t spare)
{
    enum ag_err err = AG_OK;

    if (secret->current_version != 0) {
        err = set_state(tx, secret->id, secret->current_version,
                        VERSION_RETAINED);
    }
    if (err == AG_OK && number != 0) {
        err = set_state(tx, secret->id, number, VERSION_CURRENT);
    }
    return err == AG_OK ? destroy_beyond(tx, secret, spare) : err;
}

static enum ag_err
insert(struct db_tx *tx, const struct version_new *add,
       struct version_row *version)
{
    AG_AUTO(row) struct row row;
    AG_AUTO(buf) struct buf wrapped;
    AG_AUTO(buf) struct buf value;
    enum ag_err err;

    row_init(&row);
    buf_init(&wrapped, VALUE_WRAPPED_MAX_BYTES, BUF_PLAIN);
    buf_init(&value, VALUE_SEALED_MAX_BYTES, BUF_PLAIN);
    err = row_next_id(tx, table_of(TABLE_VERSION), &row.id);
    row.ints[I_SECRET] = add->secret_id;
    row.ints[I_NUMBER] = version->number;
    row.ints[I_STATE] = (int64_t)version->state;
    row.ints[I_CREATED] = tx->now_ms;
    row.ints[I_CHANGED] = tx->now_ms;
    row.ints[I_BYTES] = (int64_t)secret_len(add->value);
    if (err == AG_OK) {
        err = value_seal(db_tx_read(tx), place_of(&row, ""), add->value,
                         &wrapped, &value);
    }
    if (err != AG_OK) {
        return err;
    }
    row.blobs[B_WRAPPED] = buf_view(&wrapped);
    row.blobs[B_VALUE] = buf_view(&value);
    err = row_write(tx, table_of(TABLE_VERSION), &row);
    if (err == AG_OK) {
        err = makers_note(tx, row.id, add->maker, add->task_id);
    }
    return err != AG_OK ? err : decode(&row, version);
}

enum ag_err
versions_add(struct db_tx *tx, const struct version_new *add,
             struct version_row *ret)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    struct version_row version = {.state = add->state};
    enum ag_err err = get_alive(tx, add->secret_id, &secret);

    if (err != AG_OK) {
        return err;
    }
    if (add->state != VERSION_CURRENT && add->state != VERSION_PENDING &&
        add->state != VERSION_RETAINED) {
        return err_why(AG_EINVAL,
                       "a new version is current, pending or retained");
    }
    if (add->if_version >= 0 && add->if_version != secret.current_version) {
        return err_why(AG_ECONFLICT, "%s is at version %lld, not %lld",
                       secret.name, (long long)secret.current_version,
                       (long long)add->if_version);
    }
    if (add->maker == MAKER_UNKNOWN) {
        return err_why(AG_EINVAL, "a new version has a maker");
    }
    version.number = secret.last_version + 1;
    if (add->state == VERSION_CURRENT) {
        err = make_current(tx, &secret, 0, add->spare);
        secret.current_version = version.number;
        secret.changed_ms = tx->now_ms;
    }
    if (err == AG_OK) {
        err = insert(tx, add, &version);
    }
    if (err == AG_OK && add->state == VERSION_RETAINED) {
        err = destroy_beyond(tx, &secret, add->spare);
    }
    secret.last_version = version.number;
    if (err == AG_OK) {
        err = secret_row_write(tx, &secret);
    }
    if (err == AG_OK) {
        *ret = version;
    }
    return err;
}

/* A version in state `from` becomes the current one. */
static enum ag_err
step_current(struct db_tx *tx, int64_t secret_id, int64_t number,
             enum version_state from)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    struct version_row version;
    enum ag_err err = get_alive(tx, secret_id, &secret);

    if (err == AG_OK) {
        err = number < 1
                  ? AG_ENOTFOUND
                  : versions_get(db_tx_read(tx), secret_id, number, &version);
    }
    if (err != AG_OK) {
        return err;
    }
    if (version.state != from) {
        return err_why(AG_ECONFLICT, "version %lld of %s is %s, not %s",
                       (long long)number, secret.name,
                       version_state_text(version.state),
                       version_state_text(from));
    }
    err = make_current(tx, &secret, number, 0);
    secret.current_version = number;
    secret.changed_ms = tx->now_ms;
    return err != AG_OK ? err : secret_row_write(tx, &secret);
}

enum ag_err
versions_promote(struct db_tx *tx, int64_t secret_id, int64_t number)
{
    return step_current(tx, secret_id, number, VERSION_PENDING);
}

enum ag_err
versions_rollback(struct db_tx *tx, int64_t secret_id, int64_t number)
{
    return step_current(tx, secret_id, number, VERSION_RETAINED);
}

enum ag_err
versions_destroy(struct db_tx *tx, int64_t secret_id, int64_t number)
{
    struct version_row version;
    enum ag_err err =
        number < 1 ? AG_ENOTFOUND
                   : versions_get(db_tx_read(tx), secret_id, number, &version);

    if (err != AG_OK) {
        return err;
    }
    switch (version.state) {
    case VERSION_PENDING:
    case VERSION_RETAINED:
        return set_state(tx, secret_id, number, VERSION_DESTROYED);
    case VERSION_CURRENT:
        return err_why(AG_ECONFLICT, "version %lld is the current one",
                       (long long)number);
    case VERSION_DESTROYED:
    case VERSION_RELEASED:
        break;
    }
    return AG_OK;
}

enum ag_err
versions_release(struct db_tx *tx, int64_t secret_id, int64_t number)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err = get_alive(tx, secret_id, &secret);

    if (err != AG_OK) {
        return err;
    }
    if (number < 1 || secret.current_version != number) {
        return err_why(AG_ECONFLICT,
                       "version %lld of %s is not the current one",
                       (long long)number, secret.name);
    }
    err = set_state(tx, secret_id, number, VERSION_RELEASED);
    if (err == AG_OK) {
        err = versions_destroy_all(tx, secret_id);
    }
    secret.current_version = 0;
    secret.changed_ms = tx->now_ms;
    return err != AG_OK ? err : secret_row_write(tx, &secret);
}
