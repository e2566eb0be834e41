/*
 * fail.h - what a failure of libcurl means, in one sentence that names the
 * host and never a header's value.
 * Floor: upstream. Depends on: base/err, libcurl.
 */
#ifndef AG_UPSTREAM_FAIL_H
#define AG_UPSTREAM_FAIL_H

#include <stdbool.h>

#include <curl/curl.h>

#include "base/attr.h"
#include "base/err.h"

/* How far a call has got. */
enum call_phase {
    PHASE_CONNECT, /* name, connection, TLS */
    PHASE_ASK,     /* until the answer's head is whole */
    PHASE_ANSWER,
};

/*
 * `verify` is CURLINFO_SSL_VERIFYRESULT. CURLE_OK is AG_OK. Why a callback of
 * ours stopped a call is told by the call, not here.
 */
AG_CHECK AG_NONNULL enum ag_err fail_of(CURLcode code, long verify,
                                        const char *host);

/* A limit of struct upstream_times was passed in this phase, or the whole. */
AG_CHECK AG_NONNULL enum ag_err fail_late(enum call_phase phase, bool whole,
                                          const char *host);

#endif
