/* One body through the filter: a stream between two pipes of our own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fdx.h"
#include "privsep/filter.h"

struct body {
    struct filter *filter;
    struct span in;
    struct buf *out;
    int in_fd;  /* we write here; -1 once all is written */
    int out_fd; /* we read here */
    filter_end_fn counted;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_ended;
    enum ag_err result;
};

static void
on_end(void *arg, const struct filter_report *report)
{
    struct body *b = arg;

    if (b->counted != NULL) {
        b->counted(b->arg, report);
    }
    (void)pthread_mutex_lock(&b->lock);
    b->has_ended = true;
    b->result = report->result;
    (void)pthread_cond_signal(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

static enum ag_err
write_some(struct body *b)
{
    ssize_t n = write(b->in_fd, b->in.ptr, b->in.len);

    if (n < 0 && errno == EPIPE) {
        /* The stream ended before its source; its report will say why. */
        fd_close(FD_TAKE(b->in_fd));
        return AG_OK;
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? AG_OK
                                                 : err_from_errno(errno);
    }
    b->in = span_sub(b->in, (size_t)n, b->in.len - (size_t)n);
    if (b->in.len == 0) {
        fd_close(FD_TAKE(b->in_fd));
    }
    return AG_OK;
}

static enum ag_err
read_some(struct body *b, bool *ret_ended)
{
    enum {
        READ_BYTES = 16 * 1024,
    };

    size_t left = b->out->max - b->out->len;
    uint8_t *room;
    ssize_t n;
    enum ag_err err =
        buf_room(b->out, left < READ_BYTES ? left : READ_BYTES, &room);

    if (err != AG_OK || left == 0) {
        return err != AG_OK ? err : AG_ELIMIT;
    }
    n = read(b->out_fd, room, left < READ_BYTES ? left : READ_BYTES);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? AG_OK
                                                 : err_from_errno(errno);
    }
    *ret_ended = n == 0;
    buf_grew(b->out, (size_t)n);
    return AG_OK;
}

static enum ag_err
pump(struct body *b)
{
    bool ended = false;
    enum ag_err err = AG_OK;

    if (b->in.len == 0) {
        fd_close(FD_TAKE(b->in_fd));
    }
    while (!ended && err == AG_OK) {
        struct pollfd pfds[] = {{.fd = b->out_fd, .events = POLLIN},
                                {.fd = b->in_fd, .events = POLLOUT}};

        if (poll(pfds, AG_COUNT(pfds), -1) < 0 && errno != EINTR) {
            err = err_from_errno(errno);
        }
        if (err == AG_OK && b->in_fd >= 0 && pfds[1].revents != 0) {
            err = write_some(b);
        }
        if (err == AG_OK && pfds[0].revents != 0) {
            err = read_some(b, &ended);
        }
    }
    return err;
}

/* The report comes behind the last byte; it is on this stack that it lands. */
static enum ag_err
wait_end(struct body *b)
{
    enum ag_err err;

    (void)pthread_mutex_lock(&b->lock);
    while (!b->has_ended) {
        (void)pthread_cond_wait(&b->changed, &b->lock);
    }
    err = b->result;
    (void)pthread_mutex_unlock(&b->lock);
    return err;
}

static enum ag_err
run(struct body *b, const struct filter_options *options)
{
    AG_AUTO(fd) int src = -1;
    AG_AUTO(fd) int dst = -1;
    int pair[2];
    uint64_t stream = 0;
    struct filter_route route = {
        .options = *options, .ended = on_end, .arg = b};
    enum ag_err err;
    enum ag_err ended;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    src = pair[0];
    b->in_fd = pair[1];
    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    b->out_fd = pair[0];
    dst = pair[1];
    err = fd_set_nonblock(b->in_fd, true);
    if (err == AG_OK) {
        route.src_fd = src;
        route.dst_fd = dst;
        err = filter_stream(b->filter, &route, &stream);
    }
    if (err != AG_OK) {
        return err;
    }
    /* The helper has the only other ends now, so its death is an end. */
    fd_close(FD_TAKE(src));
    fd_close(FD_TAKE(dst));
    err = pump(b);
    fd_close(FD_TAKE(b->in_fd));
    fd_close(FD_TAKE(b->out_fd));
    ended = wait_end(b);
    if (ended == AG_OK && b->in.len > 0) {
        ended = AG_EFILTER; /* a good end before the text's own is none */
    }
    return err != AG_OK ? err : ended;
}

enum ag_err
filter_body(struct filter *f, struct span body,
            const struct filter_options *options, struct buf *out,
            filter_end_fn counted, void *arg)
{
    struct body b = {
        .filter = f,
        .in = body,
        .out = out,
        .in_fd = -1,
        .out_fd = -1,
        .counted = counted,
        .arg = arg,
    };
    enum ag_err err;

    if (body.len > FILTER_BODY_MAX_BYTES) {
        return err_why(AG_ELIMIT, "text: longer than %d bytes",
                       (int)FILTER_BODY_MAX_BYTES);
    }
    (void)pthread_mutex_init(&b.lock, NULL);
    (void)pthread_cond_init(&b.changed, NULL);
    err = run(&b, options);
    fd_close(b.in_fd);
    fd_close(b.out_fd);
    (void)pthread_cond_destroy(&b.changed);
    (void)pthread_mutex_destroy(&b.lock);
    return err;
}
