#include "store/head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "store/keys.h"

static const char HEAD_NAME[] = "vault.head";

struct head {
    int fd;
    unsigned slot; /* holds the newest */
    bool dirty;
};

enum ag_err
head_create(int dir_fd, const struct keys *keys, const uint8_t *vault_id,
            const struct chain_head *first)
{
    uint8_t file[CHAIN_HEAD_FILE_BYTES] = {0};
    uint32_t id = 0;
    enum ag_err err = chain_head_make(keys_current(keys, KEY_HEAD, &id),
                                      vault_id, 0, first, file);

    if (err != AG_OK) {
        return err;
    }
    return fs_replace(dir_fd, HEAD_NAME, span_of(file, sizeof(file)));
}

/* A crash within a rekey leaves a head sealed under the key before. */
static enum ag_err
pick(const struct keys *keys, const uint8_t *vault_id, struct span file,
     struct chain_head *ret, unsigned *ret_slot)
{
    enum ag_err err = AG_ECORRUPT;
    const struct secret *key;
    size_t i;

    for (i = 0; err == AG_ECORRUPT; i++) {
        key = keys_newest(keys, KEY_HEAD, i);
        if (key == NULL) {
            return err_why(AG_EROLLBACK, "vault.head does not verify");
        }
        err = chain_head_pick(key, vault_id, file, ret, ret_slot);
    }
    return err;
}

static enum ag_err
read_file(int fd, const struct keys *keys, const uint8_t *vault_id,
          struct chain_head *ret, unsigned *ret_slot)
{
    uint8_t file[CHAIN_HEAD_FILE_BYTES];
    ssize_t got = pread(fd, file, sizeof(file), 0);

    if (got < 0) {
        return err_from_errno(errno);
    }
    return pick(keys, vault_id, span_of(file, (size_t)got), ret, ret_slot);
}

enum ag_err
head_read(int dir_fd, const struct keys *keys, const uint8_t *vault_id,
          struct chain_head *ret)
{
    AG_AUTO(fd) int fd = -1;
    unsigned slot = 0;
    enum ag_err err = fs_open_private(dir_fd, HEAD_NAME, &fd);

    if (err == AG_ENOTFOUND) {
        return err_why(AG_EROLLBACK, "vault.head is missing");
    }
    return err != AG_OK ? err : read_file(fd, keys, vault_id, ret, &slot);
}

enum ag_err
head_open(int dir_fd, const struct keys *keys, const uint8_t *vault_id,
          struct chain_head *ret_newest, struct head **ret)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, HEAD_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    unsigned slot = 0;
    struct head *h;
    enum ag_err err;

    if (fd < 0) {
        return errno == ENOENT ? err_why(AG_EROLLBACK, "vault.head is missing")
                               : err_from_errno(errno);
    }
    err = read_file(fd, keys, vault_id, ret_newest, &slot);
    if (err != AG_OK) {
        return err;
    }
    h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return AG_ENOMEM;
    }
    *h = (struct head){.fd = FD_TAKE(fd), .slot = slot};
    *ret = h;
    return AG_OK;
}

void
head_close(struct head *h)
{
    if (h != NULL) {
        (void)fdatasync(h->fd);
        fd_close(h->fd);
        free(h);
    }
}

enum ag_err
head_put(struct head *h, const struct keys *keys, const uint8_t *vault_id,
         const struct chain_head *newest)
{
    uint8_t block[CHAIN_HEAD_SLOT_BYTES];
    unsigned slot = (h->slot + 1) % CHAIN_HEAD_COUNT;
    uint32_t id = 0;
    ssize_t put;
    enum ag_err err = chain_head_make(keys_current(keys, KEY_HEAD, &id),
                                      vault_id, slot, newest, block);

    if (err != AG_OK) {
        return err;
    }
    put = pwrite(h->fd, block, sizeof(block),
                 (off_t)slot * CHAIN_HEAD_SLOT_BYTES);
    if (put != (ssize_t)sizeof(block)) {
        return put < 0 ? err_from_errno(errno) : AG_ENOSPACE;
    }
    h->slot = slot;
    h->dirty = true;
    return AG_OK;
}

enum ag_err
head_sync(struct head *h)
{
    if (h->dirty && fdatasync(h->fd) != 0) {
        return err_from_errno(errno);
    }
    h->dirty = false;
    return AG_OK;
}
