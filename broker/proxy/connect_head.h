/*
 * connect_head.h - the head of a CONNECT, read strictly.
 * Floor: proxy. Depends on: upstream/guard.
 *
 * Source: RFC 9110 section 9.3.6, RFC 9112 sections 2-5. Lines end in CR LF, no
 * folding, no body; HTTP/1.0 is taken too, since Python's clients send it. Of a
 * Host only the form is looked at: Node's clients send the proxy's.
 */
#ifndef AG_PROXY_CONNECT_HEAD_H
#define AG_PROXY_CONNECT_HEAD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "upstream/guard.h"

enum {
    CONNECT_HEAD_MAX_BYTES = 8 * 1024,
    CONNECT_FIELDS_MAX_COUNT = 64,
};

struct connect_head {
    struct guard_host host;
    uint16_t port; /* never 0 */
};

/* Whether these first bytes are, or may become, those of a CONNECT. */
bool connect_head_begins(struct span bytes);

/*
 * The head in `bytes`, from the first. *ret_len: its bytes, 0 while it is not
 * whole (AG_OK then, and *ret is untouched).
 * Errors: AG_EHTTP malformed; AG_EHEAD too large; AG_EADDRESS as
 *         guard_read_host(); each with a sentence. What can be refused early is.
 */
AG_CHECK AG_NONNULL enum ag_err
connect_head_read(struct span bytes, struct connect_head *ret, size_t *ret_len);

#endif
