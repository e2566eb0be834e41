#include "store/secrets.h"

#include <string.h>

#include "store/name_hash.h"
#include "store/row.h"
#include "store/secrets_row.h"

enum {
    I_KIND,
    I_GRADE,
    I_RETAIN,
    I_CURRENT,
    I_LAST,
    I_CREATED,
    I_CHANGED,
    I_REMOVED,
};

static const char SQL_BY_NAME[] =
    "SELECT " COLS(SECRET_COLS) " FROM secret"
                                " WHERE name_hash = ? AND removed_ms = 0";
static const char SQL_ALIVE[] =
    "SELECT " COLS(SECRET_COLS) " FROM secret"
                                " WHERE removed_ms = 0 ORDER BY id";
static const char SQL_LOGINS[] = "SELECT " COLS(
    SECRET_COLS) " FROM secret INDEXED BY secret_there"
                 " WHERE kind = 3 AND removed_ms = 0 AND current_version > 0"
                 " ORDER BY id";
static const char SQL_COUNT[] =
    "SELECT count(*) FROM secret INDEXED BY secret_there"
    " WHERE removed_ms = 0 AND current_version > 0";

void
secret_row_done(struct secret_row *row)
{
    text_free(AG_TAKE(row->detail));
}

/* The engine's row into ours; *ret must be fresh. */
static enum ag_err
decode(const struct row *row, void *to)
{
    struct secret_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!secret_kind_known(row->ints[I_KIND]) ||
        !grade_known(row->ints[I_GRADE])) {
        return err_why(AG_ECORRUPT, "table secret, row %lld: unknown word",
                       (long long)row->id);
    }
    memset(ret, 0, sizeof(*ret));
    ret->id = row->id;
    ret->kind = (enum secret_kind)row->ints[I_KIND];
    ret->min_grade = (enum grade)row->ints[I_GRADE];
    ret->retain_count = (uint32_t)row->ints[I_RETAIN];
    ret->current_version = row->ints[I_CURRENT];
    ret->last_version = row->ints[I_LAST];
    ret->created_ms = row->ints[I_CREATED];
    ret->changed_ms = row->ints[I_CHANGED];
    ret->removed_ms = row->ints[I_REMOVED];
    unpack_text(&u, ret->name, sizeof(ret->name));
    unpack_text(&u, ret->profile, sizeof(ret->profile));
    unpack_new(&u, &ret->detail);
    if (unpack_end(&u) != AG_OK) {
        secret_row_done(ret);
    }
    return u.err;
}

enum ag_err
secrets_find(struct db_read *r, struct span name, struct secret_row *ret)
{
    uint8_t hash[NAME_HASH_BYTES];
    enum ag_err err = name_hash(r, NAME_SECRET, name, hash);

    return err == AG_OK ? row_by_hash(r, TABLE_SECRET, SQL_BY_NAME,
                                      span_of(hash, sizeof(hash)), decode, ret)
                        : err;
}

enum ag_err
secrets_get(struct db_read *r, int64_t id, struct secret_row *ret)
{
    return row_one(r, TABLE_SECRET, id, decode, ret);
}

struct taking {
    secrets_each_fn each;
    void *arg;
    struct span prefix;
};

static enum ag_err
take(const struct row *row, void *arg)
{
    const struct taking *to = arg;
    AG_AUTO(secret_row) struct secret_row found = {0};
    enum ag_err err = decode(row, &found);

    return err == AG_OK && span_starts(span_str(found.name), to->prefix)
               ? to->each(&found, to->arg)
               : err;
}

