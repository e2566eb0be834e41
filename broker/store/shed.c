#include "store/shed.h"

#include <stdio.h>

#include "store/audit.h"
#include "store/row.h"

enum ag_err
shed_ended(struct db_tx *tx, const struct shed *shed, int64_t secret_id)
{
    const struct table *t = table_of(shed->table);
    const struct ask ask = {
        .sql = shed->sql,
        .keys = {secret_id, shed->keep_count, SHED_PIECE_COUNT},
        .key_count = 3};
    int64_t ids[SHED_PIECE_COUNT];
    char json[64];
    size_t count = 0;
    enum ag_err err =
        query_numbers(&tx->self.conn, &ask, ids, SHED_PIECE_COUNT, &count);

    if (err != AG_OK || count < SHED_LEAST_COUNT) {
        return err;
    }
    for (size_t i = 0; i < count && err == AG_OK; i++) {
        err = row_remove(tx, t, ids[i]);
    }
    (void)snprintf(json, sizeof(json), "{\"table\":\"%s\",\"count\":%zu}",
                   t->name, count);
    return err == AG_OK ? audit_note(tx, AUDIT_ROWS_LEFT, 0, secret_id, json)
                        : err;
}
