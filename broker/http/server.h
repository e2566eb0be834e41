/*
 * server.h - the life of the HTTP server and of a request in it.
 * Floor: http. Depends on: http/route, http/conn, http/gate, http/worker,
 * libmicrohttpd.
 *
 * No listening socket of MHD's own: accept.h gives it connections. Threads: two
 * workers, each with its share of the connections (all of a process at one), the
 * writer (core's), one for key derivation, one for what waits. A request whose
 * row says WORK_WRITE, WORK_SLOW or WORK_WAIT is suspended meanwhile.
 */
#ifndef AG_HTTP_SERVER_H
#define AG_HTTP_SERVER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/core.h"
#include "http/conn.h"
#include "http/limits.h"
#include "http/route.h"

struct pass_app;
struct peer;
struct server;

/*
 * What the server needs of the broker: core's own functions (server_of_core()
 * below), or a test's. `ctx` is passed to each.
 */
struct server_app {
    void *ctx;
    enum vault_state (*state)(void *ctx);
    /* `renews`: the token is shown to be renewed. */
    enum ag_err (*admit)(void *ctx, struct peer *peer, struct span token,
                         bool renews, struct call *ret);
    void (*leave)(void *ctx, struct call *call);
    void (*used)(void *ctx); /* somebody who may asks for the open vault */
    void (*write)(void *ctx, struct core_job *job);
    enum ag_err (*hide)(
        void *ctx);               /* puts what waits for the filter in force */
    bool (*must_hide)(void *ctx); /* is there a value that waits? */
    void (*stop)(void *ctx); /* POST /v1/stop: begins the end of the process */
    struct core *core;       /* for the handlers; may be NULL in tests */
    const struct pass_app *pass; /* what is below /p/ and /t/; NULL: nothing;
                                    copied (http/pass.h) */
};

/* `app` and `routes` are copied; what they point to outlives the server.
 * Errors: AG_EIO, AG_ENOMEM, AG_EINTERNAL (recv is not ours). */
AG_CHECK AG_NONNULL enum ag_err server_new(const struct server_app *app,
                                           const struct route_set *routes,
                                           const struct http_limits *limits,
                                           struct server **ret);

/*
 * Takes over an accepted stream connection and its peer, also on error: the
 * caller was told why and both are gone.
 * Errors: AG_EBUSY a cap is reached, AG_ENOMEM. Threads: any.
 */
AG_CHECK AG_NONNULL enum ag_err server_take(struct server *s, int fd,
                                            const struct conn_door *door,
                                            struct peer *peer);

AG_NONNULL void server_set_limits(struct server *s,
                                  const struct http_limits *limits);

/* From now on every new request is answered 503; waits until those under way
 * are answered, at most limits.drain_s. Call it before server_free(). */
AG_NONNULL void server_drain(struct server *s);

/* Waits for the requests under way without a limit, then closes all. */
void server_free(struct server *s);
AG_DEFINE_CLEANUP(server, server_free)

/* Lines of this floor's own for GET /metrics. */
AG_CHECK AG_NONNULL enum ag_err server_metrics(struct server *s,
                                               struct buf *out);

/* What POST /v1/stop does. */
AG_NONNULL void server_stop_requested(struct server *s);

#endif
