/*
 * filter_stream.h - in the filter process: the threads that copy streams
 * through the redactor.
 * Floor: privsep. Depends on: privsep/filter_set, redact/redactor.
 *
 * All threads are made at the start, so that the process needs no call that
 * makes one once it is confined; each waits for a stream and serves it.
 * Descriptors are polled and read or written as they are: their flags belong
 * to others too (a terminal), so nothing is ever set to O_NONBLOCK. A thread
 * that is stuck in a write is woken by a signal, again and again until it has
 * seen that it is cancelled.
 */
#ifndef AG_PRIVSEP_FILTER_STREAM_H
#define AG_PRIVSEP_FILTER_STREAM_H

#include "base/attr.h"
#include "base/err.h"
#include "privsep/filter_msg.h"
#include "privsep/filter_rules.h"
#include "privsep/filter_set.h"
#include "privsep/filter_tell.h"

struct fpool;

enum {
    FPOOL_NUDGE_MS = 5, /* between signals to a thread that must stop */
};

/* Both are called on the stream's thread; borrowed for the call. */
struct fpool_hooks {
    struct ftell_hooks tell;
    void (*end)(void *ctx, const struct fmsg_end *end); /* ctx: of `tell` */
};

/* Errors: AG_ENOMEM. `set` and `rules` are borrowed. */
AG_CHECK AG_NONNULL enum ag_err fpool_new(struct fset *set,
                                          const struct frules *rules,
                                          const struct fpool_hooks *hooks,
                                          struct fpool **ret);

/* Cancels what runs and waits for all threads. */
void fpool_free(struct fpool *p);
AG_DEFINE_CLEANUP(fpool, fpool_free)

/*
 * Starts a stream. On AG_OK both descriptors are the pool's.
 * Errors: AG_ELOCKED no set; AG_ELIMIT all threads are busy; AG_EINVAL marker
 *         or an id in use; AG_EMEMLOCK; AG_ENOMEM; those of frules_filter().
 */
AG_CHECK AG_NONNULL enum ag_err fpool_start(struct fpool *p,
                                            const struct fmsg_stream *stream,
                                            int src_fd, int dst_fd);

/* Asks a stream, or all, to end with `why`. Main thread. */
AG_NONNULL void fpool_cancel(struct fpool *p, uint64_t id, enum ag_err why);
AG_NONNULL void fpool_cancel_all(struct fpool *p, enum ag_err why);

/* Wakes cancelled threads; true: some are still at work, call again in
 * FPOOL_NUDGE_MS. */
AG_NONNULL bool fpool_nudge(struct fpool *p);

AG_NONNULL size_t fpool_count(struct fpool *p);

#endif
