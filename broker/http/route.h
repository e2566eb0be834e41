/*
 * route.h - routes as rows: what a request must bring stands in the row, and
 * the dispatcher enforces it. Matching and path decoding are here.
 * Floor: http. Depends on: http/request, wire/msg, caller/class.
 */
#ifndef AG_HTTP_ROUTE_H
#define AG_HTTP_ROUTE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "http/request.h"
#include "store/words.h"

struct msg_spec;

enum route_flags {
    ROUTE_PLAIN = 0,
    ROUTE_OPEN = 1,   /* needs an open vault: else `locked` or `no_vault` */
    ROUTE_TOKEN = 2,  /* needs a valid token */
    ROUTE_RENEWS = 8, /* the token that is shown is renewed */
    ROUTE_GIVES = 16, /* a WORK_WRITE that answers with a value: not before the
                         filter has all values; if it can't, to a person only */
    ROUTE_HIDE = 4, /* a WORK_WRITE that answers with something to redact: only
                        when the filter has it */
};

enum route_work {
    WORK_READ,   /* answered on the HTTP thread */
    WORK_WRITE,  /* a job of the writer, in its transaction */
    WORK_SLOW,   /* derives keys: on the one slow thread */
    WORK_WAIT,   /* reads long or waits for the filter: on the waiting thread */
    WORK_ROTATE, /* one run of rotations at a time, and minutes long */
};

/* Which roles a service's token may have: for rows with CALLER_MAY_SERVICE. */
enum route_roles {
    ROLES_NONE = 0,
    ROLES_ROTATOR = 1 << ROLE_ROTATOR,
    ROLES_RUNNER = 1 << ROLE_RUNNER,
    ROLES_AUDITOR = 1 << ROLE_AUDITOR,
    ROLES_ALL = 1 << ROLE_ROTATOR | 1 << ROLE_RUNNER | 1 << ROLE_AUDITOR |
                1 << ROLE_BACKUP,
};

struct route {
    const char *method;
    const char *pattern;  /* /v1/secrets/{name}/value */
    unsigned int callers; /* enum caller_mask */
    unsigned int roles;   /* enum route_roles */
    unsigned int sockets; /* enum http_socket */
    unsigned int flags;   /* enum route_flags */
    enum route_work work;
    const struct msg_spec *query; /* NULL: no query allowed */
    const struct msg_spec *body;  /* NULL: no body allowed */
    handler_fn run;
    /* WORK_READ only: when run() says AG_EBUSY this is run as a writer job. */
    handler_fn durable;
};

struct route_set {
    const struct route *rows;
    size_t count;
};

/*
 * Finds the row of `method` and the raw (still encoded) `path` and decodes its
 * parameters into rq->param.
 *
 * A segment is decoded strictly: an escape must be two upper-case hex digits of
 * a byte that needs it, so that every path has one spelling; {name} must be a
 * secret's name (with %2F between its parts), {id} up to 64 of [A-Za-z0-9_-].
 * Errors: AG_ENOTFOUND; AG_EMETHOD with rq->reply.allow_text filled;
 *         AG_EINVAL a parameter is not valid.
 */
AG_CHECK AG_NONNULL enum ag_err route_find(const struct route_set *set,
                                           const char *method, struct span path,
                                           struct request *rq);

/* Percent-decodes with the strictness above, with a NUL. */
AG_CHECK AG_NONNULL enum ag_err route_decode(struct span text, size_t cap,
                                             char *out);

#endif
