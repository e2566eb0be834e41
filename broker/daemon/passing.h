/*
 * passing.h - ties what HTTP passes on to the proxy: neither knows the other.
 * Floor: daemon. Depends on: http/pass, proxy/proxy.
 */
#ifndef AG_DAEMON_PASSING_H
#define AG_DAEMON_PASSING_H

#include "base/attr.h"
#include "http/pass.h"

struct proxy;

/* `proxy` is borrowed and outlives the server. */
AG_NONNULL struct pass_app passing_app(struct proxy *proxy);

#endif
