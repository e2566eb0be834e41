/* The record: chain, reading, export, and tampering with rows and files. */
#include "base/buf.h"
#include "common/tamper.h"

static struct audit_report
verify(void)
{
    struct audit_report report;

    check_ok(audit_verify(vault.s, &report));
    return report;
}

static void
fill(void)
{
    int64_t task_id = vault_add_task("work");

    vault_put("codex/default", "one");
    vault_put("codex/default", "two");
    vault_put("github/bot", "three");
    vault_add_token(task_id, 0);
    vault_add_token(task_id, 0);
}

struct seen {
    unsigned rows;
    uint64_t last;
};

static enum ag_err
see(const struct audit_row *row, void *arg)
{
    struct seen *seen = arg;

    assert_non_null(audit_kind_text(row->kind));
    seen->rows++;
    seen->last = row->seq;
    return AG_OK;
}

static void
test_reading(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct seen seen = {0};
    uint8_t chain[AUDIT_CHAIN_BYTES];
    uint64_t newest = 0;

    (void)state;
    fill();
    r = vault_read();
    check_ok(audit_newest(r, &newest, chain));
    assert_int_equal(newest, 7);
    check_ok(audit_each(r, 0, 100, see, &seen));
    assert_int_equal(seen.rows, 7);
    seen.rows = 0;
    check_ok(audit_each(r, 2, 3, see, &seen));
    assert_int_equal(seen.rows, 3);
    assert_int_equal(seen.last, 5);
    seen.rows = 0;
    check_ok(audit_tail(r, 2, see, &seen));
    assert_int_equal(seen.rows, 2);
    assert_int_equal(seen.last, 7);
    seen.rows = 0;
    check_ok(audit_each(r, 7, 10, see, &seen));
    check_ok(audit_each(r, 700, 10, see, &seen));
    assert_int_equal(seen.rows, 0);
}

static void
test_export(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(buf) struct buf out;
    uint64_t last = 0;
    uint64_t before;
    unsigned calls = 0;

    (void)state;
    buf_init(&out, 400, BUF_PLAIN); /* a row or two at a time */
    fill();
    r = vault_read();
    do {
        before = last;
        buf_clear(&out);
        check_ok(audit_export(r, last, 100, &out, &last));
        assert_true(last == before || out.ptr[out.len - 1] == '\n');
        if (before == 1) {
            assert_non_null(strstr(buf_cstr(&out), "{\"seq\":2,\"time\":\"20"));
        }
        calls++;
    } while (last != before);
    assert_int_equal(last, 7);
    assert_true(calls > 3);
}

static enum ag_err
step_bad_json(struct db_tx *tx, void *arg)
{
    return audit_note(tx, AUDIT_BROKER_STARTED, 0, 0, arg);
}

static void
test_a_body_is_an_object_within_its_cap(void **state)
{
    static char text[AUDIT_JSON_MAX_BYTES + 2];

    (void)state;
    memset(text, ' ', sizeof(text) - 1);
    text[0] = '{';
    text[sizeof(text) - 2] = '}';
    check_err(vault_do(step_bad_json, text), AG_ELIMIT);
    text[sizeof(text) - 3] = '}';
    text[sizeof(text) - 2] = '\0';
    check_ok(vault_do(step_bad_json, text));
    text[0] = '[';
    check_err(vault_do(step_bad_json, text), AG_EINVAL);
    vault_check_sound();
}

/* ---- tampering ---- */

struct trick {
    const char *sql;
    enum audit_fault fault;
    const char *table;
    int64_t row; /* of the table, or seq of the record */
};

static const struct trick TRICKS[] = {
    {"UPDATE audit SET kind = 2 WHERE seq = 3", AUDIT_FAULT_ROW, "", 3},
    {"UPDATE audit SET wall_ms = wall_ms + 1 WHERE seq = 3", AUDIT_FAULT_ROW,
     "", 3},
    {"UPDATE audit SET body = (SELECT body FROM audit WHERE seq = 4)"
     " WHERE seq = 3",
     AUDIT_FAULT_ROW, "", 3},
    {"UPDATE audit SET chain = zeroblob(32) WHERE seq = 3", AUDIT_FAULT_ROW, "",
     3},
    {"DELETE FROM audit WHERE seq = 4", AUDIT_FAULT_GAP, "", 4},
    {"UPDATE audit SET seq = seq + 100 WHERE seq > 5", AUDIT_FAULT_GAP, "", 6},
    {"DELETE FROM audit WHERE seq > 5", AUDIT_FAULT_CUT, "", 5},
    {"DELETE FROM audit", AUDIT_FAULT_CUT, "", 0},
    {"UPDATE token SET expires_ms = expires_ms + 1, max_expires_ms ="
     " max_expires_ms + 1 WHERE id = 2",
     AUDIT_FAULT_ALTERED, "token", 2},
    {"UPDATE task SET ended_ms = 1, end_reason = 1", AUDIT_FAULT_ALTERED,
     "task", 1},
    {"DELETE FROM token WHERE id = 2", AUDIT_FAULT_MISSING, "token", 2},
    {"INSERT INTO token SELECT 3, parent_id, task_id, role_id, depth, flags,"
     " created_ms, expires_ms, max_expires_ms, generation, uses_max,"
     " uses_count, revoked_ms, end_reason, randomblob(32), randomblob(32),"
     " body, tag FROM token WHERE id = 2",
     AUDIT_FAULT_EXTRA, "token", 3},
};

