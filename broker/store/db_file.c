#include "store/db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/paths.h"
#include "store/conn.h"
#include "store/db.h"
#include "store/migrate.h"

static const char DB_NAME[] = "vault.db";
static const char NEW_NAME[] = "vault.db.new";

enum {
    HEADER_BYTES = 100, /* of a SQLite file */
    HEADER_VERSION_AT = 60,
    HEADER_APPLICATION_AT = 68,
};

/* A private regular file of ours with one name, or absent (AG_ENOTFOUND). */
static enum ag_err
check_file(int dir_fd, const char *name, struct stat *ret)
{
    if (fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(ret->st_mode)) {
        return err_why(AG_EMODE, "%s is not a regular file", name);
    }
    if (ret->st_uid != geteuid()) {
        return err_why(AG_EMODE, "%s belongs to uid %u, not to this one", name,
                       ret->st_uid);
    }
    if ((ret->st_mode & 077) != 0) {
        return err_why(AG_EMODE, "%s is open to others (%04o); run: chmod 600",
                       name, ret->st_mode & 07777U);
    }
    if (ret->st_nlink != 1) {
        return err_why(AG_EMODE, "%s has %lu names; remove the others", name,
                       (unsigned long)ret->st_nlink);
    }
    return AG_OK;
}

enum ag_err
db_check_files(int dir_fd, struct stat *ret_db)
{
    static const char *const BESIDE[] = {"vault.db-wal", "vault.db-shm",
                                         "vault.head",   "vault.lock",
                                         "uses.journal", "uses.journal2"};
    struct stat st;
    size_t i;

    for (i = 0; i < AG_COUNT(BESIDE); i++) {
        enum ag_err err = check_file(dir_fd, BESIDE[i], &st);

        if (err != AG_OK && err != AG_ENOTFOUND) {
            return err;
        }
    }
    return check_file(dir_fd, DB_NAME, ret_db);
}

static uint32_t
be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

enum ag_err
db_check_header(int dir_fd)
{
    AG_AUTO(fd) int fd = -1;
    uint8_t header[HEADER_BYTES];
    uint32_t application;
    ssize_t got;
    enum ag_err err = fs_open_private(dir_fd, DB_NAME, &fd);

    if (err != AG_OK) {
        return err;
    }
    got = pread(fd, header, sizeof(header), 0);
    if (got < 0) {
        return err_from_errno(errno);
    }
    if (got == 0) {
        return AG_OK;
    }
    if ((size_t)got < sizeof(header) ||
        !span_starts(span_of(header, sizeof(header)),
                     span_of("SQLite format 3", 16))) {
        return err_why(AG_ECORRUPT, "vault.db is not a database");
    }
    application = be32(header + HEADER_APPLICATION_AT);
    if (application != 0 && application != DB_APPLICATION_ID) {
        return err_why(AG_ECORRUPT, "vault.db is not a vault of auth-guard");
    }
    if (be32(header + HEADER_VERSION_AT) > MIGRATION_COUNT) {
        return err_why(AG_ENEWER,
                       "vault.db has format %u, this program knows "
                       "%zu",
                       be32(header + HEADER_VERSION_AT), MIGRATION_COUNT);
    }
    return AG_OK;
}

/* ---- a new file ----------------------------------------------------------- */

static enum ag_err
open_at(const char *home, const char *name, struct conn *ret)
{
    char path[PATH_BYTES + 16];

    if (snprintf(path, sizeof(path), "%s/%s", home, name) >=
        (int)sizeof(path)) {
        return err_why(AG_EINVAL, "the vault's path is too long");
    }
    return conn_open(path, CONN_WRITE, ret);
}

static enum ag_err
remove_all(int dir_fd, const char *const *names, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (unlinkat(dir_fd, names[i], 0) != 0 && errno != ENOENT) {
            return err_from_errno(errno);
        }
    }
    return AG_OK;
}

static enum ag_err
fill_new(const char *home, int dir_fd)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, NEW_NAME,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct conn *c = calloc(1, sizeof(*c));
    enum ag_err err = c == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK && fd < 0) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        err = open_at(home, NEW_NAME, c);
    }
    if (err == AG_OK) {
        err = conn_set_wal(c);
        conn_close(c);
    }
    if (err == AG_OK && fsync(fd) != 0) {
        err = err_from_errno(errno);
    }
    free(c);
    return err;
}

enum ag_err
db_make_file(const char *home, int dir_fd)
{
    static const char *const LEFT[] = {
        "vault.db-wal",        "vault.db-shm",     "vault.db-journal",
        "vault.db.new",        "vault.db.new-wal", "vault.db.new-shm",
        "vault.db.new-journal"};
    struct stat st;
    enum ag_err err;

    if (fstatat(dir_fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_size > 0) {
        return AG_OK;
    }
    err = remove_all(dir_fd, LEFT, AG_COUNT(LEFT));
    if (err == AG_OK) {
        err = fill_new(home, dir_fd);
    }
    if (err == AG_OK && renameat(dir_fd, NEW_NAME, dir_fd, DB_NAME) != 0) {
        err = err_from_errno(errno);
    }
    return err != AG_OK ? err : fs_sync_dir(dir_fd);
}

/* A database without a vault in it is what an init that was cut short leaves;
 * its first rows may still be in the WAL, so SQLite has to say. */
static enum ag_err
probe_inside(const char *home)
{
    struct conn *c = calloc(1, sizeof(*c));
    int version = 0;
    enum ag_err err = c == NULL ? AG_ENOMEM : open_at(home, DB_NAME, c);

    if (err == AG_OK) {
        err = migrate_check(c->handle, &version);
        conn_close(c);
    }
    free(c);
    return err;
}

enum ag_err
db_probe(const char *home)
{
    AG_AUTO(fd)
    int dir_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    enum ag_err err;

    if (dir_fd < 0) {
        return errno == ENOENT ? AG_ENOVAULT : err_from_errno(errno);
    }
    err = db_check_files(dir_fd, &st);
    if (err == AG_ENOTFOUND || (err == AG_OK && st.st_size == 0)) {
        return AG_ENOVAULT;
    }
    if (err == AG_OK) {
        err = db_check_header(dir_fd);
    }
    return err != AG_OK ? err : probe_inside(home);
}
