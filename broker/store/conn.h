/*
 * conn.h - one SQLite connection with its prepared statements, and the query:
 * a cached statement that is bound in order, stepped, and reset when its scope
 * ends.
 * Floor: store. Depends on: base/err, base/span, SQLite.
 *
 *   AG_AUTO(query) struct query q = {0};
 *   err = query_start(conn, SQL_GET, &q);
 *   query_int(&q, id);
 *   err = query_row(&q);        AG_OK: a row; AG_ENOTFOUND: no more
 *
 * Binding failures stick and come out of query_row()/query_run().
 * Threads: a connection belongs to one thread at a time.
 */
#ifndef AG_STORE_CONN_H
#define AG_STORE_CONN_H

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    CONN_STATEMENTS_BITS = 9, /* slots; the room has some 210 texts */
    CONN_STATEMENTS_MAX_COUNT = 1 << CONN_STATEMENTS_BITS,
    ASK_KEYS_MAX_COUNT = 4,
};

struct conn_slot {
    const char *sql; /* key: the address of a constant text */
    sqlite3_stmt *st;
    bool busy;
};

/* Fields are read freely and written only by conn_*. */
struct conn {
    sqlite3 *handle;
    struct conn_slot slots[CONN_STATEMENTS_MAX_COUNT];
};

enum conn_mode {
    CONN_READ,
    CONN_WRITE,
};

/*
 * Opens `path` (no link may be in the way) and sets every safety pragma; with
 * CONN_WRITE also WAL and synchronous=FULL, verified. The file must exist.
 */
AG_CHECK AG_NONNULL enum ag_err conn_open(const char *path, enum conn_mode mode,
                                          struct conn *ret);

/* Turns the file to WAL, for good. AG_EUNSUPPORTED where that can't be. */
AG_CHECK AG_NONNULL enum ag_err conn_set_wal(struct conn *c);

/* Finalises every statement and closes. A zeroed conn is allowed. */
AG_NONNULL void conn_close(struct conn *c);

/* A text without parameters and rows (BEGIN, SAVEPOINT, …), prepared once. */
AG_CHECK AG_NONNULL enum ag_err conn_exec(struct conn *c, const char *sql);

/* What a result code means; the sentence says `what` and SQLite's own words
 * for the code (never the statement or a value). */
AG_CHECK AG_NONNULL enum ag_err conn_err(int rc, const char *what);

struct query {
    struct conn *conn;
    struct conn_slot *slot;
    int bound;
    int rc;
};

/* `sql` must be a constant whose address is its own. A statement can't be used
 * twice at the same time: AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err query_start(struct conn *c, const char *sql,
                                            struct query *ret);
AG_NONNULL void query_done(struct query *q);
AG_DEFINE_CLEANUP_INPLACE(query, query_done)

/* The next parameter. Bytes are borrowed until the query is done or run. */
AG_NONNULL void query_int(struct query *q, int64_t value);
AG_NONNULL void query_ref(struct query *q, int64_t id); /* 0 is NULL */
AG_NONNULL void query_blob(struct query *q, struct span bytes);

/* A statement and the numbers it is bound with, in order. */
struct ask {
    const char *sql;
    int64_t keys[ASK_KEYS_MAX_COUNT];
    unsigned key_count;
};

AG_CHECK AG_NONNULL enum ag_err query_ask(struct conn *c, const struct ask *ask,
                                          struct query *ret);

/* The first column of its rows: of the first one (Errors: AG_ENOTFOUND), the same
 * of a text without parameters that counts, or of at most `cap`. */
AG_CHECK AG_NONNULL enum ag_err
query_number(struct conn *c, const struct ask *ask, int64_t *ret);
AG_CHECK AG_NONNULL enum ag_err query_count(struct conn *c, const char *sql,
                                            uint64_t *ret);
AG_CHECK AG_NONNULL enum ag_err query_numbers(struct conn *c,
                                              const struct ask *ask,
                                              int64_t *out, size_t cap,
                                              size_t *ret_count);

/* AG_OK a row, AG_ENOTFOUND no (more) row, else the failure. */
AG_CHECK AG_NONNULL enum ag_err query_row(struct query *q);

/* Steps to the end of a statement without rows. */
AG_CHECK AG_NONNULL enum ag_err query_run(struct query *q);

/* Columns of the current row, from 0; bytes are borrowed until the next step. */
AG_NONNULL int64_t query_col_int(struct query *q, int column);
AG_NONNULL struct span query_col_blob(struct query *q, int column);

/* Exactly the type said; AG_ECORRUPT otherwise (a STRICT table gives no other
 * unless somebody edited the file). */
AG_CHECK AG_NONNULL enum ag_err query_want(struct query *q, int column,
                                           int type);

#endif
