#include "daemon/listen.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/parse.h"
#include "base/paths.h"
#include "base/span.h"

enum {
    FIRST_INHERITED_FD = 3, /* SD_LISTEN_FDS_START */
    INHERITED_MAX_COUNT = 8,
    BACKLOG_COUNT = 511,
    SOCKET_MODE = 0600,
};

static const char LOCK_NAME[] = "broker.lock";
static const char PORT_NAME[] = "port";
static const char PROXY_PORT_NAME[] = "proxy.port";

/* The Unix sockets, by the last part of their path. */
struct unix_socket {
    const char *name;
    int type;
};

static const struct unix_socket UNIX_SOCKETS[] = {
    [LISTEN_ADMIN] = {"admin.sock", SOCK_STREAM},
    [LISTEN_TASK] = {"task.sock", SOCK_STREAM},
    [LISTEN_FD] = {"fd.sock", SOCK_SEQPACKET},
    [LISTEN_PROXY] = {"proxy.sock", SOCK_STREAM},
};

static const struct listeners NONE = {
    .home_fd = -1,
    .run_fd = -1,
    .home_lock_fd = -1,
    .run_lock_fd = -1,
    .fds = {-1, -1, -1, -1, -1, -1},
};

static const char *
path_of(const struct paths *paths, enum listen_index which)
{
    switch (which) {
    case LISTEN_ADMIN:
        return paths->admin_sock;
    case LISTEN_TASK:
        return paths->task_sock;
    case LISTEN_FD:
        return paths->fd_sock;
    case LISTEN_PROXY:
        return paths->proxy_sock;
    case LISTEN_TCP:
    case LISTEN_PROXY_TCP:
    case LISTEN_COUNT:
        break;
    }
    return NULL;
}

/* ---- what the service manager gave ---- */

static bool
is_listening(int fd, int type)
{
    int value = 0;
    socklen_t len = sizeof(value);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) != 0 ||
        value == 0) {
        return false;
    }
    len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len) == 0 &&
           value == type;
}

/* Which one it is, LISTEN_COUNT if none of ours. */
static enum listen_index
recognize(const struct paths *paths, int fd)
{
    struct sockaddr_un addr = {0};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
        addr.sun_family != AF_UNIX) {
        return LISTEN_COUNT;
    }
    addr.sun_path[sizeof(addr.sun_path) - 1] = '\0';
    for (size_t i = 0; i < AG_COUNT(UNIX_SOCKETS); i++) {
        enum listen_index which = (enum listen_index)i;

        if (strcmp(addr.sun_path, path_of(paths, which)) == 0 &&
            is_listening(fd, UNIX_SOCKETS[i].type)) {
            return which;
        }
    }
    return LISTEN_COUNT;
}

static enum ag_err
read_number(const char *variable, uint64_t max, uint64_t *ret)
{
    const char *text = getenv(variable); // NOLINT(concurrency-mt-unsafe)

    *ret = 0;
    return text == NULL ? AG_OK : parse_u64(span_str(text), max, ret);
}

static enum ag_err
take_one(const struct paths *paths, int fd, struct listeners *l)
{
    enum listen_index which = recognize(paths, fd);

    if (which == LISTEN_COUNT || l->fds[which] >= 0) {
        return err_why(AG_EINVAL,
                       "socket activation: descriptor %d is not "
                       "one of our sockets in %s",
                       fd, paths->run);
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return AG_EIO;
    }
    l->fds[which] = fd;
    l->inherited[which] = true;
    return fd_set_nonblock(fd, true);
}

static enum ag_err
take_inherited(const struct paths *paths, struct listeners *l)
{
    uint64_t pid = 0;
    uint64_t count = 0;
    enum ag_err err = read_number("LISTEN_PID", INT32_MAX, &pid);

    if (err == AG_OK) {
        err = read_number("LISTEN_FDS", INHERITED_MAX_COUNT, &count);
    }
    if (err != AG_OK) {
        return err_why(AG_EINVAL, "LISTEN_PID or LISTEN_FDS is not a number");
    }
    if (pid != (uint64_t)getpid()) {
        return AG_OK;
    }
    for (uint64_t i = 0; i < count && err == AG_OK; i++) {
        err = take_one(paths, FIRST_INHERITED_FD + (int)i, l);
    }
    return err;
}

/* ---- our own ---- */

static enum ag_err
bind_unix(const struct paths *paths, enum listen_index which,
          struct listeners *l)
{
    const char *path = path_of(paths, which);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    AG_AUTO(fd)
    int fd = socket(AF_UNIX,
                    UNIX_SOCKETS[which].type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (strlen(path) >= sizeof(addr.sun_path)) {
        return err_why(AG_EINVAL, "the path of a socket is too long: %s", path);
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    /* We hold the lock of this directory, so nobody listens on what is there. */
    if (unlinkat(l->run_fd, UNIX_SOCKETS[which].name, 0) != 0 &&
        errno != ENOENT) {
        return err_why(AG_EIO, "can't remove the stale %s: %s", path,
                       strerrordesc_np(errno));
    }
    if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        fchmodat(l->run_fd, UNIX_SOCKETS[which].name, SOCKET_MODE, 0) != 0 ||
        listen(fd, BACKLOG_COUNT) != 0) {
        return err_why(AG_EIO, "can't listen on %s: %s", path,
                       strerrordesc_np(errno));
    }
    l->fds[which] = FD_TAKE(fd);
    return AG_OK;
}

static enum ag_err
write_port(const struct listeners *l, const char *name, uint16_t port)
{
    char text[8];
    int len = snprintf(text, sizeof(text), "%u\n", (unsigned int)port);

    return fs_replace(l->run_fd, name, span_of(text, (size_t)len));
}

static enum ag_err
bind_tcp(uint16_t wanted_port, int *ret_fd, uint16_t *ret_port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_port = htons(wanted_port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    socklen_t len = sizeof(addr);
    const int on = 1;
    AG_AUTO(fd)
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, BACKLOG_COUNT) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        return err_why(errno == EADDRINUSE ? AG_EBUSY : AG_EIO,
                       "can't listen on 127.0.0.1:%u: %s",
                       (unsigned int)wanted_port, strerrordesc_np(errno));
    }
    *ret_port = ntohs(addr.sin_port);
    *ret_fd = FD_TAKE(fd);
    return AG_OK;
}

