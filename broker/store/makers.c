#include "store/makers.h"

#include "store/row.h"

enum {
    I_MAKER,
    I_TASK,
};

enum ag_err
makers_of(struct db_read *r, int64_t version_id, enum version_maker *ret)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_get(r, table_of(TABLE_MAKER), version_id, &q, &row);
    if (err == AG_ENOTFOUND) {
        *ret = MAKER_UNKNOWN;
        return AG_OK;
    }
    if (err == AG_OK && !version_maker_known(row.ints[I_MAKER])) {
        err = err_why(AG_ECORRUPT, "table version_maker, row %lld: unknown",
                      (long long)row.id);
    }
    if (err == AG_OK) {
        *ret = (enum version_maker)row.ints[I_MAKER];
    }
    return err;
}

enum ag_err
makers_note(struct db_tx *tx, int64_t version_id, enum version_maker maker,
            int64_t task_id)
{
    AG_AUTO(row) struct row row;

    row_init(&row);
    row.id = version_id;
    row.ints[I_MAKER] = (int64_t)maker;
    row.ints[I_TASK] = task_id;
    return row_write(tx, table_of(TABLE_MAKER), &row);
}
