#include "store/moves.h"

#include <string.h>

#include "base/secret.h"
#include "crypt/keyring.h"
#include "store/row.h"

enum {
    I_KIND,
    I_STATE,
    I_SECRET,
    I_VERSION,
    I_CREATED,
    I_CHANGED,
};

static const char SQL_OPEN[] =
    "SELECT " COLS(MOVE_COLS) " FROM move WHERE state <= 3 ORDER BY id";
static const char SQL_OPEN_COUNT[] =
    "SELECT count(*) FROM move WHERE state <= 3";

void
move_row_done(struct move_row *row)
{
    text_free(AG_TAKE(row->detail));
}

static enum ag_err
decode(const struct row *row, void *to)
{
    struct move_row *ret = to;
    struct unpack u = {.rest = buf_view(&row->body)};
    struct span digest;

    if (!move_kind_known(row->ints[I_KIND]) ||
        !move_state_known(row->ints[I_STATE])) {
        return err_why(AG_ECORRUPT, "table move, row %lld: unknown word",
                       (long long)row->id);
    }
    *ret = (struct move_row){
        .id = row->id,
        .kind = (enum move_kind)row->ints[I_KIND],
        .state = (enum move_state)row->ints[I_STATE],
        .secret_id = row->ints[I_SECRET],
        .version = row->ints[I_VERSION],
        .created_ms = row->ints[I_CREATED],
        .changed_ms = row->ints[I_CHANGED],
    };
    digest = unpack_bytes(&u);
    if (digest.len == MOVE_DIGEST_BYTES) {
        ret->has_digest = true;
        memcpy(ret->digest, digest.ptr, MOVE_DIGEST_BYTES);
    }
    unpack_new(&u, &ret->detail);
    if (unpack_end(&u) != AG_OK) {
        move_row_done(ret);
    }
    return u.err;
}

enum ag_err
moves_digest(struct db_read *r, const struct secret *content,
             uint8_t out[MOVE_DIGEST_BYTES])
{
    struct keyring *ring = db_ring(r);

    return ring == NULL
               ? AG_ELOCKED
               : keyring_hash(ring, KDF_DIGEST, secret_view(content), out);
}

enum ag_err
moves_get(struct db_read *r, int64_t id, struct move_row *ret)
{
    return row_one(r, TABLE_MOVE, id, decode, ret);
}

ROWS_TAKE(AG_AUTO(move_row), move_row, moves_each_fn)

enum ag_err
moves_open_each(struct db_read *r, moves_each_fn each, void *arg)
{
    struct taking to = {each, arg};
    const struct rows_walk walk = {.table = TABLE_MOVE,
                                   .ask = {.sql = SQL_OPEN},
                                   .take = take,
                                   .arg = &to};

    return rows_each(r, &walk);
}

enum ag_err
moves_open_count(struct db_read *r, uint64_t *ret)
{
    return query_count(db_conn(r), SQL_OPEN_COUNT, ret);
}

static enum ag_err
write_move(struct db_tx *tx, const struct move_row *move)
{
    AG_AUTO(row) struct row row;
    struct pack p = {.out = &row.body};

    row_init(&row);
    row.id = move->id;
    row.ints[I_KIND] = (int64_t)move->kind;
    row.ints[I_STATE] = (int64_t)move->state;
    row.ints[I_SECRET] = move->secret_id;
    row.ints[I_VERSION] = move->version;
    row.ints[I_CREATED] = move->created_ms;
    row.ints[I_CHANGED] = move->changed_ms;
    pack_bytes(&p,
               span_of(move->digest, move->has_digest ? MOVE_DIGEST_BYTES : 0),
               MOVE_DIGEST_BYTES);
    pack_json(&p, move->detail, MOVE_DETAIL_MAX_BYTES);
    return p.err != AG_OK ? p.err : row_write(tx, table_of(TABLE_MOVE), &row);
}

enum ag_err
moves_add(struct db_tx *tx, struct move_row *move)
{
    uint64_t open = 0;
    enum ag_err err = moves_open_count(db_tx_read(tx), &open);

    if (err != AG_OK) {
        return err;
    }
    if (!move_kind_known((int64_t)move->kind)) {
        return err_why(AG_EINVAL, "a move's kind is not set");
    }
    if (open >= MOVES_OPEN_MAX_COUNT) {
        return err_why(AG_ELIMIT, "%d moves are unfinished",
                       MOVES_OPEN_MAX_COUNT);
    }
    err = row_next_id(tx, table_of(TABLE_MOVE), &move->id);
    if (err != AG_OK) {
        return err;
    }
    move->state = MOVE_OPEN;
    move->created_ms = tx->now_ms;
    move->changed_ms = tx->now_ms;
    return write_move(tx, move);
}

/* The legal steps (words.h); a step to the same state updates the row. */
static bool
may_step(enum move_state from, enum move_state to)
{
    switch (from) {
    case MOVE_OPEN:
        return to == MOVE_OPEN || to == MOVE_TAKEN || to == MOVE_UNDONE;
    case MOVE_TAKEN:
        return to == MOVE_TAKEN || to == MOVE_ERASING || to == MOVE_UNDONE;
    case MOVE_ERASING:
        return to == MOVE_ERASING || to == MOVE_DONE || to == MOVE_CONFLICT;
    case MOVE_DONE:
    case MOVE_UNDONE:
    case MOVE_CONFLICT:
        break;
    }
    return false;
}

enum ag_err
moves_step(struct db_tx *tx, struct move_row *move, enum move_state state)
{
    AG_AUTO(move_row) struct move_row there = {0};
    enum ag_err err = moves_get(db_tx_read(tx), move->id, &there);

    if (err != AG_OK) {
        return err;
    }
    if (there.state != move->state || !may_step(there.state, state)) {
        return err_why(AG_ECONFLICT, "move %lld is %s and can't become %s",
                       (long long)move->id, move_state_text(there.state),
                       move_state_text(state));
    }
    move->kind = there.kind;
    move->created_ms = there.created_ms;
    move->changed_ms = tx->now_ms;
    move->state = state;
    err = write_move(tx, move);
    if (err != AG_OK) {
        move->state = there.state;
    }
    return err;
}
