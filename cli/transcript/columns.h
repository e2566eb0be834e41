/*
 * columns.h - where texts lie in a database: the columns of its tables, and the
 * search indexes made of them.
 * Floor: cli. Depends on: transcript/sqlite.
 *
 * A full text table (FTS3, 4, 5) is read and written as what it is, not by the
 * tables that it keeps its index in; one whose texts are another table's is only
 * an index of that. Of virtual tables of other kinds the tables
 * behind them are taken, as any table. Views and generated columns follow from
 * the rest.
 */
#ifndef AG_CLI_TRANSCRIPT_COLUMNS_H
#define AG_CLI_TRANSCRIPT_COLUMNS_H

#include <sys/queue.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/sqlite.h"

struct column {
    STAILQ_ENTRY(column) link;
    char *table;
    char *name;
    bool is_schema; /* of the statements that made the tables */
    bool changes;   /* the caller's */
};

/* A full text table. */
struct column_index {
    STAILQ_ENTRY(column_index) link;
    char *table;
};

struct columns {
    STAILQ_HEAD(, column) list;
    STAILQ_HEAD(, column_index) indexes;
};

/* The caller calls columns_done() whatever comes of it. Errors: AG_ENOMEM, those
 * of sqlite_err(). */
AG_CHECK AG_NONNULL enum ag_err columns_find(sqlite3 *db, struct columns *ret);
AG_NONNULL void columns_done(struct columns *c);

#endif