static void
test_each_trick_is_noticed_and_named(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(TRICKS); i++) {
        const struct trick *trick = &TRICKS[i];
        struct audit_report report;

        assert_int_equal(vault_set_up(NULL), 0);
        fill();
        tamper(trick->sql);
        report = verify();
        if (report.fault != trick->fault) {
            print_error("%s: %d %s\n", trick->sql, (int)report.fault,
                        report.text);
        }
        assert_int_equal(report.fault, trick->fault);
        assert_string_equal(report.table, trick->table);
        assert_int_equal(trick->table[0] == '\0' ? (int64_t)report.seq
                                                 : report.table_row,
                         trick->row);
        assert_true(strlen(report.text) > 10);
        assert_int_equal(vault_tear_down(NULL), 0);
    }
}

/* Rows the unlock looks at (small tables) stop the next unlock or the loader
 * of the redaction set, and using the row alone too. */
static const struct trick SMALL_TRICKS[] = {
    {"UPDATE slot SET kind = 2", AUDIT_FAULT_ALTERED, "slot", 1},
    {"UPDATE slot SET blob = x'00'", AUDIT_FAULT_ALTERED, "slot", 1},
    {"DELETE FROM slot", AUDIT_FAULT_MISSING, "slot", 1},
    {"DELETE FROM vault", AUDIT_FAULT_MISSING, "vault", 1},
    {"UPDATE secret SET min_grade = 1 WHERE id = 2", AUDIT_FAULT_ALTERED,
     "secret", 2},
    {"DELETE FROM version WHERE id = 3", AUDIT_FAULT_MISSING, "version", 3},
    {"UPDATE version SET value = (SELECT value FROM version WHERE id = 1),"
     " wrapped = (SELECT wrapped FROM version WHERE id = 1) WHERE id = 2",
     AUDIT_FAULT_ALTERED, "version", 2},
};

static void
test_small_tables_are_checked_without_the_record(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < AG_COUNT(SMALL_TRICKS); i++) {
        const struct trick *trick = &SMALL_TRICKS[i];
        struct audit_report report;

        assert_int_equal(vault_set_up(NULL), 0);
        fill();
        tamper(trick->sql);
        check_err(audit_verify_small(vault.s), AG_ECORRUPT);
        report = verify();
        assert_int_equal(report.fault, trick->fault);
        assert_string_equal(report.table, trick->table);
        assert_int_equal(report.table_row, trick->row);
        assert_int_equal(vault_tear_down(NULL), 0);
    }
}

static void
test_a_changed_slot_stops_the_unlock(void **state)
{
    struct store_found found;

    (void)state;
    store_lock(vault.s);
    tamper("UPDATE slot SET blob = x'0102'");
    check_err(store_unlock(vault.s, vault.ring, &found), AG_ECORRUPT);
    assert_false(store_is_open(vault.s));
}

static void
test_a_row_of_the_past_is_noticed(void **state)
{
    struct audit_report report;

    (void)state;
    vault_put("a", "1");
    tamper("CREATE TABLE past AS SELECT * FROM secret");
    vault_put("a", "2");
    tamper("UPDATE secret SET current_version = p.current_version,"
           " last_version = p.last_version, changed_ms = p.changed_ms,"
           " body = p.body, tag = p.tag FROM past AS p"
           " WHERE p.id = secret.id");
    check_err(audit_verify_small(vault.s), AG_ECORRUPT);
    report = verify();
    assert_int_equal(report.fault, AUDIT_FAULT_ALTERED);
    assert_string_equal(report.table, "secret");
}

static void
test_a_moved_value_does_not_open(void **state)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret) struct secret *value = NULL;
    int64_t id;

    (void)state;
    vault_put("a", "mine");
    id = vault_put("b", "yours");
    tamper(
        "UPDATE version SET value = (SELECT value FROM version WHERE id = 1),"
        " wrapped = (SELECT wrapped FROM version WHERE id = 1)"
        " WHERE id = 2");
    r = vault_read();
    check_err(versions_value(r, id, 0, NULL, &value), AG_ECORRUPT);
}

/* ---- flipped bytes of the file ---- */

