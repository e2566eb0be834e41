#include "store/tx.h"

#include "base/clock.h"

static const char SQL_BEGIN[] = "BEGIN IMMEDIATE";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_ROLLBACK[] = "ROLLBACK";
static const char SQL_SAVE[] = "SAVEPOINT job";
static const char SQL_KEEP[] = "RELEASE job";
static const char SQL_UNDO[] = "ROLLBACK TO job";

bool
tx_alive(const struct db_tx *tx)
{
    return tx->open && sqlite3_get_autocommit(tx->self.conn.handle) == 0;
}

static void
forget_marks(struct db_tx *tx)
{
    buf_clear(&tx->marks);
    tx->mark_count = 0;
}

enum ag_err
tx_prime(struct db_tx *tx)
{
    static const char *const TEXTS[] = {SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK,
                                        SQL_SAVE,  SQL_KEEP,   SQL_UNDO};
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i < AG_COUNT(TEXTS) && err == AG_OK; i++) {
        AG_AUTO(query) struct query q = {0};

        err = query_start(&tx->self.conn, TEXTS[i], &q);
    }
    return err;
}

/* Out of any transaction SQLite is still in. */
static void
leave(struct db_tx *tx)
{
    if (sqlite3_get_autocommit(tx->self.conn.handle) == 0 &&
        conn_exec(&tx->self.conn, SQL_ROLLBACK) != AG_OK) {
        return; /* tx_begin() tries again */
    }
}

enum ag_err
tx_begin(struct db_tx *tx)
{
    enum ag_err err;

    AG_ASSERT(!tx->open);
    leave(tx);
    err = conn_exec(&tx->self.conn, SQL_BEGIN);
    if (err != AG_OK) {
        return err;
    }
    tx->open = true;
    tx->group = tx->end;
    tx->now_ms = clock_wall_ms();
    forget_marks(tx);
    return AG_OK;
}

void
tx_rollback(struct db_tx *tx)
{
    if (!tx->open) {
        return;
    }
    leave(tx);
    tx->open = false;
    tx->wiped = false;
    buf_clear(&tx->gone);
    tx->end = tx->group;
    forget_marks(tx);
}

enum ag_err
tx_commit(struct db_tx *tx)
{
    enum ag_err err;

    AG_ASSERT(tx->open && tx->mark_count == 0);
    err = conn_exec(&tx->self.conn, SQL_COMMIT);
    if (err != AG_OK) {
        tx_rollback(tx);
        return err;
    }
    tx->open = false;
    return AG_OK;
}

enum ag_err
tx_save(struct db_tx *tx)
{
    enum ag_err err = conn_exec(&tx->self.conn, SQL_SAVE);

    if (err == AG_OK) {
        tx->saved = tx->end;
        tx->gone_saved = tx->gone.len;
        tx->now_ms = clock_wall_ms();
        tx->discards = false;
        forget_marks(tx);
    }
    return err;
}

void
tx_undo(struct db_tx *tx)
{
    tx->end = tx->saved;
    buf_truncate(&tx->gone, tx->gone_saved);
    forget_marks(tx);
    if (tx_alive(tx) && (conn_exec(&tx->self.conn, SQL_UNDO) != AG_OK ||
                         conn_exec(&tx->self.conn, SQL_KEEP) != AG_OK)) {
        /* What can't be undone alone is undone with the group. */
        leave(tx);
    }
}

void
db_tx_discard(struct db_tx *tx)
{
    tx->discards = true;
}

enum ag_err
tx_keep(struct db_tx *tx)
{
    if (!tx_alive(tx)) {
        return err_why(AG_EIO, "vault.db: the transaction was rolled back");
    }
    if (tx->discards) {
        tx_undo(tx);
        return AG_OK;
    }
    if (tx->mark_count != 0) {
        return err_why(AG_EINTERNAL, "%zu rows changed off the record",
                       tx->mark_count);
    }
    return conn_exec(&tx->self.conn, SQL_KEEP);
}
