/* What killed writers leave beside a database. */
#include <sys/wait.h>

#include <errno.h>

#include "common/treated.h"
#include "transcript/sides.h"

#define INSERT_MANY                                                            \
    ("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT "   \
     "2000) INSERT INTO t SELECT 'row ' || i || ' " VALUE "' FROM c")

enum {
    FILE_MAX_BYTES = 512 * 1024,
};

/* Of a file that has no name any more: the value is not in it. */
static void
check_overwritten(int fd)
{
    static char bytes[FILE_MAX_BYTES];
    ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_true(n > 0);
    assert_null(memmem(bytes, (size_t)n, VALUE, strlen(VALUE)));
    assert_int_equal(close(fd), 0);
}

/* Writes, and is gone without closing. */
static void
write_and_die(const char *const *statements)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        database_run(database_open("d"), statements);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void
make_hot_journal(void)
{
    static const char *const MAKE[] = {"CREATE TABLE t (a)", INSERT_MANY, NULL};
    static const char *const SPILL[] = {
        "PRAGMA cache_size = 2", "PRAGMA synchronous = OFF", "BEGIN",
        "UPDATE t SET a = a || ' unfinished'", NULL};

    database_make("d", MAKE);
    write_and_die(SPILL);
}

static void
test_a_log_is_brought_in_first(void **state)
{
    static const char *const SQL[] = {
        "PRAGMA journal_mode = WAL", "CREATE TABLE t (a)",
        "INSERT INTO t VALUES ('in the log: " VALUE "')", NULL};

    int fd;

    (void)state;
    write_and_die(SQL);
    assert_true(database_has_bytes("d-wal", VALUE));
    assert_false(database_has_bytes("d", VALUE));
    treated_state("d", true, TREAT_FOUND, 1);
    assert_true(database_has_bytes("d-wal", VALUE));
    treated_state("d-wal", false, TREAT_BINARY, 0);
    treated_state("d-shm", false, TREAT_BINARY, 0);
    fd = openat(scratch.fd, "d-wal", O_RDONLY | O_CLOEXEC);
    treated_state("d", false, TREAT_CHANGED, 1);
    check_overwritten(fd);
    treated_state("d-wal", false, TREAT_BINARY, 0); /* gone since it was seen */
    assert_false(database_has_bytes("d", VALUE));
    treated_count(1);
    treated_answer("d", "SELECT a FROM t", "in the log: [x]");
    treated_answer("d", "PRAGMA journal_mode", "wal");
}

static void
test_a_journal_is_brought_in_first(void **state)
{
    int fd;

    (void)state;
    make_hot_journal();
    assert_true(database_has_bytes("d", "unfinished"));
    fd = openat(scratch.fd, "d-journal", O_RDONLY | O_CLOEXEC);
    treated_state("d", false, TREAT_CHANGED, 2000);
    check_overwritten(fd);
    treated_count(1);
    treated_answer("d", "SELECT count(*) FROM t WHERE a LIKE '%unfinished'",
                   "0");
    treated_answer("d", "SELECT count(*) FROM t WHERE a LIKE '% [x]'", "2000");
    assert_false(database_has_bytes("d", VALUE));
}

/* Out of force, but its old pages lie there. */
static void
test_a_journal_that_is_kept_goes(void **state)
{
    static const char *const SQL[] = {"PRAGMA journal_mode = PERSIST",
                                      "CREATE TABLE t (a)", INSERT_VALUE,
                                      "INSERT INTO t VALUES ('another')", NULL};
    int fd;

    (void)state;
    database_make("d", SQL);
    assert_true(database_has_bytes("d-journal", VALUE));
    fd = openat(scratch.fd, "d-journal", O_RDONLY | O_CLOEXEC);
    treated_state("d", false, TREAT_CHANGED, 1);
    check_overwritten(fd);
    treated_count(1);
    treated_answer("d", "SELECT a FROM t", "[x]");
}

static void
test_files_beside_that_are_no_files(void **state)
{
    static const char *const MAKE[] = {"CREATE TABLE t (a)", INSERT_VALUE,
                                       NULL};

    (void)state;
    database_make("d", MAKE);
    assert_int_equal(symlinkat("d", scratch.fd, "d-wal"), 0);
    treated_left("d", AG_EFILE, "d-wal beside it is not a regular file");
    assert_int_equal(unlinkat(scratch.fd, "d-wal", 0), 0);
    scratch_write("text", "no database", 11, 0600);
    scratch_write("text-journal", "a " VALUE, 14, 0600);
    assert_true(sides_is_one(scratch.fd, "d-shm"));
    assert_false(sides_is_one(scratch.fd, "text-journal"));
    assert_false(sides_is_one(scratch.fd, "-journal"));
    treated_state("text-journal", false, TREAT_CHANGED, 1);
}

