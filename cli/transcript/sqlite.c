#include "transcript/sqlite.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>

#include "transcript/lazy.h"

struct sqlite_lib sqlite;

#define SLOT(name)                                                             \
    {                                                                          \
        "sqlite3_" #name, offsetof(struct sqlite_lib, name)                    \
    }

static const struct lazy_slot SLOTS[] = {
    SLOT(config),         SLOT(open_v2),       SLOT(close_v2),
    SLOT(db_config),      SLOT(deserialize),   SLOT(create_function_v2),
    SLOT(prepare_v2),     SLOT(step),          SLOT(finalize),
    SLOT(bind_text),      SLOT(column_type),   SLOT(column_int),
    SLOT(column_bytes),   SLOT(column_blob),   SLOT(column_text),
    SLOT(value_type),     SLOT(value_bytes),   SLOT(value_blob),
    SLOT(value_text),     SLOT(result_text64), SLOT(result_blob64),
    SLOT(user_data),      SLOT(vfs_find),      SLOT(vfs_register),
    SLOT(vfs_unregister), SLOT(snprintf),
};

/* ---- its memory, wiped ---- */

static void *
mem_malloc(int len)
{
    return malloc((size_t)len);
}

static void
mem_free(void *ptr)
{
    if (ptr != NULL) {
        explicit_bzero(ptr, malloc_usable_size(ptr));
        free(ptr);
    }
}

static int
mem_size(void *ptr)
{
    return ptr == NULL ? 0 : (int)malloc_usable_size(ptr);
}

static void *
mem_realloc(void *ptr, int len)
{
    size_t old = malloc_usable_size(ptr);
    void *moved = malloc((size_t)len);

    if (moved != NULL) {
        memcpy(moved, ptr, old < (size_t)len ? old : (size_t)len);
        mem_free(ptr);
    }
    return moved;
}

static int
mem_round(int len)
{
    return (len + 7) & ~7;
}

static int
mem_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void
mem_shutdown(void *arg)
{
    (void)arg;
}

enum ag_err
sqlite_load(void)
{
    static const struct lazy_library LIBRARY = {
        "libsqlite3.so.0", "libsqlite3-0", SLOTS, AG_COUNT(SLOTS)};
    static const sqlite3_mem_methods METHODS = {
        .xMalloc = mem_malloc,
        .xFree = mem_free,
        .xRealloc = mem_realloc,
        .xSize = mem_size,
        .xRoundup = mem_round,
        .xInit = mem_init,
        .xShutdown = mem_shutdown,
    };
    struct sqlite_lib lib;
    enum ag_err err;

    if (sqlite.prepare_v2 != NULL) {
        return AG_OK;
    }
    err = lazy_load(&LIBRARY, "databases", &lib);
    if (err == AG_OK &&
        lib.config(SQLITE_CONFIG_MALLOC, &METHODS) != SQLITE_OK) {
        err = err_why(AG_EUNSUPPORTED, "this libsqlite3 does not let its "
                                       "memory be wiped");
    }
    if (err == AG_OK) {
        sqlite = lib;
    }
    return err;
}

bool
sqlite_is_database(struct span head)
{
    static const char MAGIC[] = "SQLite format 3"; /* and its NUL */

    return span_starts(head, span_of(MAGIC, sizeof(MAGIC)));
}

/* ---- errors ---- */

enum ag_err
sqlite_err(int code, const char *doing)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return err_why(AG_EBUSY, "another process works with the database");
    case SQLITE_FULL:
        return err_why(AG_ENOSPACE, "there is no room for %s", doing);
    case SQLITE_NOMEM:
        return AG_ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_why(AG_ECORRUPT, "the database is damaged (%s)", doing);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return err_why(AG_EDENIED,
                       "%s is not possible: the database or a file "
                       "beside it can't be opened",
                       doing);
    case SQLITE_CONSTRAINT:
        return err_why(AG_EFILE, "its rows would break a constraint of the "
                                 "database without their values");
    case SQLITE_IOERR:
        return err_why(AG_EIO, "%s failed", doing);
    default:
        return err_why(AG_EFILE,
                       "%s is not possible in this database (SQLite says %d)",
                       doing, code);
    }
}

