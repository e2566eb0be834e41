#include "transcript/columns.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Tables of SQLite's own hold names and numbers. */
static const char SQL_TABLES[] =
    "SELECT l.name, l.type, s.sql,"
    " EXISTS (SELECT 1 FROM sqlite_schema WHERE name = l.name || '_content')"
    " FROM pragma_table_list AS l"
    " JOIN sqlite_schema AS s ON s.name = l.name AND s.type = 'table'"
    " WHERE l.schema = 'main' AND l.type IN ('table', 'shadow', 'virtual')"
    " AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
static const char SQL_COLUMNS[] =
    "SELECT name FROM pragma_table_xinfo('%q') WHERE hidden = 0";
static const char READING[] = "reading its schema";

/* A NUL-ended copy of a column; NULL: no memory. */
static char *
copy_column(sqlite3_stmt *st, int at)
{
    const unsigned char *text = sqlite.column_text(st, at);

    return text == NULL ? NULL : strdup((const char *)text);
}

/* CREATE VIRTUAL TABLE … USING fts5(…). */
static bool
is_full_text(const char *sql)
{
    static const char USING[] = "using";

    for (const char *at = sql == NULL ? NULL : strcasestr(sql, USING);
         at != NULL; at = strcasestr(at, USING)) {
        at += sizeof(USING) - 1;
        at += strspn(at, " \t\r\n");
        if (strncasecmp(at, "fts", 3) == 0 && at[3] >= '3' && at[3] <= '5') {
            return true;
        }
    }
    return false;
}

static enum ag_err
add_index(struct columns *c, const char *table)
{
    struct column_index *index = calloc(1, sizeof(*index));

    if (index == NULL) {
        return AG_ENOMEM;
    }
    STAILQ_INSERT_TAIL(&c->indexes, index, link);
    index->table = strdup(table);
    return index->table == NULL ? AG_ENOMEM : AG_OK;
}

static enum ag_err
add_column(struct columns *c, const char *table, const char *name,
           bool is_schema)
{
    struct column *column = calloc(1, sizeof(*column));

    if (column == NULL) {
        return AG_ENOMEM;
    }
    STAILQ_INSERT_TAIL(&c->list, column, link);
    column->is_schema = is_schema;
    column->table = strdup(table);
    column->name = strdup(name);
    return column->table == NULL || column->name == NULL ? AG_ENOMEM : AG_OK;
}

static enum ag_err
add_columns(struct columns *c, sqlite3 *db, const char *table)
{
    sqlite3_stmt *st = NULL;
    enum ag_err err = sqlite_prepare(db, SQL_COLUMNS, table, "", &st);
    int code = SQLITE_OK;

    while (err == AG_OK && (code = sqlite.step(st)) == SQLITE_ROW) {
        char *name = copy_column(st, 0);

        err = name == NULL ? AG_ENOMEM : add_column(c, table, name, false);
        free(name);
    }
    if (err != AG_OK) {
        (void)sqlite.finalize(st);
        return err;
    }
    return sqlite_finish(st, code, READING);
}

/* Is it one of the tables behind a full text table? */
static bool
is_behind(const struct columns *c, const char *table)
{
    const struct column_index *index;

    STAILQ_FOREACH(index, &c->indexes, link)
    {
        size_t len = strlen(index->table);

        if (strncasecmp(table, index->table, len) == 0 && table[len] == '_') {
            return true;
        }
    }
    return false;
}

enum table_pass {
    PASS_INDEXES, /* first, so that is_behind() knows them all */
    PASS_TABLES,
};

static enum ag_err
take_table(struct columns *c, sqlite3 *db, sqlite3_stmt *st,
           enum table_pass pass)
{
    char *table = copy_column(st, 0);
    bool is_virtual = span_is(sqlite_column(st, 1), "virtual");
    bool is_shadow = span_is(sqlite_column(st, 1), "shadow");
    bool is_index =
        is_virtual && is_full_text((const char *)sqlite.column_text(st, 2));
    enum ag_err err = AG_OK;

    if (table == NULL) {
        err = AG_ENOMEM;
    } else if (pass == PASS_INDEXES) {
        err = is_index ? add_index(c, table) : AG_OK;
    } else if (is_index ? sqlite.column_int(st, 3) != 0
                        : !is_virtual && !(is_shadow && is_behind(c, table))) {
        err = add_columns(c, db, table);
    }
    free(table);
    return err;
}

static enum ag_err
take_tables(struct columns *c, sqlite3 *db, enum table_pass pass)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite.prepare_v2(db, SQL_TABLES, -1, &st, NULL);
    enum ag_err err = AG_OK;

    if (code == SQLITE_OK) {
        while (err == AG_OK && (code = sqlite.step(st)) == SQLITE_ROW) {
            err = take_table(c, db, st, pass);
        }
    }
    if (err != AG_OK) {
        (void)sqlite.finalize(st);
        return err;
    }
    return sqlite_finish(st, code, READING);
}

enum ag_err
columns_find(sqlite3 *db, struct columns *ret)
{
    enum ag_err err;

    STAILQ_INIT(&ret->list);
    STAILQ_INIT(&ret->indexes);
    err = add_column(ret, "sqlite_schema", "sql", true);
    if (err == AG_OK) {
        err = take_tables(ret, db, PASS_INDEXES);
    }
    return err == AG_OK ? take_tables(ret, db, PASS_TABLES) : err;
}

void
columns_done(struct columns *c)
{
    struct column *column;
    struct column_index *index;

    while ((column = STAILQ_FIRST(&c->list)) != NULL) {
        STAILQ_REMOVE_HEAD(&c->list, link);
        free(column->table);
        free(column->name);
        free(column);
    }
    while ((index = STAILQ_FIRST(&c->indexes)) != NULL) {
        STAILQ_REMOVE_HEAD(&c->indexes, link);
        free(index->table);
        free(index);
    }
}
