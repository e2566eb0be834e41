#include "store/db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "store/db.h"
#include "store/migrate.h"

static const char DB_NAME[] = "vault.db";

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
        return AG_OK; /* just made, or all of it is in the WAL */
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

enum ag_err
db_probe(const char *home)
{
    AG_AUTO(fd) int dir_fd = -1;
    struct stat st;
    enum ag_err err;

    dir_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir_fd < 0) {
        return errno == ENOENT ? AG_ENOVAULT : err_from_errno(errno);
    }
    err = db_check_files(dir_fd, &st);
    if (err == AG_ENOTFOUND) {
        return AG_ENOVAULT;
    }
    if (err != AG_OK) {
        return err;
    }
    err = db_check_header(dir_fd);
    if (err == AG_OK && st.st_size == 0) {
        struct stat wal;

        /* Empty with an empty WAL: an init that was cut short. */
        if (fstatat(dir_fd, "vault.db-wal", &wal, AT_SYMLINK_NOFOLLOW) != 0 ||
            wal.st_size == 0) {
            return AG_ENOVAULT;
        }
    }
    return err;
}
