/* How the bytes of a tunnel pass: by splice(2), through a pipe that a direction
 * has only while bytes are on their way. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fdx.h"
#include "proxy/forward_impl.h"

enum {
    CHUNK_BYTES = 64 * 1024, /* what a pipe holds */
    ROUNDS_COUNT = 8,        /* then the others have their turn */
};

static const unsigned MOVE = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

void
flow_init(struct flow *flow)
{
    *flow = (struct flow){.pipe = {-1, -1}};
}

static bool
take_pipe(struct forward *f, struct flow *flow)
{
    if (flow->pipe[0] >= 0) {
        return true;
    }
    if (f->spare_count > 0) {
        f->spare_count--;
        flow->pipe[0] = f->spare[f->spare_count][0];
        flow->pipe[1] = f->spare[f->spare_count][1];
        return true;
    }
    return pipe2(flow->pipe, O_CLOEXEC | O_NONBLOCK) == 0;
}

/* One with bytes in it is nobody else's. */
void
flow_done(struct forward *f, struct flow *flow)
{
    if (flow->pipe[0] < 0) {
        return;
    }
    if (flow->held == 0 && f->spare_count < RELAY_SPARE_COUNT) {
        f->spare[f->spare_count][0] = flow->pipe[0];
        f->spare[f->spare_count][1] = flow->pipe[1];
        f->spare_count++;
    } else {
        fd_close(flow->pipe[0]);
        fd_close(flow->pipe[1]);
    }
    flow->pipe[0] = -1;
    flow->pipe[1] = -1;
    flow->held = 0;
}

enum moved {
    MOVED,
    MOVED_NOTHING,
    MOVED_BROKEN,
};

static enum moved
fill(struct forward *f, struct flow *flow, int from)
{
    ssize_t n = -1;

    if (flow->eof) {
        return MOVED_NOTHING;
    }
    if (!take_pipe(f, flow)) {
        return MOVED_BROKEN;
    }
    n = splice(from, NULL, flow->pipe[1], NULL, CHUNK_BYTES, MOVE);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? MOVED_NOTHING : MOVED_BROKEN;
    }
    flow->eof = n == 0;
    flow->held = (size_t)n;
    return n > 0 ? MOVED : MOVED_NOTHING;
}

static enum moved
drain(struct flow *flow, int to)
{
    ssize_t n = splice(flow->pipe[0], NULL, to, NULL, flow->held, MOVE);

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? MOVED_NOTHING : MOVED_BROKEN;
    }
    flow->held -= (size_t)n;
    return n > 0 ? MOVED : MOVED_NOTHING;
}

bool
flow_run(struct forward *f, struct flow *flow, int from, int to,
         bool *ret_moved)
{
    enum moved moved = MOVED;

    for (int i = 0; moved == MOVED && i < ROUNDS_COUNT; i++) {
        moved = flow->held > 0 ? MOVED : fill(f, flow, from);
        if (moved == MOVED) {
            *ret_moved = true;
            moved = drain(flow, to);
        }
    }
    if (flow->held == 0) {
        flow_done(f, flow);
    }
    if (flow->eof && flow->held == 0 && !flow->shut) {
        flow->shut = true;
        (void)shutdown(to, SHUT_WR);
    }
    return moved != MOVED_BROKEN;
}
