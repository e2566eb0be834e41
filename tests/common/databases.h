/*
 * databases.h - SQLite databases in a test's directory, and a filter that also
 * takes what goes over the border of two texts.
 */
#ifndef AG_TESTS_DATABASES_H
#define AG_TESTS_DATABASES_H

#include "common/transcripts.h"
#include "transcript/sqlite.h"
#include "transcript/treat.h"

/* One hit from the one to the other, whatever lies between. */
#define DATABASE_KEY_BEGIN "KEY-BEGIN"
#define DATABASE_KEY_END   "KEY-END"

static int database_passes;

static inline enum ag_err
database_pass(void *ctx, const char *name, int src_fd, int dst_fd,
              json_t **ret_report)
{
    static char text[TRANSCRIPT_MAX_BYTES + 1];
    static char out[TRANSCRIPT_MAX_BYTES + 1];
    ssize_t len = read(src_fd, text, TRANSCRIPT_MAX_BYTES);
    char *from;
    char *to;
    json_t *report;
    json_int_t keys = 0;

    (void)ctx;
    (void)name;
    assert_true(len >= 0 && len < TRANSCRIPT_MAX_BYTES);
    text[len] = '\0';
    database_passes++;
    while ((from = strstr(text, DATABASE_KEY_BEGIN)) != NULL) {
        char rest[TRANSCRIPT_MAX_BYTES / 64];

        to = strstr(from, DATABASE_KEY_END);
        to = to == NULL ? from + strlen(from) : to + strlen(DATABASE_KEY_END);
        (void)snprintf(rest, sizeof(rest), "%s", to);
        assert_true(strlen(rest) == strlen(to));
        (void)snprintf(from, sizeof(rest) + 8, "[k]%s", rest);
        keys++;
    }
    report = transcript_filter(text, out);
    (void)json_object_set_new(
        report, "hits",
        json_integer(json_integer_value(json_object_get(report, "hits")) +
                     keys));
    if (keys > 0) {
        (void)json_object_set_new(json_object_get(report, "counts"), "a/key",
                                  json_integer(keys));
    }
    if (transcript_meanwhile != NULL) {
        transcript_meanwhile();
    }
    if (write(dst_fd, out, strlen(out)) != (ssize_t)strlen(out)) {
        json_decref(report);
        return AG_EIO;
    }
    *ret_report = report;
    return AG_OK;
}

static inline const char *
database_path(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", scratch.path, name);
    return path;
}

static inline sqlite3 *
database_open(const char *name)
{
    sqlite3 *db = NULL;

    check_ok(sqlite_load());
    check_ok(sqlite_open(database_path(name),
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db));
    return db;
}

static inline void
database_run(sqlite3 *db, const char *const *statements)
{
    for (size_t i = 0; statements[i] != NULL; i++) {
        check_ok(sqlite_run(db, statements[i], NULL, statements[i]));
    }
}

/* Makes it; the statements end with NULL. */
static inline void
database_make(const char *name, const char *const *statements)
{
    sqlite3 *db = database_open(name);

    database_run(db, statements);
    sqlite_shut(db);
}

/* The first column of the first row, as text of this helper's. */
static inline const char *
database_ask(const char *name, const char *sql)
{
    static char answer[4096];
    sqlite3 *db = database_open(name);
    sqlite3_stmt *st = NULL;
    int code = sqlite.prepare_v2(db, sql, -1, &st, NULL);
    const unsigned char *text;

    if (code != SQLITE_OK) {
        fail_msg("%s: SQLite says %d", sql, code);
    }
    code = sqlite.step(st);
    assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
    text = code == SQLITE_ROW ? sqlite.column_text(st, 0) : NULL;
    (void)snprintf(answer, sizeof(answer), "%s",
                   text == NULL ? "NULL" : (const char *)text);
    (void)sqlite.finalize(st);
    sqlite_shut(db);
    return answer;
}

/* Do these bytes stand anywhere in the file? */
static inline bool
database_has_bytes(const char *name, const char *bytes)
{
    int fd = openat(scratch.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    char *all;
    bool has;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    all = malloc((size_t)st.st_size + 1);
    assert_non_null(all);
    assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
    has = memmem(all, (size_t)st.st_size, bytes, strlen(bytes)) != NULL;
    free(all);
    assert_int_equal(close(fd), 0);
    return has;
}

#endif