/* Whoever comes asks for the lease, and later is let in by force. */
static void
come_and_index(void)
{
    int fd = openat(scratch.fd, "d", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    assert_int_equal(fd, -1);
    assert_int_equal(errno, EWOULDBLOCK);
    scratch_write("d-shm", "an index", 8, 0600);
    transcript_meanwhile = NULL;
}

static void
come_and_write(void)
{
    scratch_write("d-wal", "a log", 5, 0600);
    transcript_meanwhile = NULL;
}

static void
test_what_others_make_meanwhile_is_theirs(void **state)
{
    static const char *const MAKE[] = {"CREATE TABLE t (a)", INSERT_VALUE,
                                       NULL};

    (void)state;
    database_make("d", MAKE);
    transcript_meanwhile = come_and_index;
    treated_left("d", AG_EBUSY, "another process is opening it");
    assert_null(transcript_meanwhile);
    assert_true(database_has_bytes("d-shm", "an index"));
    assert_int_equal(unlinkat(scratch.fd, "d-shm", 0), 0);
    transcript_meanwhile = come_and_write;
    treated_left("d", AG_EBUSY, "another process is opening it");
    assert_true(database_has_bytes("d-wal", "a log"));
    treated_count(2);
    assert_int_equal(unlinkat(scratch.fd, "d-wal", 0), 0);
    treated_state("d", false, TREAT_CHANGED, 1);
}

/* ---- journals that name another file ---- */

static void
put_number(uint8_t at[4], uint32_t n)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(n >> (24 - 8 * i));
    }
}

/* As a change to several databases has it: page, name, its length, its sum, and
 * the magic (sqlite.org/fileformat2.html, 3). */
static void
name_super_journal(const char *path)
{
    static const uint8_t MAGIC[] = {0xd9, 0xd5, 0x05, 0xf9,
                                    0x20, 0xa1, 0x63, 0xd7};
    size_t len = strlen(path);
    uint8_t record[256] = {0};
    uint32_t sum = 0;
    int fd = openat(scratch.fd, "d-journal",
                    O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

    assert_true(fd >= 0 && len < 128);
    for (size_t i = 0; i < len; i++) {
        sum += (uint8_t)path[i];
    }
    put_number(record, 0x40000000 / 4096 + 1);
    memcpy(record + 4, path, len);
    put_number(record + 4 + len, (uint32_t)len);
    put_number(record + 8 + len, sum);
    memcpy(record + 12 + len, MAGIC, sizeof(MAGIC));
    len += 12 + sizeof(MAGIC);
    assert_int_equal(write(fd, record, len), len);
    assert_int_equal(close(fd), 0);
}

static void
test_a_journal_deletes_no_file_elsewhere(void **state)
{
    struct stat was;
    struct stat now;

    (void)state;
    make_hot_journal();
    assert_int_equal(mkdirat(scratch.fd, "elsewhere", 0700), 0);
    scratch_write("elsewhere/canary", "sings", 5, 0600);
    name_super_journal(database_path("elsewhere/canary"));
    assert_int_equal(fstatat(scratch.fd, "d-journal", &was, 0), 0);
    treated_left("d", AG_EFILE, "its journal names a file elsewhere");
    assert_true(database_has_bytes("elsewhere/canary", "sings"));
    assert_true(database_has_bytes("d", "unfinished")); /* as it was */
    assert_int_equal(fstatat(scratch.fd, "d-journal", &now, 0), 0);
    assert_int_equal(now.st_size, was.st_size);
    assert_int_equal(now.st_mtim.tv_nsec, was.st_mtim.tv_nsec);
    treated_count(3);
}

/* Such a change was committed when that file went: nothing is rolled back. */
static void
test_a_journal_of_a_finished_change(void **state)
{
    static const char *const FINISH[] = {"UPDATE t SET a = a || ' finished'",
                                         NULL};

    (void)state;
    make_hot_journal();
    assert_int_equal(linkat(scratch.fd, "d-journal", scratch.fd, "kept", 0), 0);
    database_make("d", FINISH);
    assert_int_equal(renameat(scratch.fd, "kept", scratch.fd, "d-journal"), 0);
    name_super_journal(database_path("gone"));
    treated_state("d", false, TREAT_CHANGED, 2000);
    treated_answer("d", "SELECT count(*) FROM t WHERE a LIKE '% finished'",
                   "2000");
    treated_count(1);
}

int
main(void)
{
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, treated_setup, scratch_close)
    const struct CMUnitTest tests[] = {
        TEST(test_a_log_is_brought_in_first),
        TEST(test_a_journal_is_brought_in_first),
        TEST(test_a_journal_that_is_kept_goes),
        TEST(test_files_beside_that_are_no_files),
        TEST(test_what_others_make_meanwhile_is_theirs),
        TEST(test_a_journal_deletes_no_file_elsewhere),
        TEST(test_a_journal_of_a_finished_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