enum ag_err
secrets_each(struct db_read *r, struct span prefix, secrets_each_fn each,
             void *arg)
{
    struct taking to = {each, arg, prefix};
    const struct rows_walk walk = {.table = TABLE_SECRET,
                                   .ask = {.sql = SQL_ALIVE},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
secrets_logins_each(struct db_read *r, secrets_each_fn each, void *arg)
{
    struct taking to = {each, arg, span_str("")};
    const struct rows_walk walk = {.table = TABLE_SECRET,
                                   .ask = {.sql = SQL_LOGINS},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
secrets_count(struct db_read *r, uint64_t *ret)
{
    return query_count(db_conn(r), SQL_COUNT, ret);
}

static enum ag_err
check_row(const struct secret_row *row)
{
    enum ag_err err = parse_name(span_str(row->name));

    if (err != AG_OK) {
        return err;
    }
    if (!secret_kind_known((int64_t)row->kind) ||
        !grade_known((int64_t)row->min_grade)) {
        return err_why(AG_EINVAL, "kind or min_grade is not set");
    }
    if (row->retain_count > SECRET_RETAIN_MAX_COUNT) {
        return err_why(AG_EINVAL, "retain: at most %d old versions",
                       SECRET_RETAIN_MAX_COUNT);
    }
    return AG_OK;
}

enum ag_err
secret_row_write(struct db_tx *tx, const struct secret_row *secret)
{
    AG_AUTO(row) struct row row;
    uint8_t hash[NAME_HASH_BYTES];
    struct pack p = {.out = &row.body};
    enum ag_err err = check_row(secret);

    row_init(&row);
    if (err == AG_OK) {
        err = name_hash(db_tx_read(tx), NAME_SECRET, span_str(secret->name),
                        hash);
    }
    if (err != AG_OK) {
        return err;
    }
    row.id = secret->id;
    row.ints[I_KIND] = (int64_t)secret->kind;
    row.ints[I_GRADE] = (int64_t)secret->min_grade;
    row.ints[I_RETAIN] = secret->retain_count;
    row.ints[I_CURRENT] = secret->current_version;
    row.ints[I_LAST] = secret->last_version;
    row.ints[I_CREATED] = secret->created_ms;
    row.ints[I_CHANGED] = secret->changed_ms;
    row.ints[I_REMOVED] = secret->removed_ms;
    row.blobs[0] = span_of(hash, sizeof(hash));
    pack_text(&p, secret->name, NAME_MAX_BYTES);
    pack_text(&p, secret->profile, SECRET_PROFILE_MAX_BYTES);
    pack_json(&p, secret->detail, SECRET_DETAIL_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_SECRET), &row);
}

enum ag_err
secrets_add(struct db_tx *tx, struct secret_row *secret)
{
    AG_AUTO(secret_row) struct secret_row there = {0};
    enum ag_err err =
        secrets_find(db_tx_read(tx), span_str(secret->name), &there);

    if (err == AG_OK) {
        return err_why(AG_EEXISTS, "%s exists already", secret->name);
    }
    if (err == AG_ENOTFOUND) {
        err = row_next_id(tx, table_of(TABLE_SECRET), &secret->id);
    }
    if (err != AG_OK) {
        return err;
    }
    secret->created_ms = db_tx_now_ms(tx);
    secret->changed_ms = secret->created_ms;
    secret->removed_ms = 0;
    secret->current_version = 0;
    secret->last_version = 0;
    return secret_row_write(tx, secret);
}

enum ag_err
secrets_update(struct db_tx *tx, struct secret_row *secret)
{
    AG_AUTO(secret_row) struct secret_row there = {0};
    enum ag_err err = secrets_get(db_tx_read(tx), secret->id, &there);

    if (err != AG_OK) {
        return err;
    }
    if (there.removed_ms != 0) {
        return AG_ENOTFOUND;
    }
    if (there.current_version != secret->current_version ||
        there.last_version != secret->last_version ||
        !span_is(span_str(there.name), secret->name)) {
        return err_why(AG_ECONFLICT, "%s changed meanwhile", there.name);
    }
    secret->created_ms = there.created_ms;
    secret->removed_ms = 0;
    secret->changed_ms = db_tx_now_ms(tx);
    return secret_row_write(tx, secret);
}

enum ag_err
secrets_remove(struct db_tx *tx, int64_t id)
{
    AG_AUTO(secret_row) struct secret_row there = {0};
    enum ag_err err = secrets_get(db_tx_read(tx), id, &there);

    if (err == AG_OK && there.removed_ms != 0) {
        err = AG_ENOTFOUND;
    }
    if (err == AG_OK) {
        err = versions_destroy_all(tx, id);
    }
    if (err != AG_OK) {
        return err;
    }
    there.current_version = 0;
    there.removed_ms = db_tx_now_ms(tx);
    there.changed_ms = there.removed_ms;
    return secret_row_write(tx, &there);
}
