/*
 * relay.h - the way out of a network namespace: connections to a port of its
 * own loopback are passed on to a Unix socket of the broker's, byte by byte.
 * Floor: cli/run. Depends on: run/sieve, nothing but system calls.
 *
 * It runs in the task's process tree, so the broker knows its connections as the
 * task's; it may be killed by the task, which only cuts its own way. It knows
 * nothing of what passes, and has neither capabilities nor any call beyond those
 * of its loop.
 */
#ifndef AG_CLI_RUN_RELAY_H
#define AG_CLI_RUN_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    RELAY_LINES_MAX_COUNT = 2,
    RELAY_LINKS_MAX_COUNT = 256, /* at once; more wait to be accepted */
    RELAY_PENDING_COUNT = 128,   /* of those */
};

/* Where the broker has no port of its own. Source: none; any would do, nobody
 * else is in that namespace. */
enum {
    RELAY_TASK_PORT = 8201,
    RELAY_PROXY_PORT = 8202,
};

/* One way: 127.0.0.1:port to `sock`. */
struct relay_line {
    char *sock;
    int fd; /* listens, or -1 */
    uint16_t port;
};

/* Opens the port in the network namespace we are in; -1 in `fd` before.
 * Errors: AG_EIO with a sentence. */
AG_CHECK AG_NONNULL enum ag_err relay_listen(struct relay_line *line);

/*
 * Accepts and passes on until it is killed. An end of one direction is an end of
 * that direction; what the broker breaks off is broken off (RST), so that
 * nothing cut looks whole. Blocks; for a process of its own.
 */
AG_NONNULL void relay_serve(const struct relay_line *lines, size_t line_count)
    __attribute__((noreturn));

#endif
