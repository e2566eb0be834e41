/*
 * sieve.h - the system calls an isolated task does not get.
 * Floor: cli/run. Depends on: nothing but system calls.
 *
 * Refused (EPERM): keys of the kernel's rings, modules, kexec, bpf, perf,
 * userfaultfd, io_uring, handles of files, swap, quotas, accounting, the
 * kernel's log and clock; typing into a terminal (TIOCSTI, TIOCLINUX). Sockets
 * only of the kinds AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK (EAFNOSUPPORT):
 * others, AF_VSOCK above all, know no network namespace. Calls of another
 * architecture's numbers: ENOSYS. Namespaces and mounts in namespaces of its
 * own stay possible: the sandboxes of the tools inside are made of them.
 */
#ifndef AG_CLI_RUN_SIEVE_H
#define AG_CLI_RUN_SIEVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    SIEVE_ONLY_MAX_COUNT = 32,
};

enum sieve_sockets {
    SIEVE_KINDS,   /* of the families above any */
    SIEVE_STREAMS, /* of AF_INET and AF_INET6 only TCP, and not by
                      MSG_FASTOPEN: where Landlock is to see every connection */
};

/* For this process and all after it; needs no_new_privs.
 * Errors: AG_EIO. */
AG_CHECK enum ag_err sieve_put_on(enum sieve_sockets sockets);

/* The same, but of all calls only these are left; another one kills. Not in
 * builds with sanitizers, which have calls of their own. */
AG_CHECK AG_NONNULL enum ag_err sieve_only(const uint32_t *calls, size_t count);

#endif
