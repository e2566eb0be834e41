#include "move/erase.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "move/source.h"

enum {
    BLOCK_BYTES = 4096,
    /* Not in linux/magic.h of Debian 12. */
    MAGIC_ZFS = 0x2fc12fc1,
    MAGIC_BCACHEFS = (int)0xca451a4e,
};

enum ag_err
erase_names(const char *id, struct erase_names *ret)
{
    size_t len = strlen(id);

    if (len == 0 || len > ERASE_ID_MAX_BYTES || strchr(id, '/') != NULL) {
        return err_why(AG_EINVAL, "the broker gave a move a strange id");
    }
    (void)snprintf(ret->hidden, sizeof(ret->hidden), ".ag-erase-%s", id);
    (void)snprintf(ret->gone, sizeof(ret->gone), ".ag-gone-%s", id);
    (void)snprintf(ret->coming, sizeof(ret->coming), ".ag-release-%s", id);
    return AG_OK;
}

enum ag_err
rename_new(int dir_fd, const char *from, const char *to)
{
    if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0) {
        return AG_OK;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return err_from_errno(errno);
    }
    /* A file system without the flag: two steps that don't replace either. */
    if (linkat(dir_fd, from, dir_fd, to, 0) != 0) {
        return err_from_errno(errno);
    }
    if (unlinkat(dir_fd, from, 0) != 0) {
        enum ag_err err = err_from_errno(errno);

        (void)unlinkat(dir_fd, to, 0);
        return err;
    }
    return AG_OK;
}

static enum ag_err
overwrite(int fd, off_t size)
{
    uint8_t block[BLOCK_BYTES];
    off_t at = 0;

    while (at < size) {
        size_t len =
            size - at < BLOCK_BYTES ? (size_t)(size - at) : (size_t)BLOCK_BYTES;
        ssize_t n = getrandom(block, len, 0);

        if (n > 0) {
            n = pwrite(fd, block, (size_t)n, at);
        }
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        at += n > 0 ? n : 0;
    }
    return fsync(fd) == 0 ? AG_OK : err_from_errno(errno);
}

/* For writing, also where our own file lacks the write bit. */
static int
open_for_writing(int dir_fd, const char *name)
{
    static const int FLAGS = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = openat(dir_fd, name, O_WRONLY | FLAGS);

    if (fd < 0 && errno == EACCES) {
        AG_AUTO(fd) int reader = openat(dir_fd, name, O_RDONLY | FLAGS);

        if (reader >= 0 && fchmod(reader, 0600) == 0) {
            fd = openat(dir_fd, name, O_WRONLY | FLAGS);
        }
    }
    return fd;
}

enum ag_err
erase_file(int dir_fd, const char *name, bool *ret_wiped)
{
    AG_AUTO(fd) int fd = open_for_writing(dir_fd, name);
    struct stat now;

    *ret_wiped = false;
    if (fd < 0 && errno == ENOENT) {
        return AG_ENOTFOUND;
    }
    if (fd >= 0) {
        if (fstat(fd, &now) != 0) {
            return AG_EIO;
        }
        if (!S_ISREG(now.st_mode)) {
            return err_why(AG_EFILE, "%s is not a regular file", name);
        }
        *ret_wiped = now.st_nlink == 1 && overwrite(fd, now.st_size) == AG_OK;
    }
    if (unlinkat(dir_fd, name, 0) != 0) {
        return err_why(AG_EIO, "%s can't be unlinked: %s", name,
                       strerrordesc_np(errno));
    }
    return fs_sync_dir(dir_fd);
}

static enum ag_err
same_content(int dir_fd, const char *name, const struct secret *content,
             bool *ret)
{
    AG_AUTO(secret) struct secret *now = NULL;
    AG_AUTO(fd)
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    enum ag_err err;

    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = fd_read_secret(fd, SOURCE_MAX_BYTES + 1, &now);
    *ret = err == AG_OK && secret_equal(now, content);
    return err == AG_ELIMIT ? AG_OK : err;
}

enum ag_err
erase_hidden(int dir_fd, const char *name, const struct erase_names *names,
             const struct profile_file *file, const struct secret *content,
             struct erase_told *told)
{
    struct copies copies = {.dir_fd = dir_fd,
                            .name = name,
                            .gone = names->gone,
                            .file = file,
                            .content = content};
    bool same = false;
    bool wiped = false;
    enum ag_err err = same_content(dir_fd, names->hidden, content, &same);

    if (err != AG_OK) {
        return err;
    }
    if (!same) {
        err = rename_new(dir_fd, names->hidden, name);
        if (err == AG_OK) {
            err = fs_sync_dir(dir_fd);
        }
        return err != AG_OK ? err
                            : err_why(AG_ECHANGED,
                                      "%s changed after the vault took it; it "
                                      "was left in place, adopt it again",
                                      name);
    }
    err = copies_erase(&copies, told->copy, told->arg);
    if (err == AG_OK) {
        err = rename_new(dir_fd, names->hidden, names->gone);
    }
    if (err == AG_OK) {
        err = fs_sync_dir(dir_fd);
    }
    if (err == AG_OK) {
        err = erase_file(dir_fd, names->gone, &wiped);
        told->not_wiped = !wiped;
    }
    return err;
}

enum ag_err
erase_original(int dir_fd, const char *name, const struct erase_names *names,
               const struct profile_file *file, const struct secret *content,
               struct erase_told *told)
{
    bool same = false;
    enum ag_err err = same_content(dir_fd, name, content, &same);

    if (err != AG_OK) {
        return err;
    }
    if (!same) {
        return err_why(AG_ECHANGED,
                       "%s changed after the vault took it; it was left in "
                       "place, adopt it again",
                       name);
    }
    err = rename_new(dir_fd, name, names->hidden);
    if (err == AG_OK) {
        err = fs_sync_dir(dir_fd);
    }
    return err == AG_OK ? erase_hidden(dir_fd, name, names, file, content, told)
                        : err;
}

const char *
erase_caveat(int fd)
{
    static const struct {
        unsigned long magic;
        const char *clause;
    } ROWS[] = {
        {BTRFS_SUPER_MAGIC, "btrfs writes elsewhere: old blocks and snapshots "
                            "keep the plaintext until they are reused"},
        {MAGIC_ZFS, "ZFS writes elsewhere: old blocks and snapshots keep the "
                    "plaintext until they are reused"},
        {(unsigned int)MAGIC_BCACHEFS,
         "bcachefs writes elsewhere: old blocks keep the plaintext until they "
         "are reused"},
        {OVERLAYFS_SUPER_MAGIC, "on an overlay a lower layer may keep the "
                                "plaintext"},
        {NFS_SUPER_MAGIC, "the file server may keep old blocks or snapshots"},
        {SMB_SUPER_MAGIC, "the file server may keep old blocks or snapshots"},
        {CIFS_SUPER_MAGIC, "the file server may keep old blocks or snapshots"},
        {F2FS_SUPER_MAGIC, "f2fs writes elsewhere: old blocks keep the "
                           "plaintext until they are reused"},
        {NILFS_SUPER_MAGIC, "nilfs keeps every old block"},
        {XFS_SUPER_MAGIC, NULL},
    };
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        if ((unsigned long)(unsigned int)fs.f_type == ROWS[i].magic) {
            return ROWS[i].clause;
        }
    }
    return NULL;
}
