/* Connections that have switched to another protocol: one thread moves bytes
 * between them and their answerers. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/secret.h"
#include "http/pass_impl.h"
#include "http/worker.h"

enum {
    BLOCK_BYTES = 16 * 1024, /* each way, for each connection */
    EVENTS_MAX_COUNT = 64,   /* at a time */
    ROUNDS_COUNT = 8,        /* of one, before the others' turn */
    LOOK_MS = 250,           /* between two looks at the clocks */
};

struct ours {
    TAILQ_ENTRY(ours) link;
    struct pass *pass;
    struct MHD_UpgradeResponseHandle *urh;
    int fd;
    unsigned events; /* 0: not in the epoll set */
    bool again;      /* there is something to do */
    bool has_left;   /* it sends no more */
    bool ends;       /* all was given: what it sends is thrown away */
    bool over;
    int64_t since_ms; /* it left, or it ends, or it read something */
    size_t in_len;
    size_t out_at;
    size_t out_len;
    uint8_t in[BLOCK_BYTES];
    uint8_t out[BLOCK_BYTES];
};

TAILQ_HEAD(ours_list, ours);

struct pass_switch {
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    pthread_mutex_t lock; /* over all below */
    bool stopping;
    struct ours_list added; /* not the thread's yet */
};

void
pass_switch_wake(struct pass_switch *all)
{
    const uint64_t one = 1;

    if (all != NULL) {
        (void)!write(all->wake_fd, &one, sizeof(one));
    }
}

/* ---- one connection ---- */

static void
wait_for(struct pass_switch *all, struct ours *o, unsigned events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = o}};
    int op = EPOLL_CTL_MOD;

    if (events == o->events) {
        return;
    }
    if (events == 0) {
        op = EPOLL_CTL_DEL;
    } else if (o->events == 0) {
        op = EPOLL_CTL_ADD;
    }
    o->events = events;
    /* One that can't be watched would wait for ever. */
    o->over = epoll_ctl(all->epoll_fd, op, o->fd, &event) != 0 || o->over;
}

/* Was there nothing, or is it broken? */
static bool
is_quiet(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static bool
send_out(struct ours *o)
{
    ssize_t n = send(o->fd, o->out + o->out_at, o->out_len - o->out_at,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n <= 0) {
        o->over = !is_quiet(n);
        return false;
    }
    wipe(o->out + o->out_at, (size_t)n);
    o->out_at += (size_t)n;
    if (!o->has_left) {
        o->since_ms = clock_steady_ms();
    }
    return true;
}

static void
begin_end(struct ours *o)
{
    (void)shutdown(o->fd, SHUT_WR);
    o->ends = true;
    o->over = o->has_left; /* both have: there is nothing to wait for */
    o->since_ms = clock_steady_ms();
}

/* True: something moved. */
static bool
move_down(struct ours *o)
{
    ssize_t n = 0;

    if (o->ends) {
        return false;
    }
    if (o->out_at < o->out_len) {
        return send_out(o);
    }
    n = o->pass->owner->app.give(o->pass->state, o->out, sizeof(o->out));
    if (n == PASS_WAIT) {
        return false;
    }
    if (n == PASS_END) {
        begin_end(o);
    } else if (n == PASS_BROKEN) {
        o->over = true;
    } else {
        if (!o->has_left) {
            o->since_ms = clock_steady_ms();
        }
        o->out_at = 0;
        o->out_len = (size_t)n;
    }
    return true;
}

/* Not by recv(), which reads requests (gate.h). */
static bool
read_in(struct ours *o)
{
    ssize_t n = recvfrom(o->fd, o->in, sizeof(o->in), MSG_DONTWAIT, NULL, NULL);

    if (n > 0) {
        o->in_len = (size_t)n;
        return true;
    }
    if (is_quiet(n)) {
        return false;
    }
    o->over = n < 0 || o->ends;
    o->has_left = true;
    o->since_ms = clock_steady_ms();
    if (!o->over) {
        o->pass->owner->app.left(o->pass->state);
    }
    return true;
}

static bool
move_up(struct ours *o)
{
    struct pass *pass = o->pass;
    size_t n = o->in_len;

    if (o->in_len == 0) {
        return !o->has_left && read_in(o);
    }
    if (!o->ends) {
        n = pass->owner->app.take(pass->state, span_of(o->in, o->in_len));
    }
    if (n == 0) {
        return false;
    }
    memmove(o->in, o->in + n, o->in_len - n);
    wipe(o->in + o->in_len - n, n);
    o->in_len -= n;
    return true;
}

static bool
is_late(const struct ours *o)
{
    const struct conn *conn = o->pass->conn;
    int64_t limit_ms = conn->socket_stall_ms;

    if (o->ends) {
        limit_ms = conn->socket_end_ms;
    } else if (o->has_left) {
        limit_ms = conn->socket_left_ms;
    } else if (o->out_at == o->out_len) {
        return false;
    }
    return clock_steady_ms() - o->since_ms > limit_ms;
}

static void
step(struct pass_switch *all, struct ours *o)
{
    unsigned events = 0;
    bool moved = true;

    (void)pthread_mutex_lock(&o->pass->lock);
    o->pass->woken = false;
    (void)pthread_mutex_unlock(&o->pass->lock);
    for (int i = 0; i < ROUNDS_COUNT && moved && !o->over; i++) {
        moved = move_down(o);
        moved = (!o->over && move_up(o)) || moved;
    }
    o->again = moved && !o->over;
    o->over = o->over || is_late(o);
    if (!o->over) {
        events |= o->in_len == 0 && !o->has_left ? (unsigned)EPOLLIN : 0U;
        events |= o->out_at < o->out_len ? (unsigned)EPOLLOUT : 0U;
    }
    wait_for(all, o, events);
}

/* MHD's again: it closes the connection and is done with the pass. */
static void
give_back(struct pass_switch *all, struct ours *o)
{
    struct worker *worker = o->pass->conn->worker;

    /* Also where a call to epoll failed: it would tell of what is freed, until
     * the worker has closed it. */
    (void)epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, o->fd, NULL);
    pass_move(o->pass, PASS_CLOSED);
    worker_close(worker, o->urh);
    wipe(o->in, sizeof(o->in));
    wipe(o->out, sizeof(o->out));
    free(o);
}

