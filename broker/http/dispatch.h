/*
 * dispatch.h - from a whole request to its row, and everything the row
 * demands: socket, open vault, caller, token, query, body; then to the thread
 * that does the work. libmicrohttpd is not visible here.
 * Floor: http. Depends on: http/route, http/work, caller/toll.
 */
#ifndef AG_HTTP_DISPATCH_H
#define AG_HTTP_DISPATCH_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "http/limits.h"
#include "http/request.h"
#include "http/route.h"
#include "http/server.h"

struct dispatch;

struct dispatch_parts {
    struct server_app app;
    struct route_set routes;
    /* The request will be finished by another thread: called before it is
     * handed over, and by that thread when the reply is there. */
    void (*suspend)(struct request *rq);
    void (*resume)(struct request *rq);
};

AG_CHECK AG_NONNULL enum ag_err dispatch_new(const struct dispatch_parts *parts,
                                             const struct http_limits *limits,
                                             struct dispatch **ret);

/* Ends the work threads; no request may be under way. */
void dispatch_free(struct dispatch *d);
AG_DEFINE_CLEANUP(dispatch, dispatch_free)

AG_NONNULL void dispatch_set_limits(struct dispatch *d,
                                    const struct http_limits *limits);

/* From now on every new request is answered 503. */
AG_NONNULL void dispatch_drain(struct dispatch *d);

/* After that: waits until no request is suspended. */
AG_NONNULL void dispatch_settle(struct dispatch *d);

/* What the server read; borrowed, but for `query`. The body is rq->raw_body. */
struct dispatch_input {
    const char *method;
    struct span path;         /* raw */
    struct span token;        /* empty: none */
    enum ag_err token_err;    /* not AG_OK: credentials of an unknown form */
    const char *content_type; /* or NULL */
    json_t *query;            /* an object of strings, or NULL; taken over */
    enum ag_err query_err;    /* not AG_OK: it could not be decoded */
};

/*
 * True: rq->reply is filled. False: the request is suspended, belongs to
 * another thread and must not be touched until it is resumed.
 */
AG_CHECK AG_NONNULL bool dispatch_begin(struct dispatch *d, struct request *rq,
                                        struct dispatch_input *in);

/* Gives back what the request borrowed of core. */
AG_NONNULL void dispatch_end(struct dispatch *d, struct request *rq);

#endif
