/*
 * later.h - one thread that goes on with what had to wait for something: may
 * block, which nobody else here may.
 * Floor: proxy. Depends on: base/err, pthread.
 */
#ifndef AG_PROXY_LATER_H
#define AG_PROXY_LATER_H

#include <sys/queue.h>

#include "base/attr.h"
#include "base/err.h"

struct later;

enum later_state {
    LATER_RESTS,
    LATER_WAITS,
    LATER_RUNS,
};

/* In the caller's memory. */
struct later_job {
    void (*run)(struct later_job *job);
    TAILQ_ENTRY(later_job) link; /* these two are the module's own */
    enum later_state state;
};

/* Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err later_new(struct later **ret);
/* None may wait. NULL is allowed. */
void later_free(struct later *later);

/* run() will be called once, in turn. It rests, or is running (then it runs
 * again). Threads: any. Blocks: no. */
AG_NONNULL void later_push(struct later *later, struct later_job *job);

/* It does not wait any more, and does not run. Not from within run(). */
AG_NONNULL void later_forget(struct later *later, struct later_job *job);

#endif
