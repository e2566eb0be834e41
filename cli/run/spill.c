#include "run/spill.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "crypt/box.h"
#include "run/watch.h"

enum {
    SPILL_PATH_BYTES = 2048,
    SPILL_NAME_BYTES = 128,
};

static enum ag_err
decode_key(const char *text, uint8_t out[BOX_PUBLIC_BYTES])
{
    size_t len = 0;

    if (sodium_base642bin(out, BOX_PUBLIC_BYTES, text, strlen(text), NULL, &len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != BOX_PUBLIC_BYTES) {
        return AG_ECORRUPT;
    }
    return AG_OK;
}

static enum ag_err
seal_to(int dir_fd, const char *name, int fd, const char *key)
{
    AG_AUTO(secret) struct secret *content = NULL;
    AG_AUTO(buf) struct buf box;
    uint8_t public_key[BOX_PUBLIC_BYTES];
    enum ag_err err;

    buf_init(&box, WATCH_FILE_MAX_BYTES + BOX_OVERHEAD_BYTES, BUF_PLAIN);
    err = sodium_init() < 0 ? AG_EINTERNAL : decode_key(key, public_key);
    if (err == AG_OK) {
        err = fd_read_secret(fd, WATCH_FILE_MAX_BYTES, &content);
    }
    if (err == AG_OK) {
        err = box_seal(public_key, secret_view(content), &box);
    }
    return err == AG_OK ? fs_replace(dir_fd, name, buf_view(&box)) : err;
}

/* In the child: its exit status is the error. */
static enum ag_err
spill_here(int fd, const char *home, const char *key, const char *name)
{
    char path[SPILL_PATH_BYTES];
    char file[SPILL_NAME_BYTES];
    AG_AUTO(fd) int dir_fd = -1;
    enum ag_err err = AG_OK;

#ifndef AG_SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    if (secret_arena_backing() == SECRET_BACKING_NONE) {
        err = secret_arena_open(SECRET_ARENA_CLI_BYTES);
    }
    (void)snprintf(path, sizeof(path), "%s/spill", home);
    (void)snprintf(file, sizeof(file), "%s.sealed", name);
    if (err == AG_OK) {
        err = fs_private_dir(path, &dir_fd);
    }
    return err == AG_OK ? seal_to(dir_fd, file, fd, key) : err;
}

enum ag_err
spill_file(int fd, const char *home, const char *key, const char *name)
{
    int status = 0;
    pid_t pid;

    if (key == NULL) {
        return AG_ENOBROKER;
    }
    if (name[0] == '\0') {
        return err_why(AG_ENOBROKER,
                       "the broker is gone, and no lease is known "
                       "to keep the new login under");
    }
    pid = fork();
    if (pid == 0) {
        _exit((int)spill_here(fd, home, key, name));
    }
    if (pid < 0) {
        return AG_ENOMEM;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return AG_EIO;
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) >= AG_ERR_COUNT) {
        return AG_EINTERNAL;
    }
    return (enum ag_err)WEXITSTATUS(status);
}
