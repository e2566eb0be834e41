/*
 * hello.h - the first message of a TLS client: for which server it is meant.
 * Floor: proxy. Depends on: upstream/guard.
 *
 * Source: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 9849 (the
 * encrypted greeting). Read strictly: what is not exactly one ClientHello, in as
 * many records as it likes, is none.
 */
#ifndef AG_PROXY_HELLO_H
#define AG_PROXY_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "upstream/guard.h"

enum {
    /* A ClientHello with three post-quantum shares has some 4 KiB. */
    HELLO_MAX_BYTES = 16 * 1024,
    /* All its records, were each as small as a client would ever make them. */
    HELLO_RECORDS_MAX_BYTES = HELLO_MAX_BYTES + 1024,
};

enum hello_result {
    HELLO_MORE, /* may become one */
    HELLO_WHOLE,
    HELLO_NOT_TLS, /* its first byte is not TLS's */
    HELLO_MALFORMED,
};

struct hello {
    bool has_name;
    bool encrypted; /* there is an encrypted greeting within */
    struct guard_host name;
};

/* Reads the greeting in `bytes`, from the first; *ret is set with HELLO_WHOLE.
 * What comes behind it is not looked at. `scratch` is the caller's, for the
 * call. */
AG_CHECK AG_NONNULL enum hello_result
hello_read(struct span bytes, uint8_t scratch[HELLO_MAX_BYTES],
           struct hello *ret);

/* Is it for this host? A name must be said, an address must not. */
AG_NONNULL bool hello_is_for(const struct hello *hello,
                             const struct guard_host *host);

#endif
