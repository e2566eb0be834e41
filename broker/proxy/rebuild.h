/*
 * rebuild.h - a request anew: what goes to the service, and nothing else.
 * Floor: proxy. Depends on: core/permit, upstream/upstream.
 *
 * Left out are, by one table (rebuild.c): the fields of one connection and
 * those Connection names, those made anew, those that say where a request came
 * from, the broker's own tokens, what asks for an answer that can't be searched
 * (encoded, or a part), and what would have the service act on another method,
 * path or host than was decided on. A '_' in a name counts as '-' there.
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

enum {
    REBUILT_SPARE_COUNT = 1, /* of fields: an upgrade adds its own */
};

struct rebuilt {
    struct buf target;             /* wiped: a value may stand in it */
    struct upstream_field *fields; /* owned; room for REBUILT_SPARE_COUNT more,
                                      up to UPSTREAM_FIELDS_MAX_COUNT in all */
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