/* ---- statements ---- */

/* The schema may call SQLite's own functions (a CHECK of json_valid() is usual);
 * of ours there is one, which it may not (changes.c). */
static enum ag_err
distrust(sqlite3 *db)
{
    /* What a trigger would do is no part of a redaction: it might write down
     * the old text, too. */
    int code = sqlite.db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);

    return code == SQLITE_OK ? sqlite_run(db, "PRAGMA cell_size_check = ON",
                                          NULL, "opening it")
                             : sqlite_err(code, "opening it");
}

enum ag_err
sqlite_open_through(const char *path, int flags, const char *vfs, sqlite3 **ret)
{
    int code = sqlite.open_v2(path, ret, flags | SQLITE_OPEN_NOFOLLOW, vfs);

    return code == SQLITE_OK ? distrust(*ret) : sqlite_err(code, "opening it");
}

enum ag_err
sqlite_open(const char *path, int flags, sqlite3 **ret)
{
    return sqlite_open_through(path, flags, NULL, ret);
}

void
sqlite_shut(sqlite3 *db)
{
    if (db != NULL) {
        (void)sqlite.close_v2(db);
    }
}

enum ag_err
sqlite_finish(sqlite3_stmt *st, int code, const char *doing)
{
    (void)sqlite.finalize(st);
    return code == SQLITE_DONE || code == SQLITE_OK ? AG_OK
                                                    : sqlite_err(code, doing);
}

enum ag_err
sqlite_run(sqlite3 *db, const char *sql, const char *arg, const char *doing)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite.prepare_v2(db, sql, -1, &st, NULL);

    if (code == SQLITE_OK && arg != NULL) {
        code = sqlite.bind_text(st, 1, arg, -1, SQLITE_STATIC);
    }
    if (code == SQLITE_OK) {
        do {
            code = sqlite.step(st);
        } while (code == SQLITE_ROW);
    }
    return sqlite_finish(st, code, doing);
}

enum ag_err
sqlite_prepare(sqlite3 *db, const char *fmt, const char *a, const char *b,
               sqlite3_stmt **ret)
{
    /* Every quote in a name is doubled. */
    size_t size = strlen(fmt) + 2 * (strlen(a) + 3 * strlen(b)) + 1;
    char *sql = size > INT_MAX ? NULL : malloc(size);
    int code = SQLITE_NOMEM;

    if (sql != NULL) {
        (void)(sqlite.snprintf)((int)size, sql, fmt, a, b, b, b);
        code = sqlite.prepare_v2(db, sql, -1, ret, NULL);
    }
    free(sql);
    return code == SQLITE_OK ? AG_OK : sqlite_err(code, "reading its schema");
}

/* ---- texts ---- */

static struct span
text_of(int type, const void *ptr, int len)
{
    bool is_text =
        len > 0 && ptr != NULL &&
        (type == SQLITE_TEXT ||
         (type == SQLITE_BLOB && memchr(ptr, 0, (size_t)len) == NULL));

    return is_text ? span_of(ptr, (size_t)len) : span_of(NULL, 0);
}

struct span
sqlite_column(sqlite3_stmt *st, int at)
{
    int type = sqlite.column_type(st, at);
    const void *ptr = type == SQLITE_TEXT   ? sqlite.column_text(st, at)
                      : type == SQLITE_BLOB ? sqlite.column_blob(st, at)
                                            : NULL;

    return text_of(type, ptr, ptr == NULL ? 0 : sqlite.column_bytes(st, at));
}

struct span
sqlite_value(sqlite3_value *value)
{
    int type = sqlite.value_type(value);
    const void *ptr = type == SQLITE_TEXT   ? sqlite.value_text(value)
                      : type == SQLITE_BLOB ? sqlite.value_blob(value)
                                            : NULL;

    return text_of(type, ptr, ptr == NULL ? 0 : sqlite.value_bytes(value));
}
