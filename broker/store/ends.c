#include "store/ends.h"

static enum ag_err
take_piece(struct db_tx *tx, const struct ends_walk *walk, int64_t after,
           int64_t ids[ENDS_PIECE_COUNT], size_t *ret_count)
{
    AG_AUTO(query) struct query q = {0};
    size_t count = 0;
    enum ag_err err = query_start(&tx->self.conn, walk->sql, &q);

    if (err != AG_OK) {
        return err;
    }
    query_int(&q, walk->key);
    query_int(&q, after);
    query_int(&q, ENDS_PIECE_COUNT);
    while (count < ENDS_PIECE_COUNT && (err = query_row(&q)) == AG_OK) {
        ids[count++] = query_col_int(&q, 0);
    }
    *ret_count = count;
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
ends_each(struct db_tx *tx, const struct ends_walk *walk)
{
    int64_t ids[ENDS_PIECE_COUNT];
    size_t count = ENDS_PIECE_COUNT;
    int64_t after = 0;
    size_t i;
    enum ag_err err = AG_OK;

    while (err == AG_OK && count == ENDS_PIECE_COUNT) {
        err = take_piece(tx, walk, after, ids, &count);
        for (i = 0; i < count && err == AG_OK; i++) {
            err = walk->each(tx, ids[i], walk->arg);
            after = ids[i];
        }
    }
    return err;
}