static void
test_flipped_bytes_are_never_believed(void **state)
{
    char path[160];
    int fd;
    off_t len;
    off_t at;
    unsigned noticed = 0;

    (void)state;
    fill();
    store_close(vault.s);
    vault.s = NULL;
    (void)snprintf(path, sizeof(path), "%s/vault.db", vault.home);
    fd = open(path, O_RDWR | O_CLOEXEC);
    len = lseek(fd, 0, SEEK_END);
    for (at = 17; at < len; at += 211) {
        struct audit_report report = {0};
        struct store_found found;
        uint8_t byte;
        uint8_t flipped;
        enum ag_err err;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = byte ^ 0x40;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        err = store_open(vault.home, &vault.s);
        if (err == AG_OK) {
            /* store_open() has set it. */
            // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker)
            err = store_unlock(vault.s, vault.ring, &found);
        }
        if (err == AG_OK) {
            err = audit_verify(vault.s, &report);
        }
        noticed += err != AG_OK || report.fault != AUDIT_FAULT_NONE;
        if (err == AG_OK && report.fault == AUDIT_FAULT_NONE) {
            /* Unused bytes of a page: everything is right. */
            vault_check_value("github/bot", 0, "three");
        }
        store_close(vault.s);
        vault.s = NULL;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    (void)close(fd);
    print_message("%u flips noticed\n", noticed);
    assert_true(noticed > 20);
}

/* ---- no plaintext on disk ---- */

static bool
file_has(const char *name, const char *needle)
{
    char path[160];
    static uint8_t bytes[8 * 1024 * 1024];
    ssize_t got;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", vault.home, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    got = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    assert_true(got >= 0);
    return memmem(bytes, (size_t)got, needle, strlen(needle)) != NULL;
}

static void
check_no_trace(void)
{
    static const char *const FILES[] = {
        "vault.db",     "vault.db-wal",  "vault.db-shm", "vault.head",
        "uses.journal", "uses.journal2", "vault.lock"};
    static const char *const CANARIES[] = {
        "canary-value-4711", "canary/name",  "canary-task",    "canary-purpose",
        "canary-repository", "canary-audit", "canary-accessor"};
    size_t i;
    size_t j;

    for (i = 0; i < AG_COUNT(FILES); i++) {
        for (j = 0; j < AG_COUNT(CANARIES); j++) {
            assert_false(file_has(FILES[i], CANARIES[j]));
        }
    }
}

static enum ag_err
step_canary(struct db_tx *tx, void *arg)
{
    struct task_row task = {.name = "canary-task",
                            .purpose = "canary-purpose",
                            .repository = "canary-repository",
                            .deadline_ms = db_tx_now_ms(tx) + 1000};
    struct token_row token = vault_token(0, 0);
    enum ag_err err = tasks_add(tx, &task);

    (void)arg;
    (void)snprintf(token.accessor, sizeof(token.accessor), "canary-accessor");
    token.task_id = task.id;
    return err != AG_OK ? err : tokens_add(tx, &token);
}

static void
test_no_plaintext_reaches_the_disk(void **state)
{
    char json[] = "{\"what\":\"canary-audit\"}";

    (void)state;
    vault_put("canary/name", "canary-value-4711");
    check_ok(vault_do(step_canary, NULL));
    check_ok(vault_do(step_bad_json, json));
    check_no_trace();
    store_close(vault.s);
    vault.s = NULL;
    check_no_trace();
    assert_true(file_has("vault.db", "SQLite format 3")); /* it does look */
}

/* A destroyed version's sealed bytes are gone from file and WAL. */
static void
test_a_destroyed_value_leaves_no_sealed_bytes(void **state)
{
    static uint8_t sealed[4096];
    char path[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    char needle[33] = "";

    (void)state;
    vault_put("a", "first");
    (void)snprintf(path, sizeof(path), "%s/vault.db", vault.home);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT wrapped FROM version"
                                        " WHERE id = 1",
                                        -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    memcpy(sealed, sqlite3_column_blob(st, 0), 32);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    memcpy(needle, sealed + 1, 16); /* of its nonce */
    if (strlen(needle) < 8) {
        skip(); /* a zero byte: file_has() can't look for it */
    }
    assert_true(file_has("vault.db-wal", needle) ||
                file_has("vault.db", needle));
    vault_put("a", "2");
    vault_put("a", "3");
    vault_put("a", "4"); /* two are retained: the first is destroyed */
    check_ok(store_flush(vault.s));
    assert_false(file_has("vault.db-wal", needle));
    assert_false(file_has("vault.db", needle));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, vault_set_up, vault_tear_down)
        TEST(test_reading),
        TEST(test_export),
        TEST(test_a_body_is_an_object_within_its_cap),
        cmocka_unit_test(test_each_trick_is_noticed_and_named),
        cmocka_unit_test(test_small_tables_are_checked_without_the_record),
        TEST(test_a_changed_slot_stops_the_unlock),
        TEST(test_a_row_of_the_past_is_noticed),
        TEST(test_a_moved_value_does_not_open),
        TEST(test_flipped_bytes_are_never_believed),
        TEST(test_no_plaintext_reaches_the_disk),
        TEST(test_a_destroyed_value_leaves_no_sealed_bytes),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
