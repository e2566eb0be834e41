#include "store/tokens.h"

#include <string.h>

#include "store/ends.h"
#include "store/name_hash.h"
#include "store/row.h"

enum {
    I_PARENT,
    I_TASK,
    I_ROLE,
    I_DEPTH,
    I_FLAGS,
    I_CREATED,
    I_EXPIRES,
    I_MAX_EXPIRES,
    I_GENERATION,
    I_USES_MAX,
    I_USES_COUNT,
    I_REVOKED,
    I_REASON,
    B_HASH = 0,
    B_ACCESSOR,
};

static const char SQL_BY_LINE[] =
    "SELECT " COLS(TOKEN_LINE_COLS) " FROM token_line WHERE hash = ?";
static const char SQL_BY_HASH[] =
    "SELECT " COLS(TOKEN_COLS) " FROM token WHERE hash = ?";
/* The index holds unrevoked tokens by end, so old ones are not looked at. */
static const char SQL_LIVE[] =
    "SELECT " COLS(TOKEN_COLS) " FROM token INDEXED BY token_live"
                               " WHERE revoked_ms = 0 AND expires_ms > ?"
                               " ORDER BY id";

void
token_row_done(struct token_row *row)
{
    text_free(AG_TAKE(row->scope));
}

static void
decode_ints(const struct row *row, struct token_row *ret)
{
    ret->id = row->id;
    ret->parent_id = row->ints[I_PARENT];
    ret->task_id = row->ints[I_TASK];
    ret->role_id = row->ints[I_ROLE];
    ret->depth = (uint32_t)row->ints[I_DEPTH];
    ret->flags = (enum token_flags)row->ints[I_FLAGS];
    ret->created_ms = row->ints[I_CREATED];
    ret->expires_ms = row->ints[I_EXPIRES];
    ret->max_expires_ms = row->ints[I_MAX_EXPIRES];
    ret->generation = row->ints[I_GENERATION];
    ret->uses_max = row->ints[I_USES_MAX];
    ret->uses_count = row->ints[I_USES_COUNT];
    ret->revoked_ms = row->ints[I_REVOKED];
    ret->end_reason = (enum end_reason)row->ints[I_REASON];
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct token_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};

    if (!end_reason_known(row->ints[I_REASON]) ||
        row->blobs[B_HASH].len != TOKEN_HASH_LEN_BYTES) {
        return err_why(AG_ECORRUPT, "table token, row %lld is damaged",
                       (long long)row->id);
    }
    memset(ret, 0, sizeof(*ret));
    decode_ints(row, ret);
    memcpy(ret->hash, row->blobs[B_HASH].ptr, TOKEN_HASH_LEN_BYTES);
    unpack_text(&u, ret->accessor, sizeof(ret->accessor));
    unpack_new(&u, &ret->scope);
    if (unpack_end(&u) != AG_OK) {
        token_row_done(ret);
    }
    return u.err;
}

enum ag_err
tokens_get(struct db_read *r, int64_t id, struct token_row *ret)
{
    return row_one(r, TABLE_TOKEN, id, decode, ret);
}

enum ag_err
tokens_by_hash(struct db_read *r, const uint8_t hash[TOKEN_HASH_LEN_BYTES],
               struct token_row *ret)
{
    return row_by_hash(r, TABLE_TOKEN, SQL_BY_HASH,
                       span_of(hash, TOKEN_HASH_LEN_BYTES), decode, ret);
}

enum ag_err
tokens_by_line(struct db_read *r, const uint8_t line[TOKEN_HASH_LEN_BYTES],
               struct token_row *ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_find(r, table_of(TABLE_TOKEN_LINE), SQL_BY_LINE,
                   span_of(line, TOKEN_HASH_LEN_BYTES), &q, &row);
    return err != AG_OK ? err : tokens_get(r, row.ints[0], ret);
}

ROWS_TAKE(AG_AUTO(token_row), token_row, tokens_each_fn)

enum ag_err
tokens_live_each(struct db_read *r, int64_t now_ms, tokens_each_fn each,
                 void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {
        .table = TABLE_TOKEN,
        .ask = {.sql = SQL_LIVE, .keys = {now_ms}, .key_count = 1},
        .take = take,
        .arg = &to};

    return rows_each(r, &walk);
}

