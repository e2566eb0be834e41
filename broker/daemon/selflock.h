/*
 * selflock.h - what the broker takes away from itself: dumps and tracing at
 * once, files and system calls when all is open.
 * Floor: daemon. Depends on: base/paths, libseccomp, Landlock by system call.
 *
 * Left out under a sanitizer (AG_SANITIZED), which needs ptrace and calls of
 * its own; descriptors, signals and modes are set there too.
 */
#ifndef AG_DAEMON_SELFLOCK_H
#define AG_DAEMON_SELFLOCK_H

#include "base/attr.h"
#include "base/err.h"

struct paths;

/*
 * The first act of main(): not dumpable, not traceable, no core, umask 077,
 * SIGPIPE ignored, freed memory overwritten, as many descriptors as allowed.
 * Errors: AG_EIO.
 */
AG_CHECK enum ag_err selflock_begin(void);

/*
 * Landlock, on every thread there is: from here on only home and run can be
 * written, only settings, profiles and schema read, no TCP port bound and no
 * TCP connection made. With it other processes' /proc entries are closed.
 * *ret_level is the kernel's level, 0 without Landlock.
 * Errors: AG_EIO the kernel has it and refuses.
 */
AG_CHECK AG_NONNULL enum ag_err selflock_files(const struct paths *paths,
                                               int *ret_level);

/*
 * seccomp, on every thread: what is not on the list fails with EPERM, programs
 * can't be started nor processes made or traced (that kills).
 * Errors: AG_EUNSUPPORTED, AG_ENOMEM.
 */
AG_CHECK enum ag_err selflock_calls(void);

#endif
