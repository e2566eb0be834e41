#include "store/roles.h"

#include <string.h>

#include "store/name_hash.h"
#include "store/row.h"
#include "store/tokens.h"

enum {
    I_KIND,
    I_TOKEN,
    I_CREATED,
    I_ENDED,
    I_REASON,
};

static const char SQL_BY_NAME[] =
    "SELECT " COLS(ROLE_COLS) " FROM role WHERE name_hash = ? AND ended_ms = 0";
static const char SQL_LIVE[] =
    "SELECT " COLS(ROLE_COLS) " FROM role WHERE ended_ms = 0 ORDER BY id";

static enum ag_err
decode(const struct row *row, void *to)
{
    struct role_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!role_kind_known(row->ints[I_KIND]) ||
        !end_reason_known(row->ints[I_REASON])) {
        return err_why(AG_ECORRUPT, "table role, row %lld: unknown word",
                       (long long)row->id);
    }
    *ret = (struct role_row){
        .id = row->id,
        .kind = (enum role_kind)row->ints[I_KIND],
        .token_id = row->ints[I_TOKEN],
        .created_ms = row->ints[I_CREATED],
        .ended_ms = row->ints[I_ENDED],
        .end_reason = (enum end_reason)row->ints[I_REASON],
    };
    unpack_text(&u, ret->name, sizeof(ret->name));
    return unpack_end(&u);
}

enum ag_err
roles_get(struct db_read *r, int64_t id, struct role_row *ret)
{
    return row_one(r, TABLE_ROLE, id, decode, ret);
}

enum ag_err
roles_find(struct db_read *r, struct span name, struct role_row *ret)
{
    uint8_t hash[NAME_HASH_BYTES];
    enum ag_err err = name_hash(r, NAME_ROLE, name, hash);

    return err == AG_OK ? row_by_hash(r, TABLE_ROLE, SQL_BY_NAME,
                                      span_of(hash, sizeof(hash)), decode, ret)
                        : err;
}

ROWS_TAKE(, role_row, roles_each_fn)

enum ag_err
roles_live_each(struct db_read *r, roles_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_ROLE,
                                   .ask = {.sql = SQL_LIVE},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

static enum ag_err
write_role(struct db_tx *tx, const struct role_row *role)
{
    AG_AUTO(row) struct row row;
    uint8_t hash[NAME_HASH_BYTES];
    struct pack p = {.out = &row.body};
    enum ag_err err =
        name_hash(db_tx_read(tx), NAME_ROLE, span_str(role->name), hash);

    row_init(&row);
    if (err != AG_OK) {
        return err;
    }
    row.id = role->id;
    row.ints[I_KIND] = (int64_t)role->kind;
    row.ints[I_TOKEN] = role->token_id;
    row.ints[I_CREATED] = role->created_ms;
    row.ints[I_ENDED] = role->ended_ms;
    row.ints[I_REASON] = (int64_t)role->end_reason;
    row.blobs[0] = span_of(hash, sizeof(hash));
    pack_text(&p, role->name, NAME_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_ROLE), &row);
}

enum ag_err
roles_add(struct db_tx *tx, struct role_row *role)
{
    struct role_row there;
    enum ag_err err = parse_name(span_str(role->name));

    if (err != AG_OK) {
        return err;
    }
    if (!role_kind_known((int64_t)role->kind)) {
        return err_why(AG_EINVAL, "a role's kind is not set");
    }
    err = roles_find(db_tx_read(tx), span_str(role->name), &there);
    if (err == AG_OK) {
        return err_why(AG_EEXISTS, "role %s exists already", role->name);
    }
    if (err == AG_ENOTFOUND) {
        err = row_next_id(tx, table_of(TABLE_ROLE), &role->id);
    }
    if (err != AG_OK) {
        return err;
    }
    role->token_id = 0;
    role->created_ms = tx->now_ms;
    role->ended_ms = 0;
    role->end_reason = END_NONE;
    return write_role(tx, role);
}

static enum ag_err
get_alive(struct db_tx *tx, int64_t id, struct role_row *ret)
{
    enum ag_err err = roles_get(db_tx_read(tx), id, ret);

    return err == AG_OK && ret->ended_ms != 0 ? AG_ENOTFOUND : err;
}

enum ag_err
roles_bind(struct db_tx *tx, int64_t id, int64_t token_id)
{
    struct role_row role;
    enum ag_err err = get_alive(tx, id, &role);

    if (err != AG_OK) {
        return err;
    }
    role.token_id = token_id;
    return write_role(tx, &role);
}

enum ag_err
roles_end(struct db_tx *tx, int64_t id, enum end_reason reason)
{
    struct revoke how = {.reason = reason};
    struct role_row role;
    uint64_t count = 0;
    enum ag_err err = get_alive(tx, id, &role);

    if (err != AG_OK) {
        return err;
    }
    if (reason == END_NONE) {
        return err_why(AG_EINVAL, "an end needs a reason");
    }
    role.ended_ms = tx->now_ms;
    role.end_reason = reason;
    err = write_role(tx, &role);
    if (err == AG_OK && role.token_id != 0) {
        err = tokens_revoke_tree(tx, role.token_id, &how, &count);
    }
    return err;
}
