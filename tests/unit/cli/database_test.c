/* Databases changed where they lie: every text of them, and nothing else. */
#include "common/treated.h"

#define INSERT_MANY                                                            \
    ("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT "   \
     "2000) INSERT INTO t SELECT 'row ' || i || ' " VALUE "' FROM c")

static const char *const PLAIN[] = {
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 99",
    "CREATE TABLE t (a TEXT, b BLOB, n INTEGER)",
    "CREATE INDEX t_a ON t (a)",
    "INSERT INTO t VALUES ('gone', 'x', 0)",
    "INSERT INTO t VALUES ('a " VALUE " b', CAST('" VALUE "' AS BLOB), 5)",
    "INSERT INTO t VALUES ('clean', x'534543524554" /* binary */
    "2d56414c554500', 6)",
    "DELETE FROM t WHERE n = 0",
    NULL};

static void
test_texts_are_changed_and_the_rest_stays(void **state)
{
    struct stat was;
    struct stat now;

    (void)state;
    database_make("d", PLAIN);
    assert_int_equal(fchmodat(scratch.fd, "d", 0640, 0), 0);
    assert_int_equal(fstatat(scratch.fd, "d", &was, 0), 0);
    treated_state("d", true, TREAT_FOUND, 2);
    assert_int_equal(fstatat(scratch.fd, "d", &now, 0), 0);
    assert_memory_equal(&now.st_ctim, &was.st_ctim, sizeof(now.st_ctim));
    treated_state("d", false, TREAT_CHANGED, 2);
    assert_int_equal(fstatat(scratch.fd, "d", &now, 0), 0);
    assert_int_equal(now.st_mode & 07777, 0640);
    assert_memory_equal(&now.st_mtim, &was.st_mtim, sizeof(now.st_mtim));
    treated_answer("d", "SELECT a FROM t WHERE n = 5", "a [x] b");
    treated_answer("d", "SELECT typeof(b) || b FROM t WHERE n = 5", "blob[x]");
    treated_answer("d", "SELECT hex(b) FROM t WHERE n = 6",
                   "5345435245542D56414C554500");
    treated_answer("d", "SELECT group_concat(rowid) FROM t", "2,3");
    treated_answer("d", "SELECT n FROM t WHERE a = 'a [x] b'", "5");
    treated_answer("d", "PRAGMA user_version", "7");
    treated_answer("d", "PRAGMA application_id", "99");
    treated_answer("d", "PRAGMA integrity_check", "ok");
    treated_answer("d", "PRAGMA journal_mode", "delete");
    treated_state("d", false, TREAT_CLEAN, 0);
    treated_count(1);
}

static void
test_a_clean_database_is_not_written(void **state)
{
    static const char *const SQL[] = {"CREATE TABLE t (a)",
                                      "INSERT INTO t VALUES ('nothing')", NULL};
    struct stat was;
    struct stat now;

    (void)state;
    database_make("d", SQL);
    assert_int_equal(fstatat(scratch.fd, "d", &was, 0), 0);
    treated_state("d", false, TREAT_CLEAN, 0);
    assert_int_equal(fstatat(scratch.fd, "d", &now, 0), 0);
    assert_int_equal(now.st_ino, was.st_ino);
    assert_memory_equal(&now.st_ctim, &was.st_ctim, sizeof(now.st_ctim));
}

/* Rows long gone still lie in the file. */
static void
test_what_was_deleted_does_not_come_along(void **state)
{
    static const char *const SQL[] = {"PRAGMA secure_delete = OFF",
                                      "CREATE TABLE t (a)", INSERT_MANY,
                                      "DELETE FROM t WHERE rowid > 1", NULL};

    (void)state;
    database_make("d", SQL);
    assert_true(database_has_bytes("d", "row 400 " VALUE));
    treated_state("d", false, TREAT_CHANGED, 1);
    assert_false(database_has_bytes("d", VALUE));
    treated_answer("d", "SELECT a FROM t", "row 1 [x]");
}

static const char *const RELATED[] = {
    "CREATE TABLE p (k TEXT PRIMARY KEY, n) WITHOUT ROWID",
    "CREATE TABLE c (k TEXT REFERENCES p, g TEXT AS ('<' || k || '>') STORED)",
    "CREATE VIEW v AS SELECT k FROM c",
    "CREATE TABLE told (old TEXT CHECK (json_valid(old)))",
    "CREATE TRIGGER tell AFTER UPDATE ON p BEGIN "
    "INSERT INTO told VALUES (old.k); END",
    "CREATE TABLE \"odd \"\" 'name\" (\"a \"\"b'\" TEXT)",
    "INSERT INTO p VALUES ('" VALUE "', 1), ('other', 2)",
    "INSERT INTO c VALUES ('" VALUE "'), ('other')",
    "INSERT INTO \"odd \"\" 'name\" VALUES ('" VALUE "')",
    NULL};

