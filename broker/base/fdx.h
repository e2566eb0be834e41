/*
 * fdx.h - descriptors: whole reads and writes, sending and receiving them.
 * Everything made here is close-on-exec from birth.
 * Floor: base. Depends on: base/err, base/span.
 */
#ifndef AG_BASE_FDX_H
#define AG_BASE_FDX_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

/* close() that keeps errno; negative is allowed. AG_AUTO(fd) int fd = -1; */
void fd_close(int fd);

/* The signature is the attribute's. */
static inline void // NOLINTNEXTLINE(readability-non-const-parameter)
fd_cleanup(int *slot)
{
    fd_close(*slot);
}

/* Moves a descriptor out of its variable, which is left -1. */
#define FD_TAKE(fd)                                                            \
    __extension__({                                                            \
        int ag_fd_ = (fd);                                                     \
        (fd) = -1;                                                             \
        ag_fd_;                                                                \
    })

/* All of it, EINTR retried. Errors: err_from_errno(). */
AG_CHECK enum ag_err fd_write_all(int fd, struct span bytes);

/* To the end of the file, into locked memory; AG_ELIMIT past max_bytes.
 * Reads from the current offset; the staging memory is the secret's own. */
AG_CHECK AG_NONNULL enum ag_err fd_read_secret(int fd, size_t max_bytes,
                                               struct secret **ret);

AG_CHECK enum ag_err fd_set_nonblock(int fd, bool on);

enum {
    FD_PASS_MAX_COUNT = 8, /* descriptors in one message */
};

/*
 * One message with descriptors over a Unix socket (SOCK_SEQPACKET or stream).
 * fd_recv: *ret_len bytes into out, at most FD_PASS_MAX_COUNT descriptors into
 * fds (caller's to close), *ret_len 0 at the end. A message that was cut or
 * carried too many descriptors is AG_EINVAL with every descriptor closed.
 */
AG_CHECK enum ag_err fd_send(int sock, struct span message, const int *fds,
                             size_t fd_count);
AG_CHECK enum ag_err fd_recv(int sock, void *out, size_t out_cap,
                             size_t *ret_len, int *fds, size_t *ret_fd_count);

#endif