/* ---- the thread ---- */

static bool
is_woken(struct pass *pass)
{
    bool woken = false;

    (void)pthread_mutex_lock(&pass->lock);
    woken = pass->woken;
    (void)pthread_mutex_unlock(&pass->lock);
    return woken;
}

/* True: one of them has more to do. */
static bool
step_all(struct pass_switch *all, struct ours_list *list)
{
    struct ours *o = TAILQ_FIRST(list);
    bool again = false;

    while (o != NULL) {
        struct ours *next = TAILQ_NEXT(o, link);

        if (o->again || is_late(o) || is_woken(o->pass)) {
            step(all, o);
        }
        again = again || o->again;
        if (o->over) {
            TAILQ_REMOVE(list, o, link);
            give_back(all, o);
        }
        o = next;
    }
    return again;
}

static bool
take_added(struct pass_switch *all, struct ours_list *list)
{
    bool stopping = false;

    (void)pthread_mutex_lock(&all->lock);
    TAILQ_CONCAT(list, &all->added, link);
    stopping = all->stopping;
    (void)pthread_mutex_unlock(&all->lock);
    return stopping;
}

static void
wait(struct pass_switch *all, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX_COUNT];
    int count = epoll_wait(all->epoll_fd, events, EVENTS_MAX_COUNT, wait_ms);

    for (int i = 0; i < count; i++) {
        struct ours *o = events[i].data.ptr;
        uint64_t sum = 0;

        if (o == NULL) {
            (void)!read(all->wake_fd, &sum, sizeof(sum));
            continue;
        }
        o->again = true;
        /* Nothing to be read or sent, so no step would see it. */
        o->over = o->over || (events[i].events & (EPOLLIN | EPOLLOUT)) == 0;
    }
}

static void *
switch_main(void *arg)
{
    struct pass_switch *all = arg;
    struct ours_list list = TAILQ_HEAD_INITIALIZER(list);

    while (!take_added(all, &list) || !TAILQ_EMPTY(&list)) {
        bool again = step_all(all, &list);

        wait(all, again ? 0 : TAILQ_EMPTY(&list) ? -1 : LOOK_MS);
    }
    return NULL;
}

static bool
open_fds(struct pass_switch *all)
{
    struct epoll_event event = {.events = EPOLLIN};

    all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    all->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return all->epoll_fd >= 0 && all->wake_fd >= 0 &&
           epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, all->wake_fd, &event) == 0;
}

static struct pass_switch *
start(void)
{
    struct pass_switch *all = calloc(1, sizeof(*all));

    if (all == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&all->lock, NULL);
    TAILQ_INIT(&all->added);
    if (!open_fds(all) ||
        pthread_create(&all->thread, NULL, switch_main, all) != 0) {
        fd_close(all->epoll_fd);
        fd_close(all->wake_fd);
        (void)pthread_mutex_destroy(&all->lock);
        free(all);
        return NULL;
    }
    return all;
}

void
pass_switch_free(struct pass_switch *all)
{
    if (all == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&all->lock);
    all->stopping = true;
    (void)pthread_mutex_unlock(&all->lock);
    pass_switch_wake(all);
    (void)pthread_join(all->thread, NULL);
    fd_close(all->epoll_fd);
    fd_close(all->wake_fd);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- from MHD ---- */

/* The thread comes with the first of them. */
static struct pass_switch *
need_thread(struct passes *all)
{
    struct pass_switch *switched = NULL;

    (void)pthread_mutex_lock(&all->lock);
    if (all->switched == NULL) {
        all->switched = start();
    }
    switched = all->switched;
    (void)pthread_mutex_unlock(&all->lock);
    return switched;
}

/* The signature is libmicrohttpd's. */
static void // NOLINTNEXTLINE(readability-function-size)
on_upgrade(void *cls, struct MHD_Connection *mhd, void *con_cls,
           const char *more, size_t more_len, MHD_socket fd,
           struct MHD_UpgradeResponseHandle *urh)
{
    struct pass *pass = cls;
    struct pass_switch *all = need_thread(pass->owner);
    struct ours *o = calloc(1, sizeof(*o));

    (void)mhd;
    (void)con_cls;
    pass_move(pass, PASS_SWITCHED);
    /* Who stops the broker sees it as switched, or it is seen here. */
    if (all == NULL || o == NULL || more_len > sizeof(o->in) ||
        atomic_load(&pass->owner->stops)) {
        free(o);
        pass_move(pass, PASS_CLOSED);
        worker_close(pass->conn->worker, urh);
        return;
    }
    o->pass = pass;
    o->urh = urh;
    o->fd = fd;
    o->again = true;
    o->since_ms = clock_steady_ms();
    if (more_len > 0) {
        memcpy(o->in, more, more_len);
        o->in_len = more_len;
    }
    (void)pthread_mutex_lock(&all->lock);
    TAILQ_INSERT_TAIL(&all->added, o, link);
    (void)pthread_mutex_unlock(&all->lock);
    pass_switch_wake(all);
}

struct MHD_Response *
pass_switch_response(struct pass *pass)
{
    return MHD_create_response_for_upgrade(on_upgrade, pass);
}
