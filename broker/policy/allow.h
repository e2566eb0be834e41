/*
 * allow.h - hosts that a task may reach without a credential: `run --allow`.
 * Floor: policy. Depends on: upstream/guard.
 *
 * Spelled HOST, HOST:PORT, *.HOST or *.HOST:PORT. Without a port: 443 and 80.
 * With ",inner" behind HOST:PORT that very host and port may lie on this machine
 * or its networks (upstream/guard.h).
 */
#ifndef AG_POLICY_ALLOW_H
#define AG_POLICY_ALLOW_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "upstream/guard.h"

enum {
    ALLOW_MAX_COUNT = 64, /* of one task; more is a wildcard's work */
    ALLOW_TEXT_MAX_BYTES = GUARD_AUTHORITY_BYTES + 8, /* "*." and ",inner" */
};

struct allow {
    struct guard_host host; /* of a wildcard what is behind "*." */
    uint16_t port;          /* 0: none was said */
    bool below;             /* a wildcard: any name below `host` */
    bool inner;
};

/* Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err allow_read(struct span text, struct allow *ret);

AG_NONNULL bool allow_covers(const struct allow *allow,
                             const struct guard_host *host, uint16_t port);

/* Whether what passes there need not be TLS: a port was said, and it is not
 * the one of https. */
AG_NONNULL bool allow_any_protocol(const struct allow *allow);

#endif
