/*
 * tamper.h - SQL on the vault's file behind the broker's back; on top of
 * vault.h.
 */
#ifndef AG_TESTS_TAMPER_H
#define AG_TESTS_TAMPER_H

#include <sqlite3.h>

#include "common/vault.h"

/* It changes rows, or makes a table. */
static inline void
tamper(const char *sql)
{
    char path[160];
    sqlite3 *db = NULL;
    char *why = NULL;

    (void)snprintf(path, sizeof(path), "%s/vault.db", vault.home);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        print_error("%s: %s\n", sql, why);
        fail();
    }
    assert_true(sqlite3_changes(db) > 0 || sql[0] == 'C');
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
