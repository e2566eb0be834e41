#include "store/migrate.h"

#include "store/conn.h"
#include "store/db.h"

static enum ag_err
first_int(sqlite3 *handle, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(handle, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_ROW ? AG_OK : conn_err(rc, "vault.db");
}

enum ag_err
migrate_check(sqlite3 *handle, int *ret_version)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t objects = 0;
    enum ag_err err;

    err = first_int(handle, "PRAGMA application_id", &application);
    if (err == AG_OK) {
        err = first_int(handle, "PRAGMA user_version", &version);
    }
    if (err == AG_OK) {
        err = first_int(handle, "SELECT count(*) FROM sqlite_schema", &objects);
    }
    if (err != AG_OK) {
        return err;
    }
    if (application == 0 && version == 0 && objects == 0) {
        return AG_ENOVAULT;
    }
    if (application != DB_APPLICATION_ID || version < 1) {
        return err_why(AG_ECORRUPT, "vault.db is not a vault of auth-guard");
    }
    if (version > (int64_t)MIGRATION_COUNT) {
        return err_why(AG_ENEWER,
                       "vault.db has format %lld, this program knows %zu",
                       (long long)version, MIGRATION_COUNT);
    }
    *ret_version = (int)version;
    return AG_OK;
}

/* Formats 2 and 3 were never released. In them rotations were in no digest; what
 * one without the vault's keys makes of it here would be anybody's word. */
static enum ag_err
check_unreleased(sqlite3 *handle, int version)
{
    int64_t rows = 0;
    enum ag_err err = AG_OK;

    if (version != 2 && version != 3) {
        return AG_OK;
    }
    err = first_int(handle,
                    "SELECT count(*) FROM (SELECT id FROM rotation_rule"
                    " UNION ALL SELECT id FROM rotation)",
                    &rows);
    return err == AG_OK && rows > 0
               ? err_why(AG_EUNSUPPORTED,
                         "vault.db has format %d, which was never released, "
                         "and rules of rotation that no record covers; with "
                         "the program that made it, export the secrets, and "
                         "import them into a new vault",
                         version)
               : err;
}

/* user_version takes no bound parameter; these are all it can become. */
static const char *const SQL_VERSION[] = {
    "PRAGMA user_version = 1", "PRAGMA user_version = 2",
    "PRAGMA user_version = 3", "PRAGMA user_version = 4",
    "PRAGMA user_version = 5", "PRAGMA user_version = 6",
    "PRAGMA user_version = 7", "PRAGMA user_version = 8",
};

_Static_assert(DB_APPLICATION_ID == 1095194161, "the text below differs");

enum ag_err
migrate_run(sqlite3 *handle, int version)
{
    enum ag_err err = check_unreleased(handle, version);
    size_t i;
    int rc;

    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(version >= 0 && MIGRATION_COUNT <= AG_COUNT(SQL_VERSION));
    for (i = (size_t)version; i < MIGRATION_COUNT; i++) {
        AG_ASSERT(MIGRATIONS[i].number == (int)i + 1);
        rc = sqlite3_exec(handle, MIGRATIONS[i].sql, NULL, NULL, NULL);
        if (rc == SQLITE_OK) {
            rc = sqlite3_exec(handle, SQL_VERSION[i], NULL, NULL, NULL);
        }
        if (rc != SQLITE_OK) {
            return conn_err(rc, "vault.db: migration");
        }
    }
    if (version > 0) {
        return AG_OK;
    }
    rc = sqlite3_exec(handle, "PRAGMA application_id = 1095194161", NULL, NULL,
                      NULL);
    return rc == SQLITE_OK ? AG_OK : conn_err(rc, "vault.db");
}
