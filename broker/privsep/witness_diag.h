/*
 * witness_diag.h - asks the kernel by sock_diag(7) for one TCP socket, and
 * finds which process of the given trees holds it.
 * Floor: privsep. Depends on: privsep/witness_proc.
 */
#ifndef AG_PRIVSEP_WITNESS_DIAG_H
#define AG_PRIVSEP_WITNESS_DIAG_H

#include "base/attr.h"
#include "base/err.h"
#include "base/proc.h"

/* A sock_diag socket with a time limit. Errors: AG_EUNSUPPORTED. */
AG_CHECK AG_NONNULL enum ag_err wdiag_open(int *ret_fd);

struct wdiag_socket {
    uint32_t inode; /* 0: no process holds it any more */
    uid_t uid;
};

/*
 * The caller's end of the connection.
 * Errors: AG_ENOTFOUND none such in this network namespace; AG_EUNTRACED the
 *         kernel gave no answer.
 */
AG_CHECK AG_NONNULL enum ag_err
wdiag_find(int diag_fd, const struct proc_tcp *tcp, struct wdiag_socket *ret);

/*
 * As proc_source.tcp_owner. `outside` is said only when the same processes were
 * searched twice, thread by thread, and every one of them could be read; or,
 * where one could not, when a process outside the trees is seen to hold it. And
 * the connection must still be the same at the end.
 */
AG_CHECK AG_NONNULL enum ag_err wdiag_owner(int diag_fd, int proc_fd,
                                            const struct proc_tcp *tcp,
                                            const struct proc_ref *roots,
                                            size_t root_count,
                                            struct proc_tcp_owner *ret);

#endif
