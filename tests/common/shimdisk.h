/*
 * shimdisk.h - the disk after a power cut: what was synced is on it, of the
 * rest a random subset of sectors. Played back from the diary of shimvfs.h.
 */
#ifndef AG_TESTS_SHIMDISK_H
#define AG_TESTS_SHIMDISK_H

#include "base/fdx.h"
#include "common/prop.h"
#include "common/shimvfs.h"

enum {
    SHIM_FILE_MAX_BYTES = 8 * 1024 * 1024,
};

struct shim_disk {
    bool there[SHIM_FILES];
    size_t len[SHIM_FILES];
    uint8_t *bytes[SHIM_FILES]; /* SHIM_FILE_MAX_BYTES each */
};

static inline void
shim_disk_new(struct shim_disk *d)
{
    for (int i = 0; i < SHIM_FILES; i++) {
        d->there[i] = false;
        d->len[i] = 0;
        d->bytes[i] = calloc(1, SHIM_FILE_MAX_BYTES);
    }
}

static inline void
shim_disk_free(struct shim_disk *d)
{
    for (int i = 0; i < SHIM_FILES; i++) {
        free(d->bytes[i]);
    }
}

static inline void
shim_disk_copy(struct shim_disk *to, const struct shim_disk *from)
{
    for (int i = 0; i < SHIM_FILES; i++) {
        size_t used = to->len[i] > from->len[i] ? to->len[i] : from->len[i];

        to->there[i] = from->there[i];
        memcpy(to->bytes[i], from->bytes[i], used);
        to->len[i] = from->len[i];
    }
}

static inline void
shim_disk_write(struct shim_disk *d, int file, int64_t at, const uint8_t *bytes,
                size_t len)
{
    assert_true((size_t)at + len <= SHIM_FILE_MAX_BYTES);
    memcpy(d->bytes[file] + at, bytes, len);
    d->there[file] = true;
    if ((size_t)at + len > d->len[file]) {
        d->len[file] = (size_t)at + len;
    }
}

static inline void
shim_disk_cut(struct shim_disk *d, int file, int64_t len)
{
    if ((size_t)len < d->len[file]) {
        memset(d->bytes[file] + len, 0, d->len[file] - (size_t)len);
    }
    d->len[file] = (size_t)len;
}

/* All of an event, or with `torn` a random part of it. */
static inline void
shim_disk_apply(struct shim_disk *d, const struct shim_event *e, bool torn)
{
    switch (e->op) {
    case SHIM_WRITE:
        for (size_t at = 0; at < e->len;) {
            size_t part =
                SHIM_SECTOR_BYTES - ((size_t)e->at + at) % SHIM_SECTOR_BYTES;

            part = part < e->len - at ? part : e->len - at;
            if (!torn || prop_below(2) == 0) {
                shim_disk_write(d, e->file, e->at + (int64_t)at, e->bytes + at,
                                part);
            }
            at += part;
        }
        break;
    case SHIM_TRUNCATE:
        if (!torn || prop_below(2) == 0) {
            shim_disk_cut(d, e->file, e->at);
        }
        break;
    case SHIM_REMOVE:
        if (!torn || prop_below(2) == 0) {
            shim_disk_cut(d, e->file, 0);
            d->there[e->file] = false;
        }
        break;
    case SHIM_SYNC:
    case SHIM_ACK:
        break;
    }
}

/* The disk when the power goes after `count` events: each file as of its last
 * sync, and some of what came later. */
static inline void
shim_disk_at(const struct shim_disk *start, size_t count, struct shim_disk *out)
{
    size_t synced[SHIM_FILES] = {0};

    shim_disk_copy(out, start);
    for (size_t i = 0; i < count; i++) {
        if (shim.events[i].op == SHIM_SYNC) {
            synced[shim.events[i].file] = i;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct shim_event *e = &shim.events[i];

        if (e->file >= 0) {
            shim_disk_apply(out, e, i > synced[e->file]);
        }
    }
}

static inline void
shim_disk_load(struct shim_disk *d, const char *home)
{
    AG_AUTO(fd) int dir_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < SHIM_FILES; i++) {
        int fd = openat(dir_fd, SHIM_NAMES[i], O_RDONLY | O_CLOEXEC);
        ssize_t got;

        d->there[i] = fd >= 0;
        got = fd < 0 ? 0 : read(fd, d->bytes[i], SHIM_FILE_MAX_BYTES);
        assert_true(got >= 0);
        d->len[i] = (size_t)got;
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

/* Into an empty private directory. */
static inline void
shim_disk_save(const struct shim_disk *d, const char *home)
{
    AG_AUTO(fd) int dir_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < SHIM_FILES; i++) {
        int fd;

        (void)unlinkat(dir_fd, SHIM_NAMES[i], 0);
        if (!d->there[i]) {
            continue;
        }
        fd = openat(dir_fd, SHIM_NAMES[i],
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        for (size_t at = 0; at < d->len[i];) {
            ssize_t put = write(fd, d->bytes[i] + at, d->len[i] - at);

            assert_true(put > 0);
            at += (size_t)put;
        }
        (void)close(fd);
    }
}

#endif