/* ---- changes ------------------------------------------------------------- */

enum ag_err
tokens_add_line(struct db_tx *tx, int64_t token_id,
                const uint8_t line[TOKEN_HASH_LEN_BYTES])
{
    const struct table *t = table_of(TABLE_TOKEN_LINE);
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_next_id(tx, t, &row.id);
    row.ints[0] = token_id;
    row.blobs[0] = span_of(line, TOKEN_HASH_LEN_BYTES);
    return err != AG_OK ? err : row_write(tx, t, &row);
}

static enum ag_err
write_token(struct db_tx *tx, const struct token_row *token)
{
    AG_AUTO(row) struct row row;
    uint8_t hash[NAME_HASH_BYTES];
    struct pack p = {.out = &row.body};
    enum ag_err err = name_hash(db_tx_read(tx), NAME_ACCESSOR,
                                span_str(token->accessor), hash);

    row_init(&row);
    if (err != AG_OK) {
        return err;
    }
    row.id = token->id;
    row.ints[I_PARENT] = token->parent_id;
    row.ints[I_TASK] = token->task_id;
    row.ints[I_ROLE] = token->role_id;
    row.ints[I_DEPTH] = token->depth;
    row.ints[I_FLAGS] = (int64_t)token->flags;
    row.ints[I_CREATED] = token->created_ms;
    row.ints[I_EXPIRES] = token->expires_ms;
    row.ints[I_MAX_EXPIRES] = token->max_expires_ms;
    row.ints[I_GENERATION] = token->generation;
    row.ints[I_USES_MAX] = token->uses_max;
    row.ints[I_USES_COUNT] = token->uses_count;
    row.ints[I_REVOKED] = token->revoked_ms;
    row.ints[I_REASON] = (int64_t)token->end_reason;
    row.blobs[B_HASH] = span_of(token->hash, TOKEN_HASH_LEN_BYTES);
    row.blobs[B_ACCESSOR] = span_of(hash, sizeof(hash));
    pack_text(&p, token->accessor, TOKEN_ACCESSOR_MAX_BYTES);
    pack_json(&p, token->scope, TOKEN_SCOPE_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_TOKEN), &row);
}

static enum ag_err
set_depth(struct db_tx *tx, struct token_row *token)
{
    AG_AUTO(token_row) struct token_row parent = {0};
    enum ag_err err;

    token->depth = 0;
    if (token->parent_id == 0) {
        return AG_OK;
    }
    err = tokens_get(db_tx_read(tx), token->parent_id, &parent);
    if (err != AG_OK) {
        return err;
    }
    if (parent.revoked_ms != 0) {
        return err_why(AG_EREVOKED, "the parent token was revoked");
    }
    if (parent.depth + 1 > TOKEN_DEPTH_MAX_COUNT) {
        return err_why(AG_ELIMIT, "at most %d generations of child tokens",
                       TOKEN_DEPTH_MAX_COUNT);
    }
    token->depth = parent.depth + 1;
    return AG_OK;
}

enum ag_err
tokens_add(struct db_tx *tx, struct token_row *token)
{
    enum ag_err err = set_depth(tx, token);

    if (err != AG_OK) {
        return err;
    }
    if (token->expires_ms <= tx->now_ms ||
        token->max_expires_ms < token->expires_ms || token->uses_max < 0 ||
        token->accessor[0] == '\0') {
        return err_why(AG_EINVAL, "a token's end, limit or accessor is wrong");
    }
    err = row_next_id(tx, table_of(TABLE_TOKEN), &token->id);
    if (err != AG_OK) {
        return err;
    }
    token->created_ms = tx->now_ms;
    token->generation = 1;
    token->uses_count = 0;
    token->revoked_ms = 0;
    token->end_reason = END_NONE;
    return write_token(tx, token);
}

enum ag_err
tokens_update(struct db_tx *tx, struct token_row *token)
{
    AG_AUTO(token_row) struct token_row there = {0};
    enum ag_err err = tokens_get(db_tx_read(tx), token->id, &there);
    char *kept;

    if (err != AG_OK) {
        return err;
    }
    if (there.revoked_ms != 0) {
        return AG_EREVOKED;
    }
    there.expires_ms = token->expires_ms;
    there.generation = token->generation;
    there.uses_count = token->uses_count;
    kept = there.scope;
    there.scope = token->scope;
    err = write_token(tx, &there);
    there.scope = kept;
    return err;
}

