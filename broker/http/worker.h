/*
 * worker.h - one thread that serves connections: a libmicrohttpd daemon without
 * a thread of its own, driven by a reactor, on which calls to services then run
 * as well (upstream/upstream.h).
 * Floor: http. Depends on: base/reactor, http/conn, libmicrohttpd.
 *
 * Source: libmicrohttpd 0.9.75, daemon.c. Where the application polls, only
 * MHD_resume_connection() and the CLOSE of MHD_upgrade_action() may be called
 * from other threads (both but set flags under cleanup_connection_mutex), and
 * neither wakes anybody: MHD_start_daemon() takes MHD_USE_ITC out of the flags.
 * So both go through here.
 */
#ifndef AG_HTTP_WORKER_H
#define AG_HTTP_WORKER_H

#include "base/attr.h"
#include "base/err.h"

struct epoll_event;
struct MHD_Connection;
struct MHD_Daemon;
struct MHD_UpgradeResponseHandle;
struct conn;
struct worker;

/*
 * `mhd` was started with MHD_USE_EPOLL and without an internal thread; it is
 * taken over, also on error. Errors: AG_EIO, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err worker_new(struct MHD_Daemon *mhd,
                                           struct worker **ret);

/* Stops the daemon, and with it all its connections: none may be suspended, and
 * none be added from now on. Blocks until that is done. NULL is allowed. */
void worker_stop(struct worker *w);

/* After worker_stop(), when nobody resumes anything any more. NULL is allowed. */
void worker_free(struct worker *w);
AG_DEFINE_CLEANUP(worker, worker_free)

/* Takes a connection over; c->worker is set. Threads: any. */
AG_NONNULL void worker_add(struct worker *w, struct conn *c);

/* MHD_resume_connection(). Threads: any. */
AG_NONNULL void worker_resume(struct worker *w, struct MHD_Connection *mhd);

/*
 * What epoll_wait() does, which this program defines as it does recv() (gate.h):
 * in libmicrohttpd's epoll is what the reactor watches, too, and those events it
 * must not see.
 */
int worker_epoll_wait(int fd, struct epoll_event *events, int max_count,
                      int timeout_ms);

/* MHD_UPGRADE_ACTION_CLOSE. Threads: any. */
AG_NONNULL void worker_close(struct worker *w,
                             struct MHD_UpgradeResponseHandle *urh);

#endif
