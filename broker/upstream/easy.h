/*
 * easy.h - libcurl set up once, and one handle with every option said.
 * Floor: upstream. Depends on: upstream/call, libcurl.
 */
#ifndef AG_UPSTREAM_EASY_H
#define AG_UPSTREAM_EASY_H

#include <stdbool.h>

#include <curl/curl.h>

#include "base/attr.h"
#include "base/err.h"

struct upstream_call;
struct upstream_request;

/*
 * libcurl with allocators that wipe, once per process; takes what would steer
 * it out of the environment. Before other threads. Errors: AG_ENOMEM,
 * AG_EUNSUPPORTED.
 */
AG_CHECK enum ag_err easy_setup(void);

/* The handle of a checked call, callbacks included, as call->easy. `ca_file`
 * may be NULL. Errors: AG_ENOMEM. */
AG_CHECK enum ag_err easy_new(struct upstream_call *call,
                              const struct upstream_request *request);

/* Which roots, and how much is read at a time; before the handle runs.
 * Errors: AG_ENOMEM. */
AG_CHECK enum ag_err easy_trust(CURL *easy, const char *ca_file);
AG_CHECK enum ag_err easy_expect(CURL *easy, bool much);

#endif
