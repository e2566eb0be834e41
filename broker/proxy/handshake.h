/*
 * handshake.h - a request that wants another protocol on its connection, and
 * the answer that grants it. WebSocket only.
 * Floor: proxy. Depends on: policy/request, upstream/upstream.
 */
#ifndef AG_PROXY_HANDSHAKE_H
#define AG_PROXY_HANDSHAKE_H

#include "base/attr.h"
#include "base/err.h"
#include "policy/request.h"
#include "proxy/proxy.h"
#include "upstream/upstream.h"

enum {
    HANDSHAKE_STATUS = 101,
};

/*
 * Does it want a WebSocket? An Upgrade that Connection does not name is none;
 * h2c is only an offer, and passed over. Errors: AG_EUPGRADE any other
 * protocol, also beside it; or no GET, or with a body.
 */
AG_CHECK AG_NONNULL enum ag_err
handshake_read(const struct proxy_request *request, bool *ret);

/* A 101: is it that of a WebSocket as we asked for it, without extensions?
 * Errors: AG_EUPSTREAM. */
AG_CHECK AG_NONNULL enum ag_err
handshake_check(const struct upstream_head *head);

#endif
