#include "handover/deliver.h"

#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/span.h"

enum {
    OTHERS_MODE = 077,
};

enum ag_err
deliver_check(int fd, uid_t owner)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_RDONLY) {
        return err_why(AG_EFILE, "the descriptor is not open for writing");
    }
    if (fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    if (st.st_uid != owner) {
        return err_why(AG_EFILE, "the file belongs to another user");
    }
    if (S_ISFIFO(st.st_mode)) {
        return AG_OK;
    }
    if (!S_ISREG(st.st_mode) || st.st_size != 0) {
        return err_why(AG_EFILE,
                       "a value goes into a pipe or an empty file only");
    }
    /* A memfd has no name, and a mode that means nothing. */
    if (st.st_nlink != 0 && (st.st_mode & OTHERS_MODE) != 0) {
        return err_why(AG_EFILE, "the file is open to others");
    }
    return AG_OK;
}

/* Waits until the pipe takes bytes. */
static enum ag_err
wait_writable(int fd, int64_t end_ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    int64_t left_ms = end_ms - clock_steady_ms();
    int n = left_ms <= 0 ? 0 : poll(&pfd, 1, (int)left_ms);

    if (n == 0) {
        return err_why(AG_ETIMEOUT, "nobody reads the value");
    }
    if (n < 0) {
        return errno == EINTR ? AG_OK : AG_EIO;
    }
    return (pfd.revents & POLLOUT) != 0 ? AG_OK : AG_EIO;
}

/*
 * One write to a pipe that does not block. Kernels before 6.4 can't promise
 * that; there a part of PIPE_BUF follows poll(), which only another writer of
 * the same pipe could make block.
 */
static ssize_t
write_now(int fd, struct span part)
{
    struct iovec iov = {.iov_len = part.len};
    ssize_t n;

    memcpy(&iov.iov_base, &part.ptr, sizeof(part.ptr));
    n = pwritev2(fd, &iov, 1, -1, RWF_NOWAIT);
    if (n < 0 && errno == EOPNOTSUPP) {
        n = write(fd, part.ptr, part.len < PIPE_BUF ? part.len : PIPE_BUF);
    }
    return n;
}

static bool
is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

enum ag_err
deliver_write(int fd, const struct secret *value)
{
    struct span left = secret_view(value);
    int64_t end_ms = clock_steady_ms() + DELIVER_WAIT_MS;
    bool waits = is_pipe(fd);

    while (left.len > 0) {
        enum ag_err err = waits ? wait_writable(fd, end_ms) : AG_OK;
        ssize_t n;

        if (err != AG_OK) {
            return err;
        }
        /* A file system may refuse for ever to write without waiting: btrfs
         * and XFS do, where blocks are still to be found. */
        n = waits ? write_now(fd, left) : write(fd, left.ptr, left.len);
        if (n > 0) {
            left = span_sub(left, (size_t)n, left.len);
        } else if (n < 0 && errno != EINTR && !(waits && errno == EAGAIN)) {
            return err_from_errno(errno);
        }
    }
    return AG_OK;
}
