/*
 * migrate.h - the numbered migrations of schema/, embedded by the build.
 * Floor: store. Depends on: SQLite.
 *
 * PRAGMA user_version is the number of the last migration that was run,
 * application_id says that the file is ours at all.
 */
#ifndef AG_STORE_MIGRATE_H
#define AG_STORE_MIGRATE_H

#include <stddef.h>

#include <sqlite3.h>

#include "base/attr.h"
#include "base/err.h"

struct migration {
    int number;
    const char *sql;
};

/* schema.c, made by the build; number i at place i - 1. */
extern const struct migration MIGRATIONS[];
extern const size_t MIGRATION_COUNT;

/*
 * Is the file a vault, and of which format? Nothing is written.
 * Errors: AG_ENOVAULT an empty database; AG_ENEWER a later format; AG_ECORRUPT
 *         another program's file, or not a database.
 */
AG_CHECK AG_NONNULL enum ag_err migrate_check(sqlite3 *handle,
                                              int *ret_version);

/* Runs what is missing after `version`, in the caller's transaction. Errors:
 * AG_EUNSUPPORTED, with a sentence, a format from before the first release that
 * has rotations. */
AG_CHECK AG_NONNULL enum ag_err migrate_run(sqlite3 *handle, int version);

#endif