enum ag_err
tokens_count_uses(struct db_tx *tx, int64_t id, int64_t count)
{
    AG_AUTO(token_row) struct token_row there = {0};
    enum ag_err err = tokens_get(db_tx_read(tx), id, &there);

    if (err != AG_OK || there.uses_max == 0) {
        return err;
    }
    there.uses_count += count;
    return write_token(tx, &there);
}

/* ---- revoking ------------------------------------------------------------ */

static const char SQL_CHILDREN[] =
    "SELECT id FROM token WHERE parent_id = ?1 AND id > ?2 AND revoked_ms = 0"
    " ORDER BY id LIMIT ?3";
static const char SQL_TASK_LIVE[] =
    "SELECT id FROM token WHERE task_id = ?1 AND id > ?2 AND revoked_ms = 0"
    " ORDER BY id LIMIT ?3";
/* No order: what is revoked leaves the index, so the next piece is new. */
static const char SQL_ALL_LIVE[] =
    "SELECT id FROM token INDEXED BY token_live WHERE revoked_ms = 0"
    " AND expires_ms > ?1 AND ?2 >= 0 LIMIT ?3";

struct revoking {
    const struct revoke *how;
    uint64_t count;
};

/* One token; its children follow by their own turn. */
static enum ag_err
revoke_one(struct db_tx *tx, int64_t id, void *arg)
{
    struct revoking *job = arg;
    AG_AUTO(token_row) struct token_row token = {0};
    enum ag_err err = tokens_get(db_tx_read(tx), id, &token);

    if (err != AG_OK || token.revoked_ms != 0) {
        return err;
    }
    token.revoked_ms = tx->now_ms;
    token.end_reason = job->how->reason;
    err = write_token(tx, &token);
    if (err == AG_OK) {
        job->count++;
        if (job->how->each != NULL) {
            job->how->each(id, job->how->arg);
        }
    }
    return err;
}

/* Depth is bounded by TOKEN_DEPTH_MAX_COUNT, children are taken in pieces. */
static enum ag_err
revoke_below(struct db_tx *tx, int64_t id, void *arg)
{
    struct ends_walk walk_children = {
        .sql = SQL_CHILDREN, .key = id, .each = revoke_below, .arg = arg};
    enum ag_err err = revoke_one(tx, id, arg);

    return err != AG_OK ? err : ends_each(tx, &walk_children);
}

static enum ag_err
revoke_found(struct db_tx *tx, const char *sql, int64_t key,
             struct revoking *job)
{
    struct ends_walk found = {
        .sql = sql, .key = key, .each = revoke_below, .arg = job};

    return ends_each(tx, &found);
}

static enum ag_err
check_reason(const struct revoke *how)
{
    return how->reason == END_NONE ? err_why(AG_EINVAL, "an end needs a reason")
                                   : AG_OK;
}

enum ag_err
tokens_revoke_tree(struct db_tx *tx, int64_t token_id, const struct revoke *how,
                   uint64_t *ret_count)
{
    struct revoking job = {.how = how};
    enum ag_err err = check_reason(how);

    if (err == AG_OK) {
        err = revoke_below(tx, token_id, &job);
    }
    if (err == AG_OK) {
        *ret_count = job.count;
    }
    return err;
}

enum ag_err
tokens_revoke_task(struct db_tx *tx, int64_t task_id, const struct revoke *how,
                   uint64_t *ret_count)
{
    struct revoking job = {.how = how};
    enum ag_err err = check_reason(how);

    if (err == AG_OK) {
        err = revoke_found(tx, SQL_TASK_LIVE, task_id, &job);
    }
    if (err == AG_OK) {
        *ret_count = job.count;
    }
    return err;
}

enum ag_err
tokens_revoke_all(struct db_tx *tx, const struct revoke *how,
                  uint64_t *ret_count)
{
    struct revoking job = {.how = how};
    enum ag_err err = check_reason(how);

    if (err == AG_OK) {
        err = revoke_found(tx, SQL_ALL_LIVE, tx->now_ms, &job);
    }
    if (err == AG_OK) {
        *ret_count = job.count;
    }
    return err;
}
