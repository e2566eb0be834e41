/*
 * run.h - the broker's process from its first act to its last.
 * Floor: daemon. Depends on: every room of the broker.
 *
 * Order: limits and no dumps; settings; directories, locks and sockets; locked
 * memory; filter and witness; files closed off; core, handover, server; system
 * calls closed off; accept; ready. SIGTERM and POST /v1/stop drain and end,
 * SIGHUP reads the settings again. If the filter or the witness dies, nothing
 * can pass any more: tasks end and so does the broker.
 */
#ifndef AG_DAEMON_RUN_H
#define AG_DAEMON_RUN_H

#include "base/attr.h"
#include "base/err.h"

/* Errors: what kept it from starting or ended it, with its sentence. */
AG_CHECK enum ag_err daemon_run(void);

#endif
