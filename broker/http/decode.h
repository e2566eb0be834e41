/*
 * decode.h - query and body of a request into the structs its row names.
 * Floor: http. Depends on: http/request, http/route, wire/msg.
 */
#ifndef AG_HTTP_DECODE_H
#define AG_HTTP_DECODE_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct request;

/* Adds a parameter to the object `query`: both parts still encoded.
 * Errors: AG_EINVAL not valid, or given twice. */
AG_CHECK AG_NONNULL enum ag_err decode_query_add(json_t *query, struct span key,
                                                 struct span value);

/*
 * rq->query from an object of strings (NULL: no query was given); `query_err`
 * is passed on if it is not AG_OK.
 * Errors: AG_EINVAL a parameter the row does not have, or out of bounds.
 */
AG_CHECK enum ag_err decode_query(struct request *rq, json_t *query,
                                  enum ag_err query_err);

/*
 * rq->body from rq->raw_body, which is wiped. A body may be left out where no
 * field is required. `content_type` is NULL when there is none.
 * Errors: AG_EMEDIA not application/json, AG_EINVAL, AG_ELIMIT.
 */
AG_CHECK enum ag_err decode_body(struct request *rq, const char *content_type);

#endif
