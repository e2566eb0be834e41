#include "transcript/image.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 100, /* sqlite.org/fileformat2.html, 1.3 */
    VERSIONS_AT = 18,   /* write version, read version */
    VERSION_ROLLBACK = 1,
    VERSION_WAL = 2,
    ROOM_BYTES = 64 * 1024 * 1024, /* for marks that are longer than values */
};

static const uint8_t WAL[2] = {VERSION_WAL, VERSION_WAL};
static const uint8_t ROLLBACK[2] = {VERSION_ROLLBACK, VERSION_ROLLBACK};

/* The file's bytes at the beginning of a larger room of zeroes. */
static enum ag_err
map_file(int fd, size_t len, struct image *im)
{
    void *at;

    if (__builtin_mul_overflow(len, (size_t)2, &im->map_bytes) ||
        __builtin_add_overflow(im->map_bytes, (size_t)ROOM_BYTES,
                               &im->map_bytes)) {
        return AG_ELIMIT;
    }
    at = mmap(NULL, im->map_bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return err_from_errno(errno);
    }
    im->map = at;
    return mmap(at, len, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED
               ? err_from_errno(errno)
               : AG_OK;
}

static enum ag_err
load(struct image *im, size_t len)
{
    static const char *const SETTINGS[] = {
        "PRAGMA journal_mode = OFF",  /* a failed image is thrown away */
        "PRAGMA temp_store = MEMORY", /* no plaintext in a file of its own */
    };
    enum ag_err err = sqlite_open(
        ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &im->db);
    int code;

    if (err != AG_OK) {
        return err;
    }
    code = sqlite.deserialize(im->db, "main", im->map, (sqlite3_int64)len,
                              (sqlite3_int64)im->map_bytes, 0);
    if (code != SQLITE_OK) {
        return sqlite_err(code, "reading it");
    }
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(SETTINGS); i++) {
        err = sqlite_run(im->db, SETTINGS[i], NULL, "reading it");
    }
    return err;
}

enum ag_err
image_open(int fd, struct image *ret)
{
    struct stat st;
    size_t len;
    enum ag_err err = sqlite_load();

    *ret = (struct image){.db = NULL};
    if (err == AG_OK && fstat(fd, &st) != 0) {
        err = err_from_errno(errno);
    }
    if (err != AG_OK) {
        return err;
    }
    len = (size_t)st.st_size;
    if (len < HEADER_BYTES) {
        return err_why(AG_ECORRUPT, "the database is cut");
    }
    err = map_file(fd, len, ret);
    if (err == AG_OK) {
        uint8_t *versions = (uint8_t *)ret->map + VERSIONS_AT;

        ret->is_wal = span_equal(span_of(versions, sizeof(WAL)),
                                 span_of(WAL, sizeof(WAL)));
        if (ret->is_wal) {
            memcpy(versions, ROLLBACK, sizeof(ROLLBACK));
        }
        err = load(ret, len);
    }
    return err;
}

void
image_done(struct image *im)
{
    sqlite_shut(im->db);
    if (im->map != NULL) {
        (void)munmap(im->map, im->map_bytes);
    }
    *im = (struct image){.db = NULL};
}

/* Is what was written a whole database? */
static enum ag_err
check(int fd)
{
    AG_AUTO(image) struct image im = {.db = NULL};
    sqlite3_stmt *st = NULL;
    enum ag_err err = image_open(fd, &im);
    bool is_whole = false;
    int code;

    /* A CHECK that a row does not meet is its owner's affair. */
    if (err == AG_OK) {
        err = sqlite_run(im.db, "PRAGMA ignore_check_constraints = ON", NULL,
                         "checking it");
    }
    if (err != AG_OK) {
        return err;
    }
    code = sqlite.prepare_v2(im.db, "PRAGMA integrity_check(1)", -1, &st, NULL);
    if (code == SQLITE_OK) {
        code = sqlite.step(st);
        is_whole = code == SQLITE_ROW && span_is(sqlite_column(st, 0), "ok");
    }
    err =
        sqlite_finish(st, code == SQLITE_ROW ? SQLITE_OK : code, "checking it");
    return err == AG_OK && !is_whole
               ? err_why(AG_ECORRUPT, "the database is damaged")
               : err;
}

enum ag_err
image_write(struct image *im, const char *path, int fd)
{
    enum ag_err err =
        sqlite_run(im->db, "VACUUM INTO ?1", path, "writing it anew");

    if (err == AG_OK) {
        err = check(fd);
    }
    if (err == AG_OK && im->is_wal &&
        pwrite(fd, WAL, sizeof(WAL), VERSIONS_AT) != (ssize_t)sizeof(WAL)) {
        err = err_from_errno(errno);
    }
    return err;
}
