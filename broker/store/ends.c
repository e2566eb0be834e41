#include "store/ends.h"

static enum ag_err
take_piece(struct db_tx *tx, const struct ends_walk *walk, int64_t after,
           int64_t ids[ENDS_PIECE_COUNT], size_t *ret_count)
{
    const struct ask ask = {.sql = walk->sql,
                            .keys = {walk->key, after, ENDS_PIECE_COUNT},
                            .key_count = 3};

    return query_numbers(&tx->self.conn, &ask, ids, ENDS_PIECE_COUNT,
                         ret_count);
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
