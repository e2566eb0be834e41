/*
 * loop.h - the thread that drives libcurl: starts calls when their turn comes,
 * lets them go on, ends them, and leaves when nothing is called.
 * Floor: upstream. Depends on: upstream/call, libcurl.
 */
#ifndef AG_UPSTREAM_LOOP_H
#define AG_UPSTREAM_LOOP_H

#include "upstream/call.h"

enum loop_state {
    LOOP_NONE,
    LOOP_RUNS,
    LOOP_GONE, /* its thread has left and is to be joined */
};

struct upstream {
    struct gate gate; /* its lock also guards what follows */
    struct upstream_limits limits;
    enum loop_state loop;
    pthread_t thread;
    CURLM *multi;           /* while LOOP_RUNS */
    struct call_list inbox; /* started, not yet seen by the loop */
    int64_t unended_count;  /* started and not ended */
    int64_t held_count;     /* started and not given to upstream_cancel() */
    bool stop;
    bool woken; /* since the loop last looked: once is enough */

    /* the loop's thread */
    struct call_list calls;
    int64_t running_count;

    char *ca_file; /* NULL: the system's */
};

/* The limits as they are now. Threads: any. */
AG_NONNULL struct upstream_limits loop_limits(struct upstream *u);

/* Under the lock: the loop looks at its flags before it sleeps again. */
AG_NONNULL void loop_wake(struct upstream *u);

/* Under the lock: it runs when this returns AG_OK. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err loop_need(struct upstream *u);

#endif
