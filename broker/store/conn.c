#include "store/conn.h"

#include <stddef.h>
#include <string.h>

#include "store/db.h"

enum {
    READ_CACHE_KIB = 256,   /* pages per read connection */
    WRITE_CACHE_KIB = 2048, /* the writer's; a group's dirty pages fit */
};

static enum ag_err
constraint_err(int rc, const char *what)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return AG_EEXISTS;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return err_why(AG_ENOTFOUND, "%s: what it refers to does not exist",
                       what);
    default: /* an int of SQLite's, not an enum of ours */
        return err_why(AG_EINVAL, "%s: a value is outside its range", what);
    }
}

enum ag_err
conn_err(int rc, const char *what)
{
    static const struct {
        int rc;
        enum ag_err err;
    } TABLE[] = {
        {SQLITE_BUSY, AG_EBUSY},       {SQLITE_LOCKED, AG_EBUSY},
        {SQLITE_FULL, AG_ENOSPACE},    {SQLITE_NOMEM, AG_ENOMEM},
        {SQLITE_CORRUPT, AG_ECORRUPT}, {SQLITE_NOTADB, AG_ECORRUPT},
        {SQLITE_MISMATCH, AG_EINVAL},  {SQLITE_TOOBIG, AG_ELIMIT},
        {SQLITE_IOERR, AG_EIO},        {SQLITE_CANTOPEN, AG_EIO},
        {SQLITE_READONLY, AG_EIO},     {SQLITE_PERM, AG_EIO},
        {SQLITE_PROTOCOL, AG_EBUSY},
    };

    size_t i;

    if (rc == SQLITE_IOERR_NOMEM) {
        return AG_ENOMEM;
    }
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        return constraint_err(rc, what);
    }
    for (i = 0; i < AG_COUNT(TABLE); i++) {
        if ((rc & 0xff) == TABLE[i].rc) {
            return err_why(TABLE[i].err, "%s: %s (%d)", what,
                           sqlite3_errstr(rc), rc);
        }
    }
    return err_why(AG_EINTERNAL, "%s: %s (%d)", what, sqlite3_errstr(rc), rc);
}

