#include "run/place.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fdx.h"

enum {
    HASH_BYTES = 16,
    LINK_TEXT_BYTES = 2048,
};

struct place {
    int lock_fd;
    char *path;
    char *target;
};

static enum ag_err
open_lock(const char *run_dir, const char *path, int *ret_fd)
{
    unsigned char hash[HASH_BYTES];
    char hex[HASH_BYTES * 2 + 1];
    char name[LINK_TEXT_BYTES];
    int n;

    (void)crypto_generichash(hash, sizeof(hash), (const unsigned char *)path,
                             strlen(path), NULL, 0);
    (void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    n = snprintf(name, sizeof(name), "%s/place-%s.lock", run_dir, hex);
    if (n < 0 || (size_t)n >= sizeof(name)) {
        return AG_EINVAL;
    }
    *ret_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*ret_fd < 0 || flock(*ret_fd, LOCK_SH) != 0) {
        return err_why(AG_EIO, "%s: %s", name, strerrordesc_np(errno));
    }
    return AG_OK;
}

static bool
is_ours(const struct place *p)
{
    char found[LINK_TEXT_BYTES];
    ssize_t n = readlink(p->path, found, sizeof(found));

    return n > 0 && (size_t)n == strlen(p->target) &&
           strncmp(found, p->target, (size_t)n) == 0;
}

/* A tool's own directory may be missing on a new machine: one level is made. */
static void
make_parent(const char *path)
{
    char parent[LINK_TEXT_BYTES];
    const char *slash = strrchr(path, '/');

    if (slash != NULL && slash != path &&
        (size_t)(slash - path) < sizeof(parent)) {
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
        (void)mkdir(parent, 0700);
    }
}

/*
 * A link of a run that was shot: it leads below our own directory, and nobody
 * has its lock. It is taken away; a shared lock is held again afterwards.
 */
static bool
clear_stale(const struct place *p, const char *run_dir)
{
    char found[LINK_TEXT_BYTES];
    ssize_t n = readlink(p->path, found, sizeof(found) - 1);
    size_t dir_len = strlen(run_dir);
    bool cleared = false;

    if (n <= 0) {
        return false;
    }
    found[n] = '\0';
    if (strncmp(found, run_dir, dir_len) != 0 || found[dir_len] != '/') {
        return false;
    }
    if (flock(p->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        cleared = unlink(p->path) == 0;
    }
    return flock(p->lock_fd, LOCK_SH) == 0 && cleared;
}

static enum ag_err
put_link(const struct place *p, const char *run_dir)
{
    struct stat st;

    if (symlink(p->target, p->path) == 0) {
        return AG_OK;
    }
    if (errno == ENOENT) {
        make_parent(p->path);
        if (symlink(p->target, p->path) == 0) {
            return AG_OK;
        }
    }
    if (errno != EEXIST) {
        return err_why(err_from_errno(errno), "%s: %s", p->path,
                       strerrordesc_np(errno));
    }
    if (is_ours(p) ||
        (clear_stale(p, run_dir) && symlink(p->target, p->path) == 0)) {
        return AG_OK;
    }
    if (lstat(p->path, &st) == 0 && S_ISREG(st.st_mode)) {
        return err_why(AG_EEXISTS,
                       "%s is a plaintext file; move it into the vault first: "
                       "auth-guard adopt %s",
                       p->path, p->path);
    }
    return err_why(AG_EEXISTS, "%s is in the way; move it elsewhere", p->path);
}

enum ag_err
place_link(const char *run_dir, const char *path, const char *target,
           struct place **ret)
{
    AG_AUTO(place) struct place *p = calloc(1, sizeof(*p));
    enum ag_err err;

    if (p == NULL) {
        return AG_ENOMEM;
    }
    p->lock_fd = -1;
    p->path = strdup(path);
    p->target = strdup(target);
    if (p->path == NULL || p->target == NULL) {
        return AG_ENOMEM;
    }
    err = open_lock(run_dir, path, &p->lock_fd);
    if (err == AG_OK) {
        err = put_link(p, run_dir);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(p);
    }
    return err;
}

void
place_free(struct place *p)
{
    if (p == NULL) {
        return;
    }
    /* Nobody else has it: then no other run needs the link. */
    if (p->lock_fd >= 0 && flock(p->lock_fd, LOCK_EX | LOCK_NB) == 0 &&
        is_ours(p)) {
        (void)unlink(p->path);
    }
    fd_close(p->lock_fd);
    free(p->path);
    free(p->target);
    free(p);
}
