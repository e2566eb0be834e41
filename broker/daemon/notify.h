/*
 * notify.h - readiness, reload, end and watchdog to the service manager.
 * Floor: daemon. Depends on: base/err.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3): datagrams to $NOTIFY_SOCKET,
 * WATCHDOG_PID and WATCHDOG_USEC.
 */
#ifndef AG_DAEMON_NOTIFY_H
#define AG_DAEMON_NOTIFY_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct notify {
    int fd;              /* connected; -1: nobody wants to know */
    int64_t watchdog_ms; /* a sign of life twice in this time; 0: none */
};

/*
 * Opens the socket while that is still allowed and takes the variables out of
 * the environment. Without $NOTIFY_SOCKET every later call does nothing.
 * Errors: AG_EINVAL a variable is malformed, AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err notify_open(struct notify *ret);
AG_NONNULL void notify_close(struct notify *n);

/* "READY=1\nSTATUS=…": best effort, as the protocol is. */
AG_NONNULL void notify_send(const struct notify *n, const char *state);

/* RELOADING=1 with the time systemd wants beside it. */
AG_NONNULL void notify_reloading(const struct notify *n);

#endif
