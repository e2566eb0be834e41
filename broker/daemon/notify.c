#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "base/span.h"

enum {
    US_PER_MS = 1000,
};

static enum ag_err
read_watchdog(int64_t *ret_ms)
{
    // NOLINTBEGIN(concurrency-mt-unsafe): before any other thread
    const char *pid_text = getenv("WATCHDOG_PID");
    const char *usec_text = getenv("WATCHDOG_USEC");
    // NOLINTEND(concurrency-mt-unsafe)
    uint64_t pid = (uint64_t)getpid();
    uint64_t usec = 0;
    enum ag_err err = AG_OK;

    *ret_ms = 0;
    if (usec_text == NULL) {
        return AG_OK;
    }
    if (pid_text != NULL) {
        err = parse_u64(span_str(pid_text), INT32_MAX, &pid);
    }
    if (err == AG_OK) {
        err = parse_u64(span_str(usec_text), INT64_MAX, &usec);
    }
    if (err != AG_OK) {
        return err_why(AG_EINVAL,
                       "WATCHDOG_PID or WATCHDOG_USEC is not a number");
    }
    if (pid == (uint64_t)getpid()) {
        *ret_ms = (int64_t)(usec / US_PER_MS);
    }
    return AG_OK;
}

/* A path, or '@' and an abstract name. */
static enum ag_err
connect_to(const char *path, int *ret_fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    AG_AUTO(fd) int fd = -1;

    if ((path[0] != '/' && path[0] != '@') || len < 2 ||
        len >= sizeof(addr.sun_path)) {
        return err_why(AG_EINVAL, "NOTIFY_SOCKET is not a socket's address");
    }
    memcpy(addr.sun_path, path, len);
    if (path[0] == '@') {
        addr.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&addr,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      len)) != 0) {
        return err_why(AG_EIO, "NOTIFY_SOCKET: %s", strerrordesc_np(errno));
    }
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

enum ag_err
notify_open(struct notify *ret)
{
    struct notify n = {.fd = -1};
    enum ag_err err = read_watchdog(&n.watchdog_ms);
    // NOLINTBEGIN(concurrency-mt-unsafe): before any other thread
    const char *path = getenv("NOTIFY_SOCKET");

    if (err == AG_OK && path != NULL) {
        err = connect_to(path, &n.fd);
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_PID");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    // NOLINTEND(concurrency-mt-unsafe)
    if (err == AG_OK) {
        *ret = n;
    }
    return err;
}

void
notify_close(struct notify *n)
{
    fd_close(n->fd);
    n->fd = -1;
}

void
notify_send(const struct notify *n, const char *state)
{
    if (n->fd >= 0) {
        ssize_t sent =
            send(n->fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);

        (void)sent;
    }
}

void
notify_reloading(const struct notify *n)
{
    struct timespec now;
    char text[64];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_send(n, text);
}