static void
test_rows_refer_to_one_another_as_before(void **state)
{
    (void)state;
    database_make("d", RELATED);
    treated_state("d", false, TREAT_CHANGED, 3);
    treated_answer("d", "SELECT n FROM p JOIN c USING (k) ORDER BY n", "1");
    treated_answer("d", "SELECT g FROM c", "<[x]>");
    treated_answer("d", "SELECT group_concat(k) FROM v", "[x],other");
    treated_answer("d", "SELECT count(*) FROM told", "0");
    treated_answer("d", "SELECT * FROM \"odd \"\" 'name\"", "[x]");
    treated_answer("d", "PRAGMA foreign_key_check", "NULL");
    assert_false(database_has_bytes("d", VALUE));
}

static void
test_other_encodings(void **state)
{
    static const char *const SQL[] = {"PRAGMA page_size = 1024",
                                      "PRAGMA encoding = 'UTF-16be'",
                                      "PRAGMA auto_vacuum = INCREMENTAL",
                                      "CREATE TABLE t (a)",
                                      INSERT_VALUE,
                                      NULL};

    (void)state;
    database_make("d", SQL);
    treated_state("d", false, TREAT_CHANGED, 1);
    treated_answer("d", "SELECT a FROM t", "[x]");
    treated_answer("d", "PRAGMA encoding", "UTF-16be");
    treated_answer("d", "PRAGMA auto_vacuum", "2");
    treated_answer("d", "PRAGMA page_size", "1024");
}

/* ---- many texts in one stream ---- */

static void
test_texts_that_lose_their_border_go_alone(void **state)
{
    static const char *const SQL[] = {
        "CREATE TABLE t (i INTEGER PRIMARY KEY, a)",
        "INSERT INTO t (a) VALUES ('before " VALUE "'), ('KEY-BEGIN one'),"
        " ('middle'), ('two KEY-END tail'), ('after " VALUE "')",
        NULL};

    (void)state;
    database_make("d", SQL);
    treated_state("d", false, TREAT_CHANGED, 3);
    assert_true(database_passes > 1);
    treated_answer("d", "SELECT group_concat(a, '|') FROM t ORDER BY i",
                   "before [x]|[k]|middle|two KEY-END tail|after [x]");
}

static void
test_texts_with_the_border_in_them(void **state)
{
    static const char *const SQL[] = {
        "CREATE TABLE t (i INTEGER PRIMARY KEY, a)",
        "INSERT INTO t (a) VALUES ('one " VALUE "'), ('two' || char(10,30,10) "
        "|| '" VALUE "'), (char(30,30,30,30)), ('last' || char(10)),"
        "(char(10) || '" VALUE "')",
        NULL};

    (void)state;
    database_make("d", SQL);
    treated_state("d", false, TREAT_CHANGED, 3);
    treated_answer(
        "d", "SELECT hex(group_concat(a, '|')) FROM t ORDER BY i",
        "6F6E65205B785D7C74776F0A1E0A5B785D7C1E1E1E1E7C6C6173740A7C0A5B"
        "785D");
}

/* One border too many, and one too few. */
static void
test_borders_don_t_make_up_for_one_another(void **state)
{
    static const char *const SQL[] = {
        "CREATE TABLE t (i INTEGER PRIMARY KEY, a)",
        "INSERT INTO t (a) VALUES ('mine' || char(10,30,10) || 'too'),"
        " ('KEY-BEGIN one'), ('two KEY-END tail')",
        NULL};

    (void)state;
    database_make("d", SQL);
    treated_state("d", false, TREAT_CHANGED, 1);
    treated_answer("d", "SELECT hex(a) FROM t WHERE i = 1",
                   "6D696E650A1E0A746F6F");
    treated_answer("d", "SELECT a FROM t WHERE i = 2", "[k]");
    treated_answer("d", "SELECT a FROM t WHERE i = 3", "two KEY-END tail");
}

/* ---- full text indexes ---- */

static const char *const INDEXED[] = {
    "CREATE VIRTUAL TABLE own USING fts5(a, b)",
    "CREATE VIRTUAL TABLE four USING\n fts4(a)",
    "CREATE TABLE doc (id INTEGER PRIMARY KEY, body)",
    "CREATE VIRTUAL TABLE beside USING FTS5(body, content='doc', "
    "content_rowid='id')",
    "INSERT INTO own VALUES ('quux " VALUE " here', 'clean')",
    "INSERT INTO four VALUES ('quux " VALUE " here')",
    "INSERT INTO doc VALUES (3, 'quux " VALUE " here')",
    "INSERT INTO beside(rowid, body) SELECT id, body FROM doc",
    NULL};

