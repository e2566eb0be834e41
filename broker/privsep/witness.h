/*
 * witness.h - the process that sees /proc and holds nothing: facts about
 * processes, owners of TCP connections, members of a tree.
 * Floor: privsep. Depends on: privsep/channel, privsep/spawn, base/proc.
 *
 * It has no Landlock domain: reading /proc/PID/fd is a ptrace access in the
 * kernel's eyes, and a domain forbids that for every process outside it. It is
 * held by its call list instead: open for reading only, one sock_diag socket
 * opened before, no other socket, no program, no write but to its channel.
 */
#ifndef AG_PRIVSEP_WITNESS_H
#define AG_PRIVSEP_WITNESS_H

#include <sys/types.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"

struct witness;

/* The helper's main: serves until the channel ends. Returns an exit code. */
int witness_main(int channel_fd);

/*
 * Starts the helper; see spawn.h for when. `died` (may be NULL) is called once
 * with `arg`, on the channel's thread, when the helper is gone: it is never
 * started again, for that would be a fork with keys in memory; every question
 * is then AG_EUNTRACED and every new caller `other`.
 * Errors: AG_EIO, AG_ENOMEM, AG_EUNSUPPORTED.
 */
AG_CHECK enum ag_err witness_start(void (*died)(void *arg), void *arg,
                                   struct witness **ret);
void witness_stop(struct witness *w);
AG_DEFINE_CLEANUP(witness, witness_stop)

/* Whom callers ask; borrowed until witness_stop(). Threads: safe. */
AG_NONNULL const struct proc_source *witness_source(struct witness *w);

/* For tests, doctor and the readiness check. */
AG_NONNULL pid_t witness_pid(const struct witness *w);
AG_NONNULL bool witness_is_alive(struct witness *w);

#endif
