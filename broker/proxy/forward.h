/*
 * forward.h - the forward proxy: for clients that have no address to set but
 * HTTPS_PROXY. It answers CONNECT; everything else goes to the HTTP side.
 * Floor: proxy. Depends on: core/reach, upstream/upstream, caller/peer.
 *
 * Who asks is known by the process tree, as on every socket. A host without a
 * credential is tunnelled untouched if the task may reach it: the broker looks
 * its name up and connects (under the guard of upstream/guard.h), the greeting
 * of TLS must name that very host, then bytes pass in the kernel. A tunnel ends
 * with its task, and when the vault locks.
 *
 * Two threads come with the first connection: one that never blocks and has all
 * of them, one that asks who calls and writes the record.
 */
#ifndef AG_PROXY_FORWARD_H
#define AG_PROXY_FORWARD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct core;
struct forward;
struct peer;
struct upstream;

/* clang-format off */
/*    name                default   min    max    what it bounds */
#define FORWARD_LIMITS(X)                                                                           \
    X(connections,           512,     8,   8192, "connections of the forward proxy")                \
    X(connections_per_task,  256,     1,   8192, "of these of one task")                            \
    X(head_s,                 10,     1,    600, "CONNECT, and the TLS greeting, must be here this fast") \
    X(idle_s,                900,     1,  86400, "a tunnel without traffic is closed after")

/* clang-format on */

struct forward_limits {
#define FORWARD_LIMIT_FIELD(name, otherwise, min, max, what) int64_t name;
    FORWARD_LIMITS(FORWARD_LIMIT_FIELD)
#undef FORWARD_LIMIT_FIELD
};

static inline struct forward_limits
forward_limits_default(void)
{
#define FORWARD_LIMIT_DEFAULT(name, otherwise, min, max, what)                 \
    .name = (otherwise),
    return (struct forward_limits){FORWARD_LIMITS(FORWARD_LIMIT_DEFAULT)};
#undef FORWARD_LIMIT_DEFAULT
}

/* What it needs of the rest; all outlive it. */
struct forward_parts {
    struct core *core;
    struct upstream *upstream;
    void *ctx;
    /* Takes over a connection for the HTTP side, also on error: it was told
     * why. `authority` is whom its requests are for, HOST[:PORT]; NULL: each says
     * it itself, http://HOST[:PORT]/…, and the connection is the client's own. */
    enum ag_err (*serve)(void *ctx, int fd, const char *authority,
                         struct peer *peer);
    /* Writes a refusal; the socket stays open. */
    void (*refuse)(void *ctx, int fd, enum ag_err err, const char *why);
};

/* Errors: AG_ENOMEM, AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err forward_new(const struct forward_parts *parts,
                                            const struct forward_limits *limits,
                                            struct forward **ret);

/* Takes over a connection and its peer, also on error: it was told why.
 * Errors: AG_EBUSY, AG_ENOMEM. Threads: the accept thread. */
AG_CHECK AG_NONNULL enum ag_err forward_take(struct forward *f, int fd,
                                             struct peer *peer);

/* Threads: safe. */
AG_NONNULL void forward_set_limits(struct forward *f,
                                   const struct forward_limits *limits);

/* Cuts all; NULL is allowed. */
void forward_free(struct forward *f);
AG_DEFINE_CLEANUP(forward, forward_free)

#endif
