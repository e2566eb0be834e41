#include "transcript/sides.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "move/erase.h"
#include "transcript/confine.h"
#include "transcript/sqlite.h"
#include "transcript/swap.h"

enum {
    NAME_BYTES = NAME_MAX + 16,
    MAGIC_BYTES = 16,
};

static const char LOG[] = "-wal";
static const char LOG_INDEX[] = "-shm";
static const char JOURNAL[] = "-journal";
static const char *const SIDES[] = {LOG, LOG_INDEX, JOURNAL};

static void
side_name(const char *name, const char *side, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "%s%s", name, side);
}

/* At most `len` first bytes; -1: it can't be read. */
static ssize_t
peek(int dir_fd, const char *name, void *out, size_t len)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, name,
                    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd < 0 ? -1 : pread(fd, out, len, 0);
}

bool
sides_is_one(int dir_fd, const char *name)
{
    size_t len = strlen(name);
    uint8_t magic[MAGIC_BYTES];
    char base[NAME_BYTES];

    for (size_t i = 0; i < AG_COUNT(SIDES); i++) {
        size_t side_len = strlen(SIDES[i]);

        if (len > side_len && strcmp(name + len - side_len, SIDES[i]) == 0) {
            (void)snprintf(base, sizeof(base), "%.*s", (int)(len - side_len),
                           name);
            return peek(dir_fd, base, magic, sizeof(magic)) == MAGIC_BYTES &&
                   sqlite_is_database(span_of(magic, sizeof(magic)));
        }
    }
    return false;
}

/* *ret: its length; 0 if it is not there. */
static enum ag_err
side_size(int dir_fd, const char *name, off_t *ret)
{
    struct stat st;

    *ret = 0;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? AG_OK : err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_why(AG_EFILE, "%s beside it is not a regular file", name);
    }
    *ret = st.st_size;
    return AG_OK;
}

enum ag_err
sides_pending(int dir_fd, const char *name, bool *ret)
{
    char log[NAME_BYTES];
    char journal[NAME_BYTES];
    off_t log_size = 0;
    off_t journal_size = 0;
    uint8_t first = 0;
    enum ag_err err;

    side_name(name, LOG, log);
    side_name(name, JOURNAL, journal);
    err = side_size(dir_fd, log, &log_size);
    if (err == AG_OK) {
        err = side_size(dir_fd, journal, &journal_size);
    }
    if (err != AG_OK) {
        return err;
    }
    /* A journal whose first byte is zero was put out of force by its owner. */
    *ret =
        log_size > 0 || (journal_size > 0 &&
                         (peek(dir_fd, journal, &first, 1) != 1 || first != 0));
    return AG_OK;
}

/* SQLite unlinks what it has emptied; by a second name it can be overwritten. */
static bool
keep_name(int dir_fd, const char *name, const char *side,
          const char temp[SWAP_NAME_BYTES], char kept[NAME_BYTES])
{
    char from[NAME_BYTES];

    side_name(name, side, from);
    side_name(temp, side, kept);
    if (linkat(dir_fd, from, dir_fd, kept, 0) != 0) {
        kept[0] = '\0';
        return errno == ENOENT;
    }
    return true;
}

static bool
erase_kept(int dir_fd, const char kept[NAME_BYTES])
{
    bool wiped = true;

    return kept[0] == '\0' ||
           (erase_file(dir_fd, kept, &wiped) == AG_OK && wiped);
}

/* The first to read it brings it in order, the last to close it empties the
 * log. */
static enum ag_err
open_and_close(const char *path)
{
    AG_AUTO(sqlite) sqlite3 *db = NULL;
    enum ag_err err =
        sqlite_open_through(path, SQLITE_OPEN_READWRITE, CONFINE_NAME, &db);

    if (err == AG_OK) {
        err = sqlite_run(db, "PRAGMA busy_timeout = 2000", NULL, "opening it");
    }
    return err == AG_OK ? sqlite_run(db, "SELECT count(*) FROM sqlite_schema",
                                     NULL, "finishing what its last user left")
                        : err;
}

static enum ag_err
settle_confined(const char *path)
{
    AG_AUTO(confine) struct confine c = {.real = NULL};
    enum ag_err err = sqlite_load();

    if (err == AG_OK) {
        err = confine_init(&c, path);
    }
    if (err == AG_OK) {
        err = open_and_close(path);
    }
    return c.refused ? err_why(AG_EFILE,
                               "its journal names a file elsewhere, as one of "
                               "a change to several databases does: open it "
                               "once with the program that made it")
                     : err;
}

enum ag_err
sides_settle(int dir_fd, const char *dir, const char *name, bool *ret_wiped)
{
    AG_AUTO(fd) int temp_fd = -1;
    char temp[SWAP_NAME_BYTES];
    AG_AUTO(buf) struct buf path = {0};
    char log[NAME_BYTES];
    char journal[NAME_BYTES];
    bool kept;
    enum ag_err err = swap_new_file(dir_fd, temp, &temp_fd);

    if (err != AG_OK) {
        return err;
    }
    buf_init(&path, PATH_MAX, BUF_PLAIN);
    err = buf_fmt(&path, "%s/%s", dir, name);
    if (err != AG_OK || buf_cstr(&path) == NULL) {
        (void)unlinkat(dir_fd, temp, 0);
        return err == AG_OK ? AG_ENOMEM : err;
    }
    kept = keep_name(dir_fd, name, LOG, temp, log);
    kept = keep_name(dir_fd, name, JOURNAL, temp, journal) && kept;
    err = settle_confined(buf_cstr(&path));
    *ret_wiped = erase_kept(dir_fd, log) && kept;
    *ret_wiped = erase_kept(dir_fd, journal) && *ret_wiped;
    (void)unlinkat(dir_fd, temp, 0);
    return err;
}

enum ag_err
sides_erase(int dir_fd, const char *name, bool *ret_wiped)
{
    *ret_wiped = true;
    for (size_t i = 0; i < AG_COUNT(SIDES); i++) {
        char side[NAME_BYTES];
        bool wiped = true;
        enum ag_err err;

        side_name(name, SIDES[i], side);
        err = erase_file(dir_fd, side, &wiped);
        if (err != AG_OK && err != AG_ENOTFOUND) {
            return err;
        }
        *ret_wiped = *ret_wiped && (wiped || err == AG_ENOTFOUND);
    }
    return AG_OK;
}