static enum ag_err
exec_once(sqlite3 *handle, const char *sql)
{
    int rc = sqlite3_exec(handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? AG_OK : conn_err(rc, "vault.db");
}

/* A pragma whose answer must be what we asked for. */
static enum ag_err
pragma_is(sqlite3 *handle, const char *sql, const char *want)
{
    sqlite3_stmt *st = NULL;
    enum ag_err err = AG_OK;
    int rc = sqlite3_prepare_v2(handle, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    if (rc != SQLITE_ROW) {
        err = conn_err(rc, "vault.db");
    } else if (!span_is(span_str((const char *)sqlite3_column_text(st, 0)),
                        want)) {
        err = err_why(AG_EUNSUPPORTED, "SQLite refused: %s", sql);
    }
    (void)sqlite3_finalize(st);
    return err;
}

static enum ag_err
set_pragmas(sqlite3 *handle, enum conn_mode mode)
{
    static const char COMMON[] = "PRAGMA foreign_keys = ON;"
                                 "PRAGMA trusted_schema = OFF;"
                                 "PRAGMA cell_size_check = ON;"
                                 "PRAGMA secure_delete = ON;"
                                 "PRAGMA temp_store = MEMORY;"
                                 "PRAGMA mmap_size = 0;";
    enum ag_err err = exec_once(handle, COMMON);

    _Static_assert(READ_CACHE_KIB == 256 && WRITE_CACHE_KIB == 2048, "texts");
    if (err == AG_OK && mode == CONN_READ) {
        err = exec_once(handle, "PRAGMA query_only = ON;"
                                "PRAGMA cache_size = -256;");
    }
    if (err == AG_OK && mode == CONN_WRITE) {
        err = exec_once(handle, "PRAGMA cache_size = -2048;"
                                "PRAGMA synchronous = FULL;"
                                "PRAGMA wal_autocheckpoint = 1000;"
                                "PRAGMA journal_size_limit = 8388608;");
    }
    if (err == AG_OK) {
        err = pragma_is(handle, "PRAGMA foreign_keys", "1");
    }
    if (err == AG_OK && mode == CONN_WRITE) {
        err = pragma_is(handle, "PRAGMA synchronous", "2");
    }
    return err;
}

enum ag_err
conn_set_wal(struct conn *c)
{
    return pragma_is(c->handle, "PRAGMA journal_mode = WAL", "wal");
}

static void
set_config(sqlite3 *handle)
{
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_extended_result_codes(handle, 1);
    (void)sqlite3_busy_timeout(handle, DB_BUSY_MS);
}

enum ag_err
conn_open(const char *path, enum conn_mode mode, struct conn *ret)
{
    sqlite3 *handle = NULL;
    enum ag_err err = AG_OK;
    int rc =
        sqlite3_open_v2(path, &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                        NULL);

    if (rc != SQLITE_OK) {
        err = conn_err(rc, "vault.db");
    } else {
        set_config(handle);
        err = set_pragmas(handle, mode);
    }
    if (err != AG_OK) {
        (void)sqlite3_close(handle);
        return err;
    }
    memset(ret, 0, sizeof(*ret));
    ret->handle = handle;
    return AG_OK;
}

void
conn_close(struct conn *c)
{
    size_t i;

    for (i = 0; i < AG_COUNT(c->slots); i++) {
        (void)sqlite3_finalize(c->slots[i].st);
    }
    AG_ASSERT(sqlite3_close(c->handle) == SQLITE_OK);
    memset(c, 0, sizeof(*c));
}

/* Open addressing by the text's address; the room's texts fill half of it. */
static struct conn_slot *
find_slot(struct conn *c, const char *sql)
{
    size_t at =
        ((uintptr_t)sql * 0x9e3779b97f4a7c15U) >> (64 - CONN_STATEMENTS_BITS);
    size_t i;

    for (i = 0; i < CONN_STATEMENTS_MAX_COUNT; i++) {
        struct conn_slot *slot =
            &c->slots[(at + i) % CONN_STATEMENTS_MAX_COUNT];

        if (slot->sql == sql || slot->sql == NULL) {
            return slot;
        }
    }
    return NULL;
}

enum ag_err
query_start(struct conn *c, const char *sql, struct query *ret)
{
    struct conn_slot *slot = find_slot(c, sql);
    int rc;

    if (slot == NULL || slot->busy) {
        return err_why(AG_EINTERNAL, "statement in use: %.60s", sql);
    }
    if (slot->st == NULL) {
        rc = sqlite3_prepare_v3(c->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                &slot->st, NULL);
        if (rc != SQLITE_OK) {
            return conn_err(rc, "vault.db");
        }
        slot->sql = sql;
    }
    slot->busy = true;
    *ret = (struct query){.conn = c, .slot = slot};
    return AG_OK;
}

/* Forgets bindings and rows, to bind anew. */
static void
query_again(struct query *q)
{
    (void)sqlite3_reset(q->slot->st);
    (void)sqlite3_clear_bindings(q->slot->st);
    q->bound = 0;
    q->rc = SQLITE_OK;
}

void
query_done(struct query *q)
{
    if (q->slot != NULL) {
        query_again(q);
        q->slot->busy = false;
        q->slot = NULL;
    }
}

static void
keep_rc(struct query *q, int rc)
{
    if (q->rc == SQLITE_OK) {
        q->rc = rc;
    }
}

void
query_int(struct query *q, int64_t value)
{
    keep_rc(q, sqlite3_bind_int64(q->slot->st, ++q->bound, value));
}

void
query_ref(struct query *q, int64_t id)
{
    q->bound++;
    keep_rc(q, id == 0 ? sqlite3_bind_null(q->slot->st, q->bound)
                       : sqlite3_bind_int64(q->slot->st, q->bound, id));
}

void
query_blob(struct query *q, struct span bytes)
{
    /* An empty blob needs a pointer, or it would be NULL. */
    keep_rc(q,
            sqlite3_bind_blob64(q->slot->st, ++q->bound,
                                bytes.len == 0 ? "" : (const void *)bytes.ptr,
                                bytes.len, SQLITE_STATIC));
}

static int
step(struct query *q)
{
    int rc;

    AG_ASSERT(q->slot != NULL);
    if (q->rc != SQLITE_OK) {
        return q->rc; /* a binding failed */
    }
    rc = sqlite3_step(q->slot->st);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return rc;
    }
    return sqlite3_extended_errcode(q->conn->handle);
}

enum ag_err
query_row(struct query *q)
{
    int rc = step(q);

    if (rc == SQLITE_ROW) {
        return AG_OK;
    }
    return rc == SQLITE_DONE ? AG_ENOTFOUND : conn_err(rc, "vault.db");
}

enum ag_err
query_run(struct query *q)
{
    int rc = step(q);

    AG_ASSERT(rc != SQLITE_ROW); /* a text with rows is for query_row() */
    return rc == SQLITE_DONE ? AG_OK : conn_err(rc, "vault.db");
}

int64_t
query_col_int(struct query *q, int column)
{
    return sqlite3_column_int64(q->slot->st, column);
}

struct span
query_col_blob(struct query *q, int column)
{
    const void *bytes = sqlite3_column_blob(q->slot->st, column);
    int len = sqlite3_column_bytes(q->slot->st, column);

    return span_of(bytes, bytes == NULL || len < 0 ? 0 : (size_t)len);
}

enum ag_err
query_want(struct query *q, int column, int type)
{
    return sqlite3_column_type(q->slot->st, column) == type
               ? AG_OK
               : err_why(AG_ECORRUPT,
                         "vault.db: column %d of a row has "
                         "another type",
                         column);
}

enum ag_err
query_ask(struct conn *c, const struct ask *ask, struct query *ret)
{
    enum ag_err err = query_start(c, ask->sql, ret);

    AG_ASSERT(err != AG_OK || ret->slot != NULL);
    for (unsigned i = 0; err == AG_OK && i < ask->key_count; i++) {
        query_int(ret, ask->keys[i]);
    }
    return err;
}

enum ag_err
query_number(struct conn *c, const struct ask *ask, int64_t *ret)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_ask(c, ask, &q);

    if (err == AG_OK) {
        err = query_row(&q);
    }
    if (err == AG_OK) {
        *ret = query_col_int(&q, 0);
    }
    return err;
}

enum ag_err
query_count(struct conn *c, const char *sql, uint64_t *ret)
{
    const struct ask ask = {.sql = sql};
    int64_t count = 0;
    enum ag_err err = query_number(c, &ask, &count);

    if (err == AG_OK) {
        *ret = (uint64_t)count;
    }
    return err;
}

enum ag_err
query_numbers(struct conn *c, const struct ask *ask, int64_t *out, size_t cap,
              size_t *ret_count)
{
    AG_AUTO(query) struct query q = {0};
    size_t count = 0;
    enum ag_err err = query_ask(c, ask, &q);

    while (err == AG_OK && count < cap) {
        err = query_row(&q);
        if (err == AG_OK) {
            out[count++] = query_col_int(&q, 0);
        }
    }
    *ret_count = count;
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
conn_exec(struct conn *c, const char *sql)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(c, sql, &q);

    return err != AG_OK ? err : query_run(&q);
}
