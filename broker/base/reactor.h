/*
 * reactor.h - a thread that waits for many descriptors at once and does what is
 * due: what became ready, what other threads asked of it, what a time was set
 * for. A library that has to be driven (libmicrohttpd, libcurl) is driven by
 * one, so that a request stays on the thread that received it.
 * Floor: base. Depends on: base/err, base/clock, epoll(7), eventfd(2).
 *
 * All callbacks run on the reactor's thread, one at a time; none may block.
 * Within a turn first the descriptors, then the times, then what was posted,
 * which what was posted may do again.
 */
#ifndef AG_BASE_REACTOR_H
#define AG_BASE_REACTOR_H

#include <sys/queue.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct reactor;
struct reactor_source;

typedef void (*reactor_fn)(void *ctx);

enum reactor_events {
    REACTOR_NOTHING = 0,
    REACTOR_READ = 1 << 0,
    REACTOR_WRITE = 1 << 1,
};

struct epoll_event;

/* Waits, for ever if timeout_ms is -1; see reactor_share(). */
typedef void (*reactor_wait_fn)(void *ctx, int timeout_ms);

/* What is ready of what was asked for; of a broken descriptor, all of that. */
typedef void (*reactor_ready_fn)(void *ctx, int fd, unsigned events);

/* Something to be done, part of whatever it is about; zeroed but for `fn` and
 * `ctx`. From reactor_post() until it runs it must stay where it is. */
struct reactor_work {
    reactor_fn fn;
    void *ctx;
    /* The reactor's: */
    TAILQ_ENTRY(reactor_work) link;
    atomic_bool queued;
};

/* A time at which something is to be done; zeroed but for `fn` and `ctx`. */
struct reactor_timer {
    reactor_fn fn;
    void *ctx;
    /* The reactor's: */
    LIST_ENTRY(reactor_timer) link;
    int64_t at_ms; /* of clock_steady_ms() */
    bool is_set;
};

/* Its thread runs when this returns.
 * Errors: AG_EIO no descriptor, AG_ENOMEM no memory or thread. */
AG_CHECK AG_NONNULL enum ag_err reactor_new(struct reactor **ret);

/*
 * Does what is posted, then what reactor_at_end() was told of, last first, and
 * ends the thread. No source may be left. NULL is allowed.
 * Threads: any but its own. Blocks: until that is done.
 */
void reactor_free(struct reactor *r);
AG_DEFINE_CLEANUP(reactor, reactor_free)

/* The reactor whose thread this is; NULL: none's. */
struct reactor *reactor_here(void);

/* Runs w->fn soon, on the reactor's thread, once however often it is posted
 * until then; it may be posted anew from when it runs. False: it was posted
 * already, or the reactor ends and does nothing more. Threads: any. */
AG_NONNULL bool reactor_post(struct reactor *r, struct reactor_work *w);

/* Runs fn(ctx) there, and waits until it has. Threads: any. Blocks: unless it is
 * the reactor's own thread. */
AG_NONNULL void reactor_call(struct reactor *r, reactor_fn fn, void *ctx);

/* Runs w->fn when the reactor ends; `w` must stay until then and is not to be
 * posted. Threads: any. */
AG_NONNULL void reactor_at_end(struct reactor *r, struct reactor_work *w);

/* ---- the reactor's thread only ---- */

/*
 * Watches `fd`, at first for nothing, without owning it.
 * Ownership: the caller's, to be closed before `fd` is.
 * Errors: AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err reactor_watch(struct reactor *r, int fd,
                                              reactor_ready_fn fn, void *ctx,
                                              struct reactor_source **ret);

/* What to wait for from now on, enum reactor_events. Waiting for less costs
 * nothing until there is more. Errors: AG_EIO; it is as before then. */
AG_CHECK AG_NONNULL enum ag_err reactor_want(struct reactor_source *source,
                                             unsigned events);

/* No event of it is told after this. NULL is allowed. */
void reactor_source_close(struct reactor_source *source);

/* At that time, or at once if it is over: another time set before is forgotten.
 * INT64_MAX: never. There should be few: they stand in a list. */
AG_NONNULL void reactor_set(struct reactor *r, struct reactor_timer *timer,
                            int64_t at_ms);

/*
 * For a library that has an epoll of its own and asks it each time it runs: what
 * the reactor watches from now on, that one, `epoll_fd`, watches, and `fn` waits
 * instead, which shows reactor_heard() each event before the library sees it. So
 * there is one wait a turn. Nothing may be watched yet. In the data of an event
 * of the reactor's the lowest bit is set, as it is in no pointer.
 * Ownership: `epoll_fd` is borrowed, until reactor_unshare().
 * Errors: AG_EIO; it is as before then.
 */
AG_CHECK enum ag_err reactor_share(struct reactor *r, int epoll_fd,
                                   reactor_wait_fn fn, void *ctx);

/* The reactor, which is about to end, waits by itself again, for what is posted
 * and for times: of what is watched nothing more is told. */
AG_NONNULL void reactor_unshare(struct reactor *r);

/* Within `fn`: is that event the reactor's? Then it is seen to when `fn` is
 * through, and is nobody else's. */
AG_CHECK AG_NONNULL bool reactor_heard(struct reactor *r,
                                       const struct epoll_event *event);

#endif
