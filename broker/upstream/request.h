/*
 * request.h - a request checked, and its header lines as libcurl takes them,
 * the secret ones in locked memory.
 * Floor: upstream. Depends on: upstream/upstream, upstream/guard, base/secret,
 * base/buf, libcurl (struct curl_slist).
 */
#ifndef AG_UPSTREAM_REQUEST_H
#define AG_UPSTREAM_REQUEST_H

#include "base/attr.h"
#include "base/err.h"
#include "upstream/guard.h"
#include "upstream/upstream.h"

struct curl_slist;
struct request_lines;

/* A method or a field's name: RFC 9110 section 5.6.2. */
bool request_is_token(struct span text);

/* A checked request's parts that libcurl wants as strings. */
struct request_parts {
    char method[UPSTREAM_METHOD_MAX_BYTES + 1];
    struct guard_host host;
    uint16_t port;
    enum guard_may may;
};

/*
 * Errors: AG_EINVAL, AG_EADDRESS, AG_ELIMIT as upstream_start() has them.
 * Threads: safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err
request_check(const struct upstream_request *request,
              struct request_parts *ret);

/*
 * The lines of a checked request: its fields, and what keeps libcurl from
 * adding its own.
 * Ownership: the caller's, freed with request_lines_free(); the list borrows
 *            from it.
 * Errors: AG_ENOMEM, AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err
request_lines_new(const struct upstream_request *request,
                  struct request_lines **ret);
void request_lines_free(struct request_lines *lines);
AG_DEFINE_CLEANUP(request_lines, request_lines_free)

AG_NONNULL struct curl_slist *request_lines_list(struct request_lines *lines);

#endif
