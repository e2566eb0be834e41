#include "privsep/frame.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

enum {
    MARK = 0xA6,
    MS_PER_S = 1000,
};

static void
put_le(uint8_t *out, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t
get_le(const uint8_t *in, size_t len)
{
    uint64_t value = 0;

    for (size_t i = len; i > 0; i--) {
        value = value << 8 | in[i - 1];
    }
    return value;
}

enum ag_err
channel_decode(struct span packet, struct channel_head *ret_head,
               struct span *ret_body)
{
    uint64_t kind;
    uint64_t result;
    uint64_t id;

    if (packet.len < CHANNEL_HEAD_BYTES ||
        packet.len > CHANNEL_HEAD_BYTES + CHANNEL_BODY_MAX_BYTES ||
        packet.ptr[0] != MARK) {
        return AG_EINVAL;
    }
    kind = packet.ptr[1];
    result = get_le(packet.ptr + 4, 4);
    id = get_le(packet.ptr + 8, 8);
    if (kind < CHANNEL_ASK || kind > CHANNEL_EVENT || result >= AG_ERR_COUNT ||
        (kind != CHANNEL_ANSWER && result != AG_OK) ||
        (kind == CHANNEL_EVENT) != (id == 0)) {
        return AG_EINVAL;
    }
    ret_head->kind = (enum channel_kind)kind;
    ret_head->op = (uint16_t)get_le(packet.ptr + 2, 2);
    ret_head->result = (enum ag_err)result;
    ret_head->id = id;
    *ret_body =
        span_sub(packet, CHANNEL_HEAD_BYTES, packet.len - CHANNEL_HEAD_BYTES);
    return AG_OK;
}

/* Waits until the socket takes a packet, at most until `end_ms`. */
static enum ag_err
wait_writable(int sock, int64_t end_ms)
{
    struct pollfd pfd = {.fd = sock, .events = POLLOUT};
    int64_t left_ms = end_ms - clock_steady_ms();
    int n;

    if (left_ms <= 0) {
        return err_why(AG_ETIMEOUT, "the helper process takes no questions");
    }
    n = poll(&pfd, 1, left_ms > MS_PER_S ? MS_PER_S : (int)left_ms);
    if (n < 0 && errno != EINTR) {
        return AG_EIO;
    }
    return AG_OK;
}

/* The descriptors of a message, as the kernel wants them. */
union control {
    char bytes[CMSG_SPACE(FD_PASS_MAX_COUNT * sizeof(int))];
    struct cmsghdr align;
};

static void
attach_fds(struct msghdr *msg, union control *control, const int *fds,
           size_t fd_count)
{
    struct cmsghdr *cmsg = &control->align;

    memset(control, 0, sizeof(*control));
    msg->msg_control = control->bytes;
    msg->msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
}

enum ag_err
frame_send(int sock, const struct frame *frame, int64_t end_ms)
{
    uint8_t head[CHANNEL_HEAD_BYTES] = {MARK, (uint8_t)frame->head.kind};
    struct iovec iov[2] = {{.iov_base = head, .iov_len = sizeof(head)},
                           {.iov_len = frame->body.len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    union control control;

    if (frame->body.len > CHANNEL_BODY_MAX_BYTES ||
        frame->fd_count > FD_PASS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    put_le(head + 2, frame->head.op, 2);
    put_le(head + 4, (uint64_t)frame->head.result, 4);
    put_le(head + 8, frame->head.id, 8);
    memcpy(&iov[1].iov_base, &frame->body.ptr, sizeof(frame->body.ptr));
    if (frame->fd_count > 0) {
        attach_fds(&msg, &control, frame->fds, frame->fd_count);
    }
    while (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        enum ag_err err = AG_OK;

        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
            return AG_ENOBROKER;
        }
        if (errno == EAGAIN) {
            err = wait_writable(sock, end_ms);
        } else if (errno != EINTR) {
            err = err_from_errno(errno);
        }
        if (err != AG_OK) {
            return err;
        }
    }
    return AG_OK;
}
