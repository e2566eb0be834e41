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
 * written, only settings, profiles, schema and what a call to a service needs
 * (/etc, where resolv.conf lies, `ca_file` unless NULL) read, and no TCP port
 * bound. With it other processes' /proc entries are closed.
 * *ret_level is the kernel's level, 0 without Landlock.
 * Errors: AG_EIO the kernel has it and refuses.
 */
AG_CHECK enum ag_err selflock_files(const struct paths *paths,
                                    const char *ca_file, int *ret_level);

/*
 * seccomp, on every thread: what is not on the list fails with EPERM, programs
 * can't be started nor processes made or traced (that kills). Sockets are made
 * for IPv4 and IPv6 streams and datagrams only, so names are resolved by
 * glibc's own `files` and `dns`: other modules of nsswitch.conf would be code
 * loaded into the broker, and want sockets of other kinds.
 * Errors: AG_EUNSUPPORTED, AG_ENOMEM.
 */
AG_CHECK enum ag_err selflock_calls(void);

#endif
