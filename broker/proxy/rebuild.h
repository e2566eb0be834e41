/*
 * rebuild.h - a request anew: what goes to the service, and nothing else.
 * Floor: proxy. Depends on: core/permit, upstream/upstream.
 *
 * Left out are the fields of one connection (Connection and those it names,
 * Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, Expect), those
 * made anew (Host, Content-Length), those that say where a request came from
 * (Forwarded, X-Forwarded-*, X-Real-IP, Via), the broker's own tokens, and
 * Accept-Encoding: an answer that is encoded can't be filtered.
 */
#ifndef AG_PROXY_REBUILD_H
#define AG_PROXY_REBUILD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "core/permit.h"
#include "policy/request.h"
#include "upstream/upstream.h"

/* A target apart: borrowed from it. */
struct target {
    int64_t task_id; /* of /t/TASK/, or 0 */
    struct span service;
    struct span path;
    struct span query;
};

/* Errors: AG_EINVAL with a sentence. */
AG_CHECK enum ag_err target_read(struct span text, struct target *ret);

struct rebuilt {
    struct buf target; /* wiped: a value may stand in it */
    struct upstream_field fields[UPSTREAM_FIELDS_MAX_COUNT];
    size_t field_count;
};

void rebuilt_done(struct rebuilt *rebuilt);
AG_DEFINE_CLEANUP_INPLACE(rebuilt, rebuilt_done)

/* Texts of *ret are borrowed from `ask` and `permit`. *ret is {0} before.
 * Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err rebuild(const struct request_ask *ask,
                                        const struct permit *permit,
                                        struct rebuilt *ret);

#endif