/*
 * For connections taken from `fd`, which get it from there. The forward proxy
 * writes what it has; the last of it would wait for the client to acknowledge
 * what went before, 40 ms. The HTTP server sees to its own.
 */
static enum ag_err
send_at_once(int fd)
{
    const int on = 1;

    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0
               ? AG_OK
               : err_from_errno(errno);
}

static enum ag_err
bind_both(uint16_t tcp_port, struct listeners *l)
{
    enum ag_err err = bind_tcp(tcp_port, &l->fds[LISTEN_TCP], &l->port);

    if (err == AG_OK) {
        err = write_port(l, PORT_NAME, l->port);
    }
    if (err == AG_OK) {
        err = bind_tcp(0, &l->fds[LISTEN_PROXY_TCP], &l->proxy_port);
    }
    if (err == AG_OK) {
        err = send_at_once(l->fds[LISTEN_PROXY_TCP]);
    }
    return err == AG_OK ? write_port(l, PROXY_PORT_NAME, l->proxy_port) : err;
}

/* ---- directories, locks ---- */

static enum ag_err
lock_dir(const char *path, int *ret_dir_fd, int *ret_lock_fd)
{
    enum ag_err err = fs_private_dir(path, ret_dir_fd);

    if (err == AG_OK) {
        err = fs_lock(*ret_dir_fd, LOCK_NAME, ret_lock_fd);
    }
    if (err == AG_EBUSY) {
        return err_why(AG_EBUSY, "another broker runs on %s", path);
    }
    return err;
}

static enum ag_err
open_all(const struct paths *paths, bool tcp, uint16_t tcp_port,
         struct listeners *l)
{
    enum ag_err err = lock_dir(paths->home, &l->home_fd, &l->home_lock_fd);

    /* A home that has its sockets beside the vault needs one lock only. */
    if (err == AG_OK && strcmp(paths->home, paths->run) == 0) {
        l->run_fd = fcntl(l->home_fd, F_DUPFD_CLOEXEC, 0);
        err = l->run_fd < 0 ? AG_EIO : AG_OK;
    } else if (err == AG_OK) {
        err = lock_dir(paths->run, &l->run_fd, &l->run_lock_fd);
    }
    if (err == AG_OK) {
        err = take_inherited(paths, l);
    }
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(UNIX_SOCKETS); i++) {
        if (l->fds[i] < 0) {
            err = bind_unix(paths, (enum listen_index)i, l);
        }
    }
    if (err == AG_OK && tcp) {
        err = bind_both(tcp_port, l);
    }
    return err;
}

enum ag_err
listeners_open(const struct paths *paths, bool tcp, uint16_t tcp_port,
               struct listeners *ret)
{
    struct listeners l = NONE;
    enum ag_err err = open_all(paths, tcp, tcp_port, &l);

    if (err != AG_OK) {
        listeners_close(&l);
        return err;
    }
    *ret = l;
    return AG_OK;
}

void
listeners_none(struct listeners *l)
{
    *l = NONE;
}

void
listeners_close(struct listeners *l)
{
    for (size_t i = 0; i < LISTEN_COUNT; i++) {
        if (i < AG_COUNT(UNIX_SOCKETS) && l->fds[i] >= 0 && !l->inherited[i]) {
            (void)unlinkat(l->run_fd, UNIX_SOCKETS[i].name, 0);
        }
        fd_close(l->fds[i]);
        l->fds[i] = -1;
    }
    if (l->port != 0) {
        (void)unlinkat(l->run_fd, PORT_NAME, 0);
    }
    if (l->proxy_port != 0) {
        (void)unlinkat(l->run_fd, PROXY_PORT_NAME, 0);
    }
    fd_close(l->run_lock_fd);
    fd_close(l->home_lock_fd);
    fd_close(l->run_fd);
    fd_close(l->home_fd);
    *l = NONE;
}

size_t
listeners_list(const struct listeners *l,
               struct accept_socket out[ACCEPT_SOCKETS_MAX_COUNT])
{
    static const struct {
        enum accept_kind kind;
        enum http_socket socket;
    } KINDS[] = {
        [LISTEN_ADMIN] = {ACCEPT_HTTP, HTTP_ADMIN},
        [LISTEN_TASK] = {ACCEPT_HTTP, HTTP_TASK},
        [LISTEN_FD] = {ACCEPT_HANDOVER, HTTP_ADMIN},
        [LISTEN_PROXY] = {ACCEPT_FORWARD, HTTP_TASK},
        [LISTEN_TCP] = {ACCEPT_HTTP, HTTP_TCP},
        [LISTEN_PROXY_TCP] = {ACCEPT_FORWARD, HTTP_TCP},
    };

    size_t count = 0;

    for (size_t i = 0; i < LISTEN_COUNT; i++) {
        if (l->fds[i] < 0) {
            continue;
        }
        out[count++] = (struct accept_socket){
            .fd = l->fds[i],
            .kind = KINDS[i].kind,
            .socket = KINDS[i].socket,
            .port = l->port,
        };
    }
    return count;
}
