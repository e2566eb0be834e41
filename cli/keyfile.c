#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "cli.h"

enum ag_err
keyfile_read(struct cli *cli, const char *path, struct secret **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(fd) int fd = -1;
    enum ag_err err = cli_harden(cli);

    if (err == AG_OK) {
        err = fs_open_private(AT_FDCWD, path, &fd);
    }
    if (err == AG_OK) {
        err = fd_read_secret(fd, KEYFILE_MAX_BYTES, &key);
    }
    if (err == AG_OK && secret_len(key) < KEYFILE_MIN_BYTES) {
        err = err_why(AG_EINVAL,
                      "%s: a key file needs at least %d bytes; "
                      "make one with: head -c 32 /dev/urandom",
                      path, KEYFILE_MIN_BYTES);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(key);
    }
    return err;
}

enum ag_err
value_read(struct cli *cli, const char *path, struct secret **ret)
{
    bool from_stdin = strcmp(path, "-") == 0;
    AG_AUTO(fd) int opened = -1;
    int fd = STDIN_FILENO;
    enum ag_err err = cli_harden(cli);

    if (err != AG_OK) {
        return err;
    }
    if (!from_stdin) {
        opened = open(path, O_RDONLY | O_CLOEXEC);
        fd = opened;
    }
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    err = fd_read_secret(fd, VALUE_MAX_BYTES, ret);
    if (err == AG_ELIMIT) {
        return err_why(err,
                       "%s: larger than %d bytes, which one value may "
                       "have",
                       from_stdin ? "stdin" : path, VALUE_MAX_BYTES);
    }
    return err;
}