static void
test_full_text_indexes_are_made_anew(void **state)
{
    (void)state;
    database_make("d", INDEXED);
    assert_true(database_has_bytes("d", "ecret"));
    treated_state("d", false, TREAT_CHANGED, 3);
    treated_answer("d", "SELECT a FROM own WHERE own MATCH 'quux'",
                   "quux [x] here");
    treated_answer("d", "SELECT count(*) FROM own WHERE own MATCH 'secret'",
                   "0");
    treated_answer("d", "SELECT a FROM four WHERE four MATCH 'x'",
                   "quux [x] here");
    treated_answer("d", "SELECT count(*) FROM four WHERE four MATCH 'secret'",
                   "0");
    treated_answer("d", "SELECT body FROM beside WHERE beside MATCH 'quux'",
                   "quux [x] here");
    treated_answer(
        "d", "SELECT count(*) FROM beside WHERE beside MATCH 'secret'", "0");
    assert_false(database_has_bytes("d", "ecret")); /* nor a word of it */
    assert_false(database_has_bytes("d", VALUE));
    treated_answer("d", "PRAGMA integrity_check", "ok");
}

static void
test_an_index_without_its_text_is_left(void **state)
{
    static const char *const SQL[] = {
        "CREATE VIRTUAL TABLE bare USING fts5(a, content='')",
        "CREATE TABLE t (a)", "INSERT INTO bare(rowid, a) VALUES (1, 'x')",
        INSERT_VALUE, NULL};

    (void)state;
    database_make("d", SQL);
    treated_left("d", AG_EFILE, "full text index");
    treated_answer("d", "SELECT a FROM t", VALUE);
    treated_count(1);
}

/* ---- left as they are ---- */

static void
test_constraints_and_schema(void **state)
{
    static const char *const UNIQUE[] = {
        "CREATE TABLE t (a TEXT UNIQUE)",
        "INSERT INTO t VALUES ('" VALUE "'), ('[x]')", NULL};
    static const char *const CHECK[] = {
        "CREATE TABLE t (a TEXT CHECK (length(a) > 5))", INSERT_VALUE, NULL};
    static const char *const SCHEMA[] = {
        "CREATE TABLE t (a TEXT DEFAULT '" VALUE "')", NULL};

    (void)state;
    database_make("u", UNIQUE);
    database_make("c", CHECK);
    database_make("s", SCHEMA);
    treated_left("u", AG_EFILE, "constraint");
    treated_left("c", AG_EFILE, "constraint");
    treated_left("s", AG_EFILE, "stands in the schema");
    treated_state("s", true, TREAT_FOUND, 1);
    treated_answer("u", "SELECT a FROM t", VALUE);
    treated_answer("c", "SELECT a FROM t", VALUE);
    treated_count(3);
}

static void
test_damaged_ones(void **state)
{
    char noise[512];
    int fd;

    (void)state;
    database_make("d", PLAIN);
    memset(noise, 0x5a, sizeof(noise));
    fd = openat(scratch.fd, "d", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, noise, sizeof(noise), 4096), sizeof(noise));
    assert_int_equal(close(fd), 0);
    treated_left("d", AG_ECORRUPT, "damaged");
    scratch_write("cut", "SQLite format 3", 16, 0600);
    treated_left("cut", AG_ECORRUPT, "cut");
    treated_count(2);
}

static void
test_who_has_it_open_keeps_it(void **state)
{
    struct treat_result r;
    sqlite3 *db;

    (void)state;
    database_make("d", PLAIN);
    db = database_open("d");
    check_ok(sqlite_run(db, "SELECT * FROM t", NULL, "reading"));
    treated_left("d", AG_EBUSY, "another process has it open");
    treated_do("d", true, &r);
    assert_int_equal(r.state, TREAT_FOUND);
    assert_int_equal(r.hits, 2);
    assert_int_equal(r.err, AG_EBUSY);
    sqlite_shut(db);
    treated_state("d", false, TREAT_CHANGED, 2);
}

int
main(void)
{
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, treated_setup, scratch_close)
    const struct CMUnitTest tests[] = {
        TEST(test_texts_are_changed_and_the_rest_stays),
        TEST(test_a_clean_database_is_not_written),
        TEST(test_what_was_deleted_does_not_come_along),
        TEST(test_rows_refer_to_one_another_as_before),
        TEST(test_other_encodings),
        TEST(test_texts_that_lose_their_border_go_alone),
        TEST(test_texts_with_the_border_in_them),
        TEST(test_borders_don_t_make_up_for_one_another),
        TEST(test_full_text_indexes_are_made_anew),
        TEST(test_an_index_without_its_text_is_left),
        TEST(test_constraints_and_schema),
        TEST(test_damaged_ones),
        TEST(test_who_has_it_open_keeps_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
