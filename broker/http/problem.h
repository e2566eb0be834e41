/*
 * problem.h - the body of every failure: RFC 9457 application/problem+json.
 * Floor: http. Depends on: base/err, wire/emit.
 */
#ifndef AG_HTTP_PROBLEM_H
#define AG_HTTP_PROBLEM_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct buf;

enum {
    PROBLEM_MAX_BYTES = 1024,
    REQUEST_ID_BYTES = 4 + 8 + 16 + 1, /* req_, of this run, a count, NUL */
};

/* {type, title, status, code, detail, request_id}. `detail` is a sentence
 * without values. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err problem_body(struct buf *out, enum ag_err err,
                                             const char *detail,
                                             const char *request_id);

/* A whole HTTP answer with such a body that closes the connection: for what is
 * refused before there is a request. */
AG_CHECK AG_NONNULL enum ag_err problem_answer(struct buf *out, enum ag_err err,
                                               const char *detail);

/* "req_" + 8 hex of this run + 16 hex of a count. Threads: safe. */
void request_id_next(char out[REQUEST_ID_BYTES]);

#endif
