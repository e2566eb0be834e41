/*
 * jail.h - the namespaces a task runs in: its own mounts, so that its files are
 * seen by its tree only, and its own processes, so that all of them end with
 * the first.
 * Floor: cli/run. Depends on: base/err.
 *
 * An ordinary user gets a user namespace that maps the same uid and gid and
 * nothing else; root needs none. Nested namespaces stay possible, since the
 * tools inside have sandboxes of their own.
 */
#ifndef AG_CLI_RUN_JAIL_H
#define AG_CLI_RUN_JAIL_H

#include <sys/types.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct view;

/* From best to least; what a kernel refuses, the next one tries. */
enum jail_kind {
    JAIL_FULL,   /* mounts and processes */
    JAIL_MOUNTS, /* mounts: where a fresh /proc can't be had */
    JAIL_NONE,   /* neither: user namespaces are forbidden */
};

/* A private directory in memory; size and count of files are capped. */
enum {
    JAIL_TMPFS_KIB = 4096, /* credential files and what tools put beside them */
};

/*
 * Like fork(): the child, in new namespaces of `kind`, returns 0. With a `view`
 * (JAIL_FULL only) also in ones of its own for IPC, host name, control groups
 * and network; root too gets a user namespace then. The process must have one
 * thread. -1 with errno; jail_is_refusal() of it: there are no namespaces here.
 */
pid_t jail_clone(enum jail_kind kind, const struct view *view);

/* Whether the kernel's answer to a clone, or to the map of a user, says that it
 * gives no such namespaces: not built in, forbidden, or none left of those that
 * this user may have. All else is a failure, and no reason to do with less. */
bool jail_is_refusal(int errno_value);

/*
 * In the child: maps the user, cuts mount propagation, mounts a fresh /proc, a
 * devpts that shows no terminal of anybody else and, unless NULL, a tmpfs (mode
 * 0700, nosuid, nodev, noexec) on `tmpfs_dir`. With a `view` it opens the ports
 * of its lines, moves into it and gives up what could undo it: capabilities, new
 * privileges, the calls of run/sieve.
 * Errors, with the step: AG_EUNSUPPORTED there are no namespaces here, or no
 *         fresh /proc; AG_EIO it could not be done.
 */
AG_CHECK enum ag_err jail_enter(enum jail_kind kind, struct view *view,
                                const char *tmpfs_dir);

/*
 * In the command's process, before it is loaded: where no PID namespace hides
 * them, a Landlock domain keeps the processes outside the task from being
 * killed, stopped or traced by it; above all supervisor and keeper, without
 * whom it would outlive its end. Needs Linux 6.12; with less it does nothing,
 * which README.md says. Only async-signal-safe calls.
 */
void jail_shut_in(enum jail_kind kind);

/*
 * Kills every descendant of this process, which must be a child subreaper, and
 * reaps them; returns when there is none. For where no PID namespace does it.
 */
void jail_kill_descendants(void);

#endif
