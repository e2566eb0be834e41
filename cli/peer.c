#include "peer.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"

static enum ag_err
check_uid(int fd, const char *path)
{
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
        return err_why(AG_EDENIED, "%s: who answers there can't be told", path);
    }
    if (cred.uid != geteuid() && cred.uid != 0) {
        return err_why(AG_EDENIED,
                       "%s belongs to user %u, not to you: nothing was sent; "
                       "check AUTH_GUARD_SOCKET and XDG_RUNTIME_DIR",
                       path, (unsigned)cred.uid);
    }
    return AG_OK;
}

enum ag_err
peer_connect(const char *path, int type, int *ret_fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    AG_AUTO(fd) int fd = -1;
    enum ag_err err;

    if (len == 0 || len >= sizeof(at.sun_path)) {
        return err_why(AG_EINVAL,
                       "%s: too long for a socket; set "
                       "AUTH_GUARD_HOME to a shorter path",
                       path);
    }
    memcpy(at.sun_path, path, len);
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        if (errno == EACCES || errno == EPERM) {
            return err_why(AG_EDENIED, "%s: this user may not connect to it",
                           path);
        }
        return AG_ENOBROKER;
    }
    err = check_uid(fd, path);
    if (err == AG_OK) {
        *ret_fd = FD_TAKE(fd);
    }
    return err;
}
