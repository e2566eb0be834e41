#include "base/fdx.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

enum {
    FIRST_BYTES = 4096
}; /* a pipe's values: most credential files fit */

void
fd_close(int fd)
{
    int kept = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    errno = kept;
}

enum ag_err
fd_write_all(int fd, struct span bytes)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);

        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return AG_OK;
}

/* read() with EINTR retried; *ret_len is 0 at the end. */
static enum ag_err
read_some(int fd, void *out, size_t cap, size_t *ret_len)
{
    ssize_t n;

    do {
        n = read(fd, out, cap);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return err_from_errno(errno);
    }
    *ret_len = (size_t)n;
    return AG_OK;
}

/* How much memory to begin with: a regular file's size, if it says one. */
static size_t
size_hint(int fd, size_t max_bytes)
{
    struct stat st;
    size_t hint = FIRST_BYTES;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        hint = (size_t)st.st_size;
    }
    return hint < max_bytes ? hint : max_bytes;
}

/* A larger secret with the same beginning in place of *s. */
static enum ag_err
grow(struct secret **s, size_t used, size_t max_bytes)
{
    struct secret *larger;
    size_t want =
        secret_len(*s) < FIRST_BYTES / 2 ? FIRST_BYTES : 2 * secret_len(*s);
    enum ag_err err = secret_new(want < max_bytes ? want : max_bytes, &larger);

    if (err != AG_OK) {
        return err;
    }
    memcpy(secret_bytes(larger), secret_bytes(*s), used);
    secret_free(*s);
    *s = larger;
    return AG_OK;
}

/* Is there a byte more? It is read, and wiped, to know. */
static enum ag_err
at_end(int fd, bool *ret)
{
    uint8_t byte;
    size_t n = 0;
    enum ag_err err = read_some(fd, &byte, 1, &n);

    wipe(&byte, 1);
    *ret = n == 0;
    return err;
}

/* Fills *s from the descriptor to its end, growing it up to max_bytes. */
static enum ag_err
read_to_end(int fd, size_t max_bytes, struct secret **s, size_t *ret_len)
{
    size_t used = 0;
    size_t n = 0;
    enum ag_err err;

    for (;;) {
        bool end = false;

        if (used == max_bytes) {
            *ret_len = used;
            err = at_end(fd, &end);
            return err != AG_OK ? err : end ? AG_OK : AG_ELIMIT;
        }
        if (used == secret_len(*s)) {
            err = grow(s, used, max_bytes);
            if (err != AG_OK) {
                return err;
            }
        }
        err = read_some(fd, secret_bytes(*s) + used, secret_len(*s) - used, &n);
        if (err != AG_OK) {
            return err;
        }
        if (n == 0) {
            *ret_len = used;
            return AG_OK;
        }
        used += n;
    }
}

enum ag_err
fd_read_secret(int fd, size_t max_bytes, struct secret **ret)
{
    AG_AUTO(secret) struct secret *s = NULL;
    size_t len = 0;
    enum ag_err err = secret_new(size_hint(fd, max_bytes), &s);

    if (err != AG_OK) {
        return err;
    }
    err = read_to_end(fd, max_bytes, &s, &len);
    if (err != AG_OK) {
        return err;
    }
    if (len < secret_len(s) / 2) { /* don't keep pages for a short value */
        return secret_from(span_of(secret_bytes(s), len), ret);
    }
    secret_shrink(s, len);
    *ret = AG_TAKE(s);
    return AG_OK;
}

enum ag_err
fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    int want = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

    if (flags < 0 || (want != flags && fcntl(fd, F_SETFL, want) != 0)) {
        return err_from_errno(errno);
    }
    return AG_OK;
}

/* Room for the descriptors, and one more to see that there were too many. */
union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * (FD_PASS_MAX_COUNT + 1))];
};

enum ag_err
fd_send(int sock, struct span message, const int *fds, size_t fd_count)
{
    union control control;
    /* sendmsg() does not write through iov_base */
    struct iovec part = {.iov_base = (void *)(uintptr_t)message.ptr,
                         .iov_len = message.len};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (fd_count > FD_PASS_MAX_COUNT) {
        return err_why(AG_EINVAL, "%zu descriptors don't fit in one message",
                       fd_count);
    }
    if (fd_count > 0) {
        struct cmsghdr *cmsg;

        memset(&control, 0, sizeof(control));
        head.msg_control = control.bytes;
        head.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        cmsg = CMSG_FIRSTHDR(&head);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
    }
    do {
        n = sendmsg(sock, &head, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return err_from_errno(errno);
    }
    /* a stream socket may have taken a part only; descriptors went with it */
    return fd_write_all(sock, span_sub(message, (size_t)n, message.len));
}

/* The descriptors of one control message; those past the cap are closed. */
static bool
take_fds(struct cmsghdr *cmsg, int *fds, size_t *fd_count)
{
    size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    bool fits = true;

    if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
        if (*fd_count < FD_PASS_MAX_COUNT) {
            fds[(*fd_count)++] = fd;
        } else {
            fd_close(fd);
            fits = false;
        }
    }
    return fits;
}

enum ag_err
fd_recv(int sock, void *out, size_t out_cap, size_t *ret_len, int *fds,
        size_t *ret_fd_count)
{
    union control control;
    struct iovec part = {.iov_base = out, .iov_len = out_cap};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes)};
    size_t fd_count = 0;
    bool whole;
    ssize_t n;

    do {
        n = recvmsg(sock, &head, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return err_from_errno(errno);
    }
    whole = (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&head); cmsg != NULL;
         cmsg = CMSG_NXTHDR(&head, cmsg)) {
        whole = take_fds(cmsg, fds, &fd_count) && whole;
    }
    if (!whole) {
        for (size_t i = 0; i < fd_count; i++) {
            fd_close(fds[i]);
        }
        return err_why(AG_EINVAL,
                       "a message was cut, or carried more than "
                       "%d descriptors",
                       FD_PASS_MAX_COUNT);
    }
    *ret_len = (size_t)n;
    *ret_fd_count = fd_count;
    return AG_OK;
}
