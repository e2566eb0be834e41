#include "proxy/forward.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "caller/peer.h"
#include "proxy/forward_impl.h"

enum {
    EVENTS_MAX_COUNT = 64, /* at a time */
    LOOK_MS = 200,         /* between two looks at the tasks */
    /* Taken above the limit, until the loop has made room for them. */
    FRESH_MAX_COUNT = 64,
};

/* ---- between the threads ---- */

static void
wake(struct forward *f)
{
    const uint64_t one = 1;

    (void)!write(f->wake_fd, &one, sizeof(one));
}

struct forward_limits
forward_limits_of(struct forward *f)
{
    struct forward_limits limits;

    (void)pthread_mutex_lock(&f->lock);
    limits = f->limits;
    (void)pthread_mutex_unlock(&f->lock);
    return limits;
}

void
forward_set_limits(struct forward *f, const struct forward_limits *limits)
{
    (void)pthread_mutex_lock(&f->lock);
    f->limits = *limits;
    (void)pthread_mutex_unlock(&f->lock);
}

void
forward_ask(struct link *link, enum link_ask ask)
{
    struct forward *f = link->owner;

    end_wait(&link->client, 0);
    end_wait(&link->server, 0);
    link->state = LINK_ASKED;
    link->ask = ask;
    (void)pthread_mutex_lock(&f->lock);
    TAILQ_INSERT_TAIL(&f->asked, link, queued);
    (void)pthread_cond_signal(&f->more);
    (void)pthread_mutex_unlock(&f->lock);
}

void
forward_post(struct link *link)
{
    struct forward *f = link->owner;

    (void)pthread_mutex_lock(&f->lock);
    TAILQ_INSERT_TAIL(&f->posted, link, queued);
    link->posted = true;
    (void)pthread_mutex_unlock(&f->lock);
    wake(f);
}

void
forward_unpost(struct link *link)
{
    struct forward *f = link->owner;

    (void)pthread_mutex_lock(&f->lock);
    if (link->posted) {
        TAILQ_REMOVE(&f->posted, link, queued);
        link->posted = false;
    }
    (void)pthread_mutex_unlock(&f->lock);
}

/* ---- the thread that may block ---- */

static void *
asker_main(void *arg)
{
    struct forward *f = arg;

    (void)pthread_mutex_lock(&f->lock);
    while (!f->stopping || !TAILQ_EMPTY(&f->asked)) {
        struct link *link = TAILQ_FIRST(&f->asked);

        if (link == NULL) {
            (void)pthread_cond_wait(&f->more, &f->lock);
            continue;
        }
        TAILQ_REMOVE(&f->asked, link, queued);
        (void)pthread_mutex_unlock(&f->lock);
        link_serve_ask(link);
        forward_post(link);
        (void)pthread_mutex_lock(&f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* ---- the loop ---- */

void
end_wait(struct end *end, unsigned events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = end}};
    int op = EPOLL_CTL_MOD;

    if (events == end->events || end->fd < 0) {
        return;
    }
    /* Without events it is taken out: an end would be told again and again. */
    if (events == 0) {
        op = EPOLL_CTL_DEL;
    } else if (end->events == 0) {
        op = EPOLL_CTL_ADD;
    }
    end->events = events;
    (void)epoll_ctl(end->link->owner->epoll_fd, op, end->fd, &event);
}

size_t
forward_count_task(const struct forward *f, const struct link *but)
{
    const struct link *link = NULL;
    size_t count = 0;

    TAILQ_FOREACH(link, &f->links, all)
    {
        /* What is asked about is the other thread's. */
        count += link != but && link->state != LINK_ASKED &&
                         link->reach.task_id == but->reach.task_id
                     ? 1
                     : 0;
    }
    return count;
}

/* Links that other threads left. */
static bool
take_posted(struct forward *f)
{
    struct link_list fresh = TAILQ_HEAD_INITIALIZER(fresh);
    struct link_list posted = TAILQ_HEAD_INITIALIZER(posted);
    struct link *link = NULL;
    bool stopping = false;

    (void)pthread_mutex_lock(&f->lock);
    TAILQ_CONCAT(&fresh, &f->fresh, queued);
    TAILQ_FOREACH(link, &f->posted, queued)
    {
        link->posted = false;
    }
    TAILQ_CONCAT(&posted, &f->posted, queued);
    stopping = f->stopping;
    (void)pthread_mutex_unlock(&f->lock);
    while ((link = TAILQ_FIRST(&fresh)) != NULL) {
        TAILQ_REMOVE(&fresh, link, queued);
        TAILQ_INSERT_TAIL(&f->links, link, all);
        link_start(link);
    }
    while ((link = TAILQ_FIRST(&posted)) != NULL) {
        TAILQ_REMOVE(&posted, link, queued);
        link_back(link);
    }
    return stopping;
}

static void
free_dead(struct forward *f, bool all)
{
    struct link *link = TAILQ_FIRST(&f->links);

    while (link != NULL) {
        struct link *next = TAILQ_NEXT(link, all);

        if (all || link->state == LINK_DEAD) {
            TAILQ_REMOVE(&f->links, link, all);
            link_free(link);
            (void)pthread_mutex_lock(&f->lock);
            f->count--;
            (void)pthread_mutex_unlock(&f->lock);
        }
        link = next;
    }
}

/* At the limit who waits for nothing but its client gives way, the oldest first:
 * so no number of connections without a head keeps others out. */
static void
make_room(struct forward *f)
{
    const struct forward_limits limits = forward_limits_of(f);
    struct link *link = NULL;
    int64_t over = -limits.connections;

    TAILQ_FOREACH(link, &f->links, all)
    {
        over += link->state != LINK_DEAD ? 1 : 0;
    }
    TAILQ_FOREACH(link, &f->links, all)
    {
        if (over <= 0) {
            return;
        }
        over -= link_give_way(link) ? 1 : 0;
    }
}

static void
look_at_all(struct forward *f)
{
    const struct forward_limits limits = forward_limits_of(f);
    int64_t now_ms = clock_steady_ms();
    struct link *link = NULL;

    TAILQ_FOREACH(link, &f->links, all)
    {
        link_look(link, now_ms, &limits);
    }
}

static void
take_event(struct forward *f, const struct epoll_event *event)
{
    const struct end *end = event->data.ptr;
    uint64_t count = 0;

    if (end == NULL) {
        (void)!read(f->wake_fd, &count, sizeof(count));
    } else if (end->events != 0) {
        link_step(end->link);
    }
}

static void *
loop_main(void *arg)
{
    struct forward *f = arg;
    struct epoll_event events[EVENTS_MAX_COUNT];
    int64_t looked_ms = clock_steady_ms();

    while (!take_posted(f)) {
        int wait_ms = 0;
        int count = 0;

        make_room(f);
        free_dead(f, false);
        wait_ms = TAILQ_EMPTY(&f->links) ? -1 : LOOK_MS;
        count = epoll_wait(f->epoll_fd, events, EVENTS_MAX_COUNT, wait_ms);

        for (int i = 0; i < count; i++) {
            take_event(f, &events[i]);
        }
        if (clock_steady_ms() - looked_ms >= LOOK_MS) {
            look_at_all(f);
            looked_ms = clock_steady_ms();
        }
        free_dead(f, false);
    }
    return NULL;
}

/* ---- lives ---- */

enum ag_err
forward_new(const struct forward_parts *parts,
            const struct forward_limits *limits, struct forward **ret)
{
    AG_AUTO(forward) struct forward *f = calloc(1, sizeof(*f));
    struct epoll_event event = {.events = EPOLLIN};

    if (f == NULL) {
        return AG_ENOMEM;
    }
    f->parts = *parts;
    f->limits = *limits;
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->more, NULL);
    TAILQ_INIT(&f->fresh);
    TAILQ_INIT(&f->posted);
    TAILQ_INIT(&f->asked);
    TAILQ_INIT(&f->links);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->epoll_fd < 0 || f->wake_fd < 0 ||
        epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->wake_fd, &event) != 0) {
        return err_from_errno(errno);
    }
    *ret = AG_TAKE(f);
    return AG_OK;
}

