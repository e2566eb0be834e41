/*
 * vaultold.h - a vault turned back into format 1, that of before rotations,
 * and what format a vault's file has: 1 or the newest, each whole. Whoever
 * includes it wraps makers_note().
 */
#ifndef AG_TESTS_VAULTOLD_H
#define AG_TESTS_VAULTOLD_H

#include <sqlite3.h>

#include "common/vaultdump.h"
#include "store/makers.h"

enum {
    OLD_FORMAT = 1,
    NEW_FORMAT = 3,
    OLD_TEXT_BYTES = 12 * 1024,
};

/* What the migrations after 0001 make, as the file's schema says it. */
static const char OLD_SQL_OBJECTS[] =
    "SELECT coalesce(group_concat(sql, x'0a'), '') FROM (SELECT sql FROM "
    "sqlite_schema WHERE tbl_name IN ('rotation', 'rotation_rule', 'incident', "
    "'minted', 'version_maker', 'token_line', 'notice') OR "
    "name = 'secret_there' ORDER BY type, name)";

static const char OLD_SQL_BACK[] =
    "BEGIN; DROP INDEX rotation_rule_of; DROP INDEX rotation_rule_next;"
    "DROP INDEX rotation_open; DROP INDEX rotation_due;"
    "DROP INDEX incident_of_version; DROP INDEX incident_of_task;"
    "DROP INDEX minted_of_task; DROP INDEX minted_due;"
    "DROP INDEX rotation_of; DROP INDEX minted_ended;"
    "DROP TABLE rotation_rule; DROP TABLE rotation; DROP TABLE incident;"
    "DROP TABLE minted; DROP TABLE version_maker; DROP TABLE token_line;"
    "DROP TABLE notice; DROP INDEX secret_there;"
    "PRAGMA user_version = 1; COMMIT";

static bool old_is_making; /* as a program of format 1, which noted no maker */

enum ag_err __real_makers_note(struct db_tx *tx, int64_t version_id,
                               enum version_maker maker, int64_t task_id);
enum ag_err __wrap_makers_note(struct db_tx *tx, int64_t version_id,
                               enum version_maker maker, int64_t task_id);

enum ag_err
__wrap_makers_note(struct db_tx *tx, int64_t version_id,
                   enum version_maker maker, int64_t task_id)
{
    return old_is_making ? AG_OK
                         : __real_makers_note(tx, version_id, maker, task_id);
}

/* The vault is closed, or open in this process: WAL allows a second reader. */
static inline sqlite3 *
old_handle(void)
{
    sqlite3 *handle = NULL;
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/vault.db", vault.home);
    assert_int_equal(
        sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return handle;
}

/* The first column of the first row. */
static inline void
old_ask(const char *sql, char *out, size_t size)
{
    sqlite3 *handle = old_handle();
    sqlite3_stmt *st = NULL;

    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    (void)snprintf(out, size, "%s", (const char *)sqlite3_column_text(st, 0));
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

/* The format; of `objects` (a new vault's) it has all or none, as it says. */
static inline int
old_format(const char *objects)
{
    char text[OLD_TEXT_BYTES / 2];
    char version[16];

    old_ask("PRAGMA integrity_check", text, sizeof(text));
    assert_string_equal(text, "ok");
    old_ask("PRAGMA user_version", version, sizeof(version));
    old_ask(OLD_SQL_OBJECTS, text, sizeof(text));
    if (strcmp(version, "1") == 0) {
        assert_string_equal(text, "");
        return OLD_FORMAT;
    }
    assert_string_equal(version, "6");
    assert_string_equal(text, objects);
    return NEW_FORMAT;
}

/* What the vault holds, as a text to free. */
static inline char *
old_dump(void)
{
    AG_AUTO(buf) struct buf out;
    char *text;

    buf_init(&out, DUMP_MAX_BYTES, BUF_PLAIN);
    check_ok(vault_dump(&out));
    text = strdup(buf_cstr(&out));
    assert_non_null(text);
    return text;
}

/* Fills the new vault and closes it, of format 1: what a new one has to that
 * end, and all it holds, as a text to free. */
static inline char *
old_make(char objects[OLD_TEXT_BYTES / 2])
{
    sqlite3 *handle;
    char *want;

    old_is_making = true;
    for (size_t i = 0; strcmp(DUMP_STEPS[i].name, "revoke") != 0; i++) {
        check_ok(vault_dump_step(i, vault.ring));
    }
    old_is_making = false;
    want = old_dump();
    store_close(vault.s);
    vault.s = NULL;
    old_ask(OLD_SQL_OBJECTS, objects, OLD_TEXT_BYTES / 2);
    assert_int_equal(old_format(objects), NEW_FORMAT);
    handle = old_handle();
    assert_int_equal(sqlite3_exec(handle, OLD_SQL_BACK, NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    assert_int_equal(old_format(objects), OLD_FORMAT);
    return want;
}

/* After a start it is of the new format and holds what it held. */
static inline void
old_check_migrated(const char *want, const char *objects)
{
    struct store_found found;
    char *got;

    check_ok(vault_open_either(vault.ring, &found));
    got = old_dump();
    assert_string_equal(got, want);
    free(got);
    vault_check_sound();
    vault_put("after/the-migration", "works");
    store_close(vault.s);
    vault.s = NULL;
    assert_int_equal(old_format(objects), NEW_FORMAT);
}

#endif
