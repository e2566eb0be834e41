/*
 * sqlite.h - libsqlite3, loaded when a database is met, and a few words around
 * it.
 * Floor: cli. Depends on: transcript/lazy, base, SQLite's header.
 *
 * Loaded into this process rather than a program of its own beside it: it is
 * there already (the broker links it), passes no text over one more border, and
 * what it reads stays in a process that can't be dumped. Its memory is wiped.
 */
#ifndef AG_CLI_TRANSCRIPT_SQLITE_H
#define AG_CLI_TRANSCRIPT_SQLITE_H

#include <stdbool.h>

#include <sqlite3.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/* What the room calls, by the library's own names. */
struct sqlite_lib {
    int (*config)(int what, ...);
    int (*open_v2)(const char *path, sqlite3 **db, int flags, const char *vfs);
    int (*close_v2)(sqlite3 *db);
    int (*db_config)(sqlite3 *db, int what, ...);
    int (*deserialize)(sqlite3 *db, const char *schema, unsigned char *bytes,
                       sqlite3_int64 len, sqlite3_int64 cap, unsigned flags);
    int (*create_function_v2)(
        sqlite3 *db, const char *name, int arg_count, int flags, void *ctx,
        void (*call)(sqlite3_context *, int, sqlite3_value **),
        void (*step)(sqlite3_context *, int, sqlite3_value **),
        void (*final)(sqlite3_context *), void (*destroy)(void *));
    int (*prepare_v2)(sqlite3 *db, const char *sql, int len, sqlite3_stmt **ret,
                      const char **tail);
    int (*step)(sqlite3_stmt *st);
    int (*finalize)(sqlite3_stmt *st);
    int (*bind_text)(sqlite3_stmt *st, int at, const char *text, int len,
                     void (*destroy)(void *));
    int (*column_type)(sqlite3_stmt *st, int at);
    int (*column_int)(sqlite3_stmt *st, int at);
    int (*column_bytes)(sqlite3_stmt *st, int at);
    const void *(*column_blob)(sqlite3_stmt *st, int at);
    const unsigned char *(*column_text)(sqlite3_stmt *st, int at);
    int (*value_type)(sqlite3_value *value);
    int (*value_bytes)(sqlite3_value *value);
    const void *(*value_blob)(sqlite3_value *value);
    const unsigned char *(*value_text)(sqlite3_value *value);
    void (*result_text64)(sqlite3_context *ctx, const char *text,
                          sqlite3_uint64 len, void (*destroy)(void *),
                          unsigned char encoding);
    void (*result_blob64)(sqlite3_context *ctx, const void *bytes,
                          sqlite3_uint64 len, void (*destroy)(void *));
    void *(*user_data)(sqlite3_context *ctx);
    sqlite3_vfs *(*vfs_find)(const char *name);
    int (*vfs_register)(sqlite3_vfs *vfs, int is_default);
    int (*vfs_unregister)(sqlite3_vfs *vfs);
    char *(*snprintf)(int size, char *text, const char *fmt, ...);
};

/* Filled by sqlite_load(). */
extern struct sqlite_lib sqlite;

/* Errors: AG_EUNSUPPORTED with a sentence. Threads: one at a time. */
AG_CHECK enum ag_err sqlite_load(void);

/* Does a file that begins so hold a database? */
bool sqlite_is_database(struct span head);

/*
 * What a result of the library means: AG_EBUSY, AG_ENOSPACE, AG_ENOMEM,
 * AG_ECORRUPT, AG_EDENIED, AG_EIO, else AG_EFILE; with a sentence of our own:
 * the library's may have a value in it. `doing` is a clause for it.
 */
AG_CHECK AG_NONNULL enum ag_err sqlite_err(int code, const char *doing);

/*
 * Opens without following links, and so that no trigger of the database runs;
 * `flags` are SQLITE_OPEN_…. Closed by sqlite_shut(), also after an error.
 */
AG_CHECK AG_NONNULL enum ag_err sqlite_open(const char *path, int flags,
                                            sqlite3 **ret);
/* Through the file system that is registered as `vfs`; NULL: the usual one. */
AG_CHECK enum ag_err sqlite_open_through(const char *path, int flags,
                                         const char *vfs, sqlite3 **ret);
void sqlite_shut(sqlite3 *db);

static inline void
sqlite_cleanup(sqlite3 **slot)
{
    sqlite_shut(*slot);
}

/* Runs one statement to its end; rows don't matter. `arg` is bound as ?1, or
 * NULL. */
AG_CHECK enum ag_err sqlite_run(sqlite3 *db, const char *sql, const char *arg,
                                const char *doing);

/*
 * `fmt` has %w for names within double quotes: `a`, then `b` up to three times;
 * the statement is the caller's. SQL can't bind names: these come from the database's schema.
 */
AG_CHECK AG_NONNULL enum ag_err sqlite_prepare(sqlite3 *db, const char *fmt,
                                               const char *a, const char *b,
                                               sqlite3_stmt **ret);

/* Ends a statement: `code` is the last of step() or of prepare. */
AG_CHECK enum ag_err sqlite_finish(sqlite3_stmt *st, int code,
                                   const char *doing);

/* A text, or a blob that is one: it has no NUL. NULL ptr: neither, or empty.
 * Borrowed as by the library. */
AG_NONNULL struct span sqlite_column(sqlite3_stmt *st, int at);
AG_NONNULL struct span sqlite_value(sqlite3_value *value);

#endif
