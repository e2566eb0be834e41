// LINKS: PkgConfig::SQLITE
/*
 * durable - what one durable step costs on this disk, the other side of the
 * ratio for issuing tokens.
 *
 *   durable raw|sqlite DIR COUNT
 *
 * raw: overwrite 4 KiB and fdatasync. sqlite: two small rows in one commit of a
 * WAL database with synchronous=FULL, as a token and its audit row would be
 * without group commit. Prints per_s.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/attr.h"

static double
now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
run_raw(const char *dir, long count)
{
    static char block[4096];
    char path[512];
    int fd;
    int bad = 0;

    (void)snprintf(path, sizeof(path), "%s/raw", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fallocate(fd, 0, 0, (off_t)(64 * sizeof(block))) != 0) {
        return -1;
    }
    for (long i = 0; i < count && bad == 0; i++) {
        memset(block, (int)i, sizeof(block));
        bad = pwrite(fd, block, sizeof(block),
                     (off_t)((size_t)(i % 64) * sizeof(block))) < 0 ||
              fdatasync(fd) != 0;
    }
    (void)close(fd);
    return bad ? -1 : 0;
}

static int
run_sqlite(const char *dir, long count)
{
    static const char SETUP[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);"
        "CREATE TABLE a(id INTEGER PRIMARY KEY, b BLOB);";
    static const char STEP[] =
        "BEGIN IMMEDIATE; INSERT INTO t(b) VALUES(randomblob(160));"
        "INSERT INTO a(b) VALUES(randomblob(200)); COMMIT;";
    char path[512];
    sqlite3 *db;
    int bad;

    (void)snprintf(path, sizeof(path), "%s/durable.db", dir);
    (void)unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        return -1;
    }
    bad = sqlite3_exec(db, SETUP, NULL, NULL, NULL);
    for (long i = 0; i < count && bad == SQLITE_OK; i++) {
        bad = sqlite3_exec(db, STEP, NULL, NULL, NULL);
    }
    (void)sqlite3_close(db);
    return bad == SQLITE_OK ? 0 : -1;
}

int
main(int argc, char **argv)
{
    long count = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    double begun = now_s();
    int bad;

    if (count <= 0) {
        (void)fputs("usage: durable raw|sqlite DIR COUNT\n", stderr);
        return EXIT_FAILURE;
    }
    bad = strcmp(argv[1], "raw") == 0 ? run_raw(argv[2], count)
                                      : run_sqlite(argv[2], count);
    if (bad != 0) {
        perror("durable");
        return EXIT_FAILURE;
    }
    (void)printf("per_s=%.0f\n", (double)count / (now_s() - begun));
    return 0;
}
