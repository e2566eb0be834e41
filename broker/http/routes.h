/*
 * routes.h - the routes of this broker, and its core as the server sees it.
 * Floor: http. Depends on: http/route, http/server, core/access.
 */
#ifndef AG_HTTP_ROUTES_H
#define AG_HTTP_ROUTES_H

#include "base/attr.h"
#include "http/route.h"
#include "http/server.h"

/* schema/openapi.yaml describes each row; a test holds the two together. */
extern const struct route_set ROUTES;

/* core's functions; `stop` is called by POST /v1/stop with `stop_ctx`. */
struct routes_stop {
    struct core *core;
    void (*stop)(void *arg);
    void *arg;
};
AG_NONNULL struct server_app routes_app(struct routes_stop *stop);

#endif
