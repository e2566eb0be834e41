/*
 * peer.h - a connection to one of the broker's Unix sockets, made only to a
 * broker of this user.
 * Floor: cli. Depends on: base/err, base/fdx.
 */
#ifndef AG_CLI_PEER_H
#define AG_CLI_PEER_H

#include "base/attr.h"
#include "base/err.h"

/*
 * Connects (close-on-exec) and checks the other end's uid by SO_PEERCRED: this
 * user's or root's. `type` is SOCK_STREAM or SOCK_SEQPACKET.
 * Errors: AG_ENOBROKER, AG_EDENIED with a sentence, AG_EINVAL (path too long).
 */
AG_CHECK AG_NONNULL enum ag_err peer_connect(const char *path, int type,
                                             int *ret_fd);

#endif