/* Under the lock. */
static enum ag_err
need_threads(struct forward *f)
{
    if (f->runs) {
        return AG_OK;
    }
    if (pthread_create(&f->asker, NULL, asker_main, f) != 0) {
        return err_why(AG_ENOMEM, "no thread could be started");
    }
    if (pthread_create(&f->loop, NULL, loop_main, f) != 0) {
        f->stopping = true;
        (void)pthread_cond_broadcast(&f->more);
        (void)pthread_mutex_unlock(&f->lock);
        (void)pthread_join(f->asker, NULL);
        (void)pthread_mutex_lock(&f->lock);
        f->stopping = false;
        return err_why(AG_ENOMEM, "no thread could be started");
    }
    f->runs = true;
    return AG_OK;
}

static enum ag_err
add(struct forward *f, struct link *link)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&f->lock);
    if ((int64_t)f->count >= f->limits.connections + FRESH_MAX_COUNT) {
        err = err_why(AG_EBUSY,
                      "too many connections of the forward proxy "
                      "(limit %lld); close some",
                      (long long)f->limits.connections);
    }
    if (err == AG_OK) {
        err = need_threads(f);
    }
    if (err == AG_OK) {
        f->count++;
        TAILQ_INSERT_TAIL(&f->fresh, link, queued);
    }
    (void)pthread_mutex_unlock(&f->lock);
    wake(f);
    return err;
}

enum ag_err
forward_take(struct forward *f, int fd, struct peer *peer)
{
    struct link *link = NULL;
    enum ag_err err = link_new(f, fd, peer, &link);

    if (err == AG_OK) {
        err = add(f, link);
    }
    if (err != AG_OK) {
        f->parts.refuse(f->parts.ctx, fd, err, err_text(err));
        link_free(link);
    }
    if (err != AG_OK && link == NULL) {
        peer_free(peer);
        fd_close(fd);
    }
    return err;
}

void
forward_free(struct forward *f)
{
    if (f == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    f->stopping = true;
    (void)pthread_cond_broadcast(&f->more);
    (void)pthread_mutex_unlock(&f->lock);
    wake(f);
    if (f->runs) {
        (void)pthread_join(f->asker, NULL);
        (void)pthread_join(f->loop, NULL);
    }
    while (!TAILQ_EMPTY(&f->fresh)) {
        struct link *link = TAILQ_FIRST(&f->fresh);

        TAILQ_REMOVE(&f->fresh, link, queued);
        TAILQ_INSERT_TAIL(&f->links, link, all);
    }
    free_dead(f, true);
    while (f->spare_count > 0) {
        f->spare_count--;
        fd_close(f->spare[f->spare_count][0]);
        fd_close(f->spare[f->spare_count][1]);
    }
    fd_close(f->epoll_fd);
    fd_close(f->wake_fd);
    (void)pthread_cond_destroy(&f->more);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}
