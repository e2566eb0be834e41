/*
 * confine.h - what every helper process does to itself: no dump, no tracing,
 * no new privileges, an end with its parent, and a list of system calls.
 * Floor: privsep. Depends on: base/err, libseccomp.
 *
 * Under a sanitizer (AG_SANITIZED) the call list and the memory limits are
 * left out: leak checking needs ptrace and calls of its own. The process is
 * then still non-dumpable where the sanitizer allows it.
 */
#ifndef AG_PRIVSEP_CONFINE_H
#define AG_PRIVSEP_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/*
 * First act of a helper: PR_SET_DUMPABLE 0, RLIMIT_CORE 0, PR_SET_PDEATHSIG
 * SIGKILL, no_new_privs, umask 077.
 * Errors: AG_EIO.
 */
AG_CHECK enum ag_err confine_begin(const char *process_name);

/* One row: a call by its libseccomp number (SCMP_SYS), and one condition on
 * one argument: (argument & mask) == value. mask 0: no condition. */
struct confine_call {
    int call;
    unsigned int arg_index;
    uint64_t mask;
    uint64_t value;
};

/*
 * From here on only calls of `rows` and of the common list (read, write,
 * close, poll, futex, memory without PROT_EXEC, clock, exit, sigreturn,
 * sendmsg, recvmsg) are let through; any other kills the process. For all
 * threads. Several rows for one call are alternatives.
 * Errors: AG_EUNSUPPORTED no seccomp here; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err confine_calls(const struct confine_call *rows,
                                              size_t row_count);

/*
 * Landlock with no rule at all: no file can be opened any more, no process
 * traced, where the kernel has it. *ret_level is its ABI, 0 without.
 * Errors: AG_EIO when the kernel has it and refuses.
 */
AG_CHECK AG_NONNULL enum ag_err confine_files(int *ret_level);

#endif
