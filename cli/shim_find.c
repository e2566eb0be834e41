#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fdx.h"
#include "shim.h"

enum {
    PART_BYTES = 256 * 1024, /* of a program, at a time */
    HASH_BYTES = 32,
    SEEN_BYTES = 128,
};

/* ---- what a program is known by ---- */

static void
stat_text(const struct stat *st, char out[SEEN_BYTES])
{
    (void)snprintf(out, SEEN_BYTES, "%ju:%ju:%jd:%jd.%09ld:%jd.%09ld",
                   (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
                   (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec,
                   st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
                   st->st_ctim.tv_nsec);
}

static bool
is_young(const struct stat *st)
{
    int64_t changed_ms =
        (int64_t)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000;

    return clock_wall_ms() - changed_ms < SHIM_YOUNG_MS;
}

static enum ag_err
hash_content(int fd, struct buf *out)
{
    uint8_t *part = malloc(PART_BYTES);
    crypto_generichash_state state;
    uint8_t hash[HASH_BYTES];
    ssize_t n = 1;

    if (part == NULL || sodium_init() < 0) {
        free(part);
        return AG_ENOMEM;
    }
    (void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    while (n != 0) {
        n = read(fd, part, PART_BYTES);
        if (n < 0 && errno != EINTR) {
            free(part);
            return err_from_errno(errno);
        }
        if (n > 0) {
            (void)crypto_generichash_update(&state, part,
                                            (unsigned long long)n);
        }
    }
    free(part);
    (void)crypto_generichash_final(&state, hash, sizeof(hash));
    return encode_hex(span_of(hash, sizeof(hash)), out);
}

/* The hash of what is at `path` into `out`, and in `seen` by what the same file
 * is known without reading it; "" where that is not sure. */
static enum ag_err
identify(const char *path, struct buf *out, char seen[SEEN_BYTES])
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char after[SEEN_BYTES];
    struct stat st;
    enum ag_err err;

    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return AG_EINVAL;
    }
    stat_text(&st, seen);
    err = hash_content(fd, out);
    if (err != AG_OK) {
        return err;
    }
    if (fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    stat_text(&st, after);
    if (strcmp(seen, after) != 0 || is_young(&st)) {
        seen[0] = '\0';
    }
    return AG_OK;
}

enum shim_state
shim_judge(const json_t *record)
{
    const char *path = json_string_value(json_object_get(record, "path"));
    const char *real = json_string_value(json_object_get(record, "real"));
    const char *hash = json_string_value(json_object_get(record, "hash"));
    const char *seen = json_string_value(json_object_get(record, "seen"));
    char *now = realpath(path, NULL);
    AG_AUTO(buf) struct buf hex;
    char looks[SEEN_BYTES];
    struct stat st;
    bool moved;

    buf_init(&hex, 2 * (size_t)HASH_BYTES, BUF_PLAIN);
    if (now == NULL || stat(path, &st) != 0) {
        free(now);
        return SHIM_GONE;
    }
    moved = strcmp(now, real) != 0;
    free(now);
    stat_text(&st, looks);
    if (moved || strcmp(looks, seen) == 0) {
        return moved ? SHIM_CHANGED : SHIM_SAME;
    }
    if (identify(path, &hex, looks) != AG_OK) {
        return SHIM_GONE;
    }
    return span_is(buf_view(&hex), hash) ? SHIM_SAME : SHIM_CHANGED;
}

bool
shim_is_one(const char *path)
{
    static const char mark[] = "#!/bin/sh\n# auth-guard shim: ";
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char head[sizeof(mark) - 1];

    return fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
           span_is(span_of(head, sizeof(head)), mark);
}

/* ---- PATH ---- */

static bool
is_dir(int dir_fd, struct span place)
{
    char path[PATH_MAX];
    struct stat ours;
    struct stat st;

    if (place.len == 0 || place.len >= sizeof(path)) {
        return false;
    }
    memcpy(path, place.ptr, place.len);
    path[place.len] = '\0';
    return fstat(dir_fd, &ours) == 0 && stat(path, &st) == 0 &&
           st.st_dev == ours.st_dev && st.st_ino == ours.st_ino;
}

/* Takes the next place off *path. */
static struct span
next_place(const char **path)
{
    size_t len = strcspn(*path, ":");
    struct span place = span_of(*path, len);

    *path += len + ((*path)[len] == ':' ? 1 : 0);
    return place;
}

/* Never from the directory we happen to stand in. */
static bool
has_program(int dir_fd, struct span place, const char *name, char out[PATH_MAX])
{
    struct stat st;
    int n;

    if (place.len == 0 || place.ptr[0] != '/' || is_dir(dir_fd, place)) {
        return false;
    }
    n = snprintf(out, PATH_MAX, "%.*s/%s", (int)place.len,
                 (const char *)place.ptr, name);
    return n > 0 && n < PATH_MAX && stat(out, &st) == 0 &&
           S_ISREG(st.st_mode) && access(out, X_OK) == 0 && !shim_is_one(out);
}

static enum ag_err
make_record(const char *name, const char *path, json_t **ret)
{
    AG_AUTO(buf) struct buf hash;
    char seen[SEEN_BYTES];
    json_t *record = NULL;
    char *real = NULL;
    enum ag_err err;

    buf_init(&hash, 2 * (size_t)HASH_BYTES, BUF_PLAIN);
    err = identify(path, &hash, seen);
    if (err == AG_OK) {
        real = realpath(path, NULL);
        err = real == NULL ? err_from_errno(errno) : AG_OK;
    }
    if (err != AG_OK) {
        return err_why(err,
                       "%s can't be read, so that a change of it could "
                       "not be noticed",
                       path);
    }
    record = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "path", path,
                       "real", real, "hash", buf_cstr(&hash), "seen", seen);
    free(real);
    if (record == NULL) {
        return err_why(AG_EINVAL, "%s is not UTF-8 text", path);
    }
    *ret = record;
    return AG_OK;
}

enum ag_err
shim_find(int dir_fd, const char *name, const char *path, json_t **ret)
{
    char *found = malloc(PATH_MAX);
    bool there = false;
    enum ag_err err;

    if (found == NULL) {
        return AG_ENOMEM;
    }
    while (*path != '\0' && !there) {
        there = has_program(dir_fd, next_place(&path), name, found);
    }
    err = there ? make_record(name, found, ret)
                : err_why(AG_ENOTFOUND,
                          "there is no program '%s' in PATH; install it first",
                          name);
    free(found);
    return err;
}

enum ag_err
shim_path_without(int dir_fd, const char *path, char **ret)
{
    char *out = malloc(strlen(path) + 1);
    bool first = true;
    size_t len = 0;

    if (out == NULL) {
        return AG_ENOMEM;
    }
    while (*path != '\0') {
        struct span place = next_place(&path);

        if (is_dir(dir_fd, place)) {
            continue;
        }
        if (!first) {
            out[len++] = ':';
        }
        if (place.len > 0) {
            memcpy(out + len, place.ptr, place.len);
        }
        len += place.len;
        first = false;
    }
    out[len] = '\0';
    *ret = out;
    return AG_OK;
}

bool
shim_is_first(int dir_fd, const char *path, const char *program)
{
    size_t dir_len = (size_t)(strrchr(program, '/') - program);

    while (*path != '\0') {
        struct span place = next_place(&path);

        if (is_dir(dir_fd, place)) {
            return true;
        }
        if (span_equal(place, span_of(program, dir_len))) {
            return false;
        }
    }
    return false;
}
