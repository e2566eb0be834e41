/*
 * listen.h - the listening sockets: inherited from the service manager, or
 * our own; and the lock that keeps a second broker away.
 * Floor: daemon. Depends on: base/paths, base/fsx, http/accept.
 *
 * Source of activation: sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, descriptors
 * from 3 on. Which socket is which is told by its address, not by its name.
 */
#ifndef AG_DAEMON_LISTEN_H
#define AG_DAEMON_LISTEN_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "http/accept.h"

struct paths;

enum listen_index {
    LISTEN_ADMIN,
    LISTEN_TASK,
    LISTEN_FD,
    LISTEN_PROXY,
    LISTEN_TCP, /* these two are left out when the settings say so */
    LISTEN_PROXY_TCP,
    LISTEN_COUNT,
};

struct listeners {
    int home_fd; /* the two directories, private and locked */
    int run_fd;
    int home_lock_fd; /* held as long as the broker lives */
    int run_lock_fd;
    int fds[LISTEN_COUNT]; /* -1: not there */
    bool inherited[LISTEN_COUNT];
    uint16_t port; /* of LISTEN_TCP */
    uint16_t proxy_port;
};

/*
 * Makes the directories, takes both locks, takes over or makes the sockets
 * (0600; a stale one is removed, for nobody can hold it without the lock), and
 * writes run/port and run/proxy.port.
 * Ownership: *ret is given back with listeners_close().
 * Errors: AG_EBUSY another broker runs on this home or these sockets;
 *         AG_EMODE a directory is open to others; AG_EINVAL an inherited
 *         socket is not one of ours; AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err listeners_open(const struct paths *paths,
                                               bool tcp, uint16_t tcp_port,
                                               struct listeners *ret);

/* Holds nothing: may be closed. */
AG_NONNULL void listeners_none(struct listeners *l);

/* Closes all, removes the sockets that are our own, gives up the locks. */
AG_NONNULL void listeners_close(struct listeners *l);

/* As the accept loop wants them; returns how many. */
AG_NONNULL size_t
listeners_list(const struct listeners *l,
               struct accept_socket out[ACCEPT_SOCKETS_MAX_COUNT]);

#endif
