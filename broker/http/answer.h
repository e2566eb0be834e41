/*
 * answer.h - a filled reply as libmicrohttpd's response: headers, and a body
 * that is wiped when it has been sent.
 * Floor: http. Depends on: http/request, libmicrohttpd.
 */
#ifndef AG_HTTP_ANSWER_H
#define AG_HTTP_ANSWER_H

#include "base/attr.h"
#include "base/err.h"

struct MHD_Connection;
struct request;

/* Takes rq->reply.body. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err answer_queue(struct MHD_Connection *mhd,
                                             struct request *rq);

#endif
