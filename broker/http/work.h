/*
 * work.h - one thread with a bounded queue of requests: for key derivations,
 * and for what waits, so that neither holds up an HTTP thread.
 * Floor: http. Depends on: http/request.
 */
#ifndef AG_HTTP_WORK_H
#define AG_HTTP_WORK_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct request;
struct work;

AG_CHECK AG_NONNULL enum ag_err work_new(size_t max_count, struct work **ret);

/* Does what is queued, then joins the thread. NULL is allowed. */
void work_free(struct work *w);
AG_DEFINE_CLEANUP(work, work_free)

/* Queues a request; the thread calls rq->step(rq).
 * Errors: AG_EBUSY the queue is full. Threads: safe. */
AG_CHECK AG_NONNULL enum ag_err work_push(struct work *w, struct request *rq);

#endif
