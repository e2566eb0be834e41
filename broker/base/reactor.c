#include "base/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/timers.h"

enum {
    EVENTS_MAX_COUNT = 64, /* at a time */
    ROUNDS_COUNT = 16,     /* of what is posted, before descriptors' turn */
};

struct reactor_source {
    SLIST_ENTRY(reactor_source) link; /* of those that were closed */
    struct reactor *owner;
    int fd;
    reactor_ready_fn fn; /* NULL: closed */
    void *ctx;
    unsigned wanted;
    unsigned watched; /* as epoll has it; 0: it does not have it */
};

TAILQ_HEAD(work_list, reactor_work);
SLIST_HEAD(source_list, reactor_source);

struct reactor {
    pthread_t thread;
    int own_fd; /* epoll */
    int wake_fd;
    pthread_mutex_t lock; /* over all below, to the next remark */
    pthread_cond_t called;
    struct work_list posted;
    struct work_list at_end;
    bool sleeps; /* or is about to: who posts wakes it */
    bool stops;
    bool is_over; /* nothing is taken any more */
    /* Its thread only: */
    struct timer_list timers;
    struct source_list closed; /* an event of them may be under way */
    size_t source_count;
    int epoll_fd;                               /* own_fd, or what is shared */
    struct epoll_event heard[EVENTS_MAX_COUNT]; /* in this wait */
    int heard_count;
    reactor_wait_fn wait; /* NULL: epoll_wait() */
    void *wait_ctx;
};

static _Thread_local struct reactor *here;

struct reactor *
reactor_here(void)
{
    return here;
}

/* ---- work ---- */

/* Under the lock, so that the reactor is still there. Its own thread is awake,
 * in whoever waits for it (reactor_share()): it looks before the next wait. */
static void
wake(struct reactor *r)
{
    const uint64_t one = 1;

    if (r->sleeps && here != r) {
        r->sleeps = false;
        (void)!write(r->wake_fd, &one, sizeof(one));
    }
}

bool
reactor_post(struct reactor *r, struct reactor_work *w)
{
    bool taken = false;

    if (atomic_exchange(&w->queued, true)) {
        return false;
    }
    (void)pthread_mutex_lock(&r->lock);
    taken = !r->is_over;
    if (taken) {
        TAILQ_INSERT_TAIL(&r->posted, w, link);
        wake(r);
    } else {
        atomic_store(&w->queued, false);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return taken;
}

static bool
take_posted(struct reactor *r, struct work_list *ret)
{
    (void)pthread_mutex_lock(&r->lock);
    TAILQ_CONCAT(ret, &r->posted, link);
    r->sleeps = false;
    (void)pthread_mutex_unlock(&r->lock);
    return !TAILQ_EMPTY(ret);
}

static void
do_posted(struct reactor *r)
{
    struct work_list round = TAILQ_HEAD_INITIALIZER(round);
    struct reactor_work *w = NULL;

    for (int i = 0; i < ROUNDS_COUNT && take_posted(r, &round); i++) {
        while ((w = TAILQ_FIRST(&round)) != NULL) {
            TAILQ_REMOVE(&round, w, link);
            atomic_store(&w->queued, false);
            w->fn(w->ctx); /* which may free it */
        }
    }
}

struct waited_call {
    struct reactor_work work;
    struct reactor *reactor;
    reactor_fn fn;
    void *ctx;
    bool done; /* under the lock */
};

static void
on_call(void *ctx)
{
    struct waited_call *call = ctx;
    struct reactor *r = call->reactor;

    call->fn(call->ctx);
    (void)pthread_mutex_lock(&r->lock);
    call->done = true;
    (void)pthread_cond_broadcast(&r->called);
    (void)pthread_mutex_unlock(&r->lock);
}

void
reactor_call(struct reactor *r, reactor_fn fn, void *ctx)
{
    struct waited_call call = {.reactor = r, .fn = fn, .ctx = ctx};

    if (here == r) {
        fn(ctx);
        return;
    }
    call.work = (struct reactor_work){.fn = on_call, .ctx = &call};
    (void)reactor_post(r, &call.work);
    (void)pthread_mutex_lock(&r->lock);
    while (!call.done) {
        (void)pthread_cond_wait(&r->called, &r->lock);
    }
    (void)pthread_mutex_unlock(&r->lock);
}

void
reactor_at_end(struct reactor *r, struct reactor_work *w)
{
    (void)pthread_mutex_lock(&r->lock);
    TAILQ_INSERT_HEAD(&r->at_end, w, link);
    (void)pthread_mutex_unlock(&r->lock);
}

void
reactor_set(struct reactor *r, struct reactor_timer *timer, int64_t at_ms)
{
    AG_ASSERT(here == r);
    timers_set(&r->timers, timer, at_ms);
}

/* ---- descriptors ---- */

enum ag_err
reactor_watch(struct reactor *r, int fd, reactor_ready_fn fn, void *ctx,
              struct reactor_source **ret)
{
    struct reactor_source *source = calloc(1, sizeof(*source));

    AG_ASSERT(here == r);
    if (source == NULL) {
        return AG_ENOMEM;
    }
    *source =
        (struct reactor_source){.owner = r, .fd = fd, .fn = fn, .ctx = ctx};
    r->source_count++;
    *ret = source;
    return AG_OK;
}

/* NULL is the wake-up: there is nothing behind it. */
static epoll_data_t
data_of(struct reactor_source *source)
{
    return (epoll_data_t){.u64 = (uint64_t)(uintptr_t)source | 1};
}

static bool
tell_epoll(struct reactor_source *source, unsigned events)
{
    struct epoll_event event = {.data = data_of(source)};
    int op = EPOLL_CTL_MOD;

    event.events |= (events & REACTOR_READ) != 0 ? (uint32_t)EPOLLIN : 0U;
    event.events |= (events & REACTOR_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0U;
    if (events == source->watched) {
        return true;
    }
    if (source->watched == 0) {
        op = EPOLL_CTL_ADD;
    } else if (events == 0) {
        op = EPOLL_CTL_DEL;
    }
    if (epoll_ctl(source->owner->epoll_fd, op, source->fd, &event) != 0) {
        return false;
    }
    source->watched = events;
    return true;
}

enum ag_err
reactor_want(struct reactor_source *source, unsigned events)
{
    AG_ASSERT(here == source->owner && source->fn != NULL);
    if ((events & ~source->watched) != 0 && !tell_epoll(source, events)) {
        return err_why(AG_EIO, "a descriptor can't be waited for");
    }
    source->wanted = events;
    return AG_OK;
}

void
reactor_source_close(struct reactor_source *source)
{
    struct reactor *r = NULL;

    if (source == NULL) {
        return;
    }
    r = source->owner;
    AG_ASSERT(here == r && source->fn != NULL);
    (void)tell_epoll(source, 0);
    source->watched = 0;
    source->fn = NULL;
    r->source_count--;
    SLIST_INSERT_HEAD(&r->closed, source, link);
}

static void
free_closed(struct reactor *r)
{
    struct reactor_source *source = NULL;

    while ((source = SLIST_FIRST(&r->closed)) != NULL) {
        SLIST_REMOVE_HEAD(&r->closed, link);
        free(source);
    }
}

/* Epoll still has what was once waited for: only when that comes it is told. */
static void
take_event(struct reactor_source *source, uint32_t events)
{
    unsigned ready = (events & EPOLLIN) != 0 ? (unsigned)REACTOR_READ : 0U;

    if (source->fn == NULL) {
        return;
    }
    ready |= (events & EPOLLOUT) != 0 ? (unsigned)REACTOR_WRITE : 0U;
    ready = (events & (EPOLLERR | EPOLLHUP)) != 0 ? source->wanted
                                                  : ready & source->wanted;
    if (ready == 0) {
        (void)tell_epoll(source, source->wanted);
    } else {
        source->fn(source->ctx, source->fd, ready);
    }
}

/* For how long, and from now on who posts wakes it. */
static int
begin_wait(struct reactor *r)
{
    int timeout_ms = timers_wait_ms(&r->timers);

    (void)pthread_mutex_lock(&r->lock);
    if (!TAILQ_EMPTY(&r->posted) || r->stops) {
        timeout_ms = 0;
    }
    r->sleeps = timeout_ms != 0;
    (void)pthread_mutex_unlock(&r->lock);
    return timeout_ms;
}

static void
take_events(struct reactor *r)
{
    int timeout_ms = begin_wait(r);

    r->heard_count = 0;
    if (r->wait == NULL) {
        r->heard_count =
            epoll_wait(r->epoll_fd, r->heard, EVENTS_MAX_COUNT, timeout_ms);
    } else {
        r->wait(r->wait_ctx, timeout_ms);
    }
    for (int i = 0; i < r->heard_count; i++) {
        uint64_t data = r->heard[i].data.u64 & ~(uint64_t)1;

        /* That the wake-up is edge-triggered saves a read(). */
        if (data != 0) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): data_of()
            take_event((struct reactor_source *)(uintptr_t)data,
                       r->heard[i].events);
        }
    }
    free_closed(r);
}

/* ---- another's epoll ---- */

static bool
watch_wake(struct reactor *r, int epoll_fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET,
                                .data = data_of(NULL)};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event) == 0;
}

enum ag_err
reactor_share(struct reactor *r, int epoll_fd, reactor_wait_fn fn, void *ctx)
{
    AG_ASSERT(here == r && r->wait == NULL && r->source_count == 0);
    if (!watch_wake(r, epoll_fd)) {
        return err_why(AG_EIO, "a descriptor can't be waited for");
    }
    r->epoll_fd = epoll_fd;
    r->wait = fn;
    r->wait_ctx = ctx;
    return AG_OK;
}

void
reactor_unshare(struct reactor *r)
{
    AG_ASSERT(here == r);
    if (r->wait != NULL) {
        (void)epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, r->wake_fd, NULL);
        r->epoll_fd = r->own_fd;
        r->wait = NULL;
    }
}

/* One that there is no room for comes again: none but the wake-up is
 * edge-triggered, and that has done what it is for. */
bool
reactor_heard(struct reactor *r, const struct epoll_event *event)
{
    AG_ASSERT(here == r);
    if ((event->data.u64 & 1) == 0) {
        return false;
    }
    if (r->heard_count < EVENTS_MAX_COUNT) {
        r->heard[r->heard_count++] = *event;
    }
    return true;
}

/* ---- life ---- */

/* The end of it: after this nobody else has to do with `at_end`. */
static bool
is_over(struct reactor *r)
{
    bool over = false;

    (void)pthread_mutex_lock(&r->lock);
    over = r->stops && TAILQ_EMPTY(&r->posted);
    r->is_over = over;
    (void)pthread_mutex_unlock(&r->lock);
    return over;
}

static void *
reactor_main(void *arg)
{
    struct reactor *r = arg;
    struct reactor_work *w = NULL;

    here = r;
    while (!is_over(r)) {
        take_events(r);
        timers_do(&r->timers);
        do_posted(r);
    }
    while ((w = TAILQ_FIRST(&r->at_end)) != NULL) {
        TAILQ_REMOVE(&r->at_end, w, link);
        w->fn(w->ctx);
    }
    AG_ASSERT(r->source_count == 0);
    free_closed(r);
    return NULL;
}

static void
done(struct reactor *r)
{
    fd_close(r->own_fd);
    fd_close(r->wake_fd);
    (void)pthread_cond_destroy(&r->called);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

static enum ag_err
start(struct reactor *r)
{
    r->own_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->epoll_fd = r->own_fd;
    if (r->own_fd < 0 || r->wake_fd < 0 || !watch_wake(r, r->own_fd)) {
        return err_why(AG_EIO, "nothing to wait with: too many open files");
    }
    return pthread_create(&r->thread, NULL, reactor_main, r) == 0
               ? AG_OK
               : err_why(AG_ENOMEM, "no thread could be started");
}

enum ag_err
reactor_new(struct reactor **ret)
{
    struct reactor *r = calloc(1, sizeof(*r));
    enum ag_err err = AG_OK;

    if (r == NULL) {
        return AG_ENOMEM;
    }
    r->own_fd = -1;
    r->wake_fd = -1;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->called, NULL);
    TAILQ_INIT(&r->posted);
    TAILQ_INIT(&r->at_end);
    LIST_INIT(&r->timers);
    SLIST_INIT(&r->closed);
    err = start(r);
    if (err != AG_OK) {
        done(r);
        return err;
    }
    *ret = r;
    return AG_OK;
}

void
reactor_free(struct reactor *r)
{
    if (r == NULL) {
        return;
    }
    AG_ASSERT(here != r);
    (void)pthread_mutex_lock(&r->lock);
    r->stops = true;
    wake(r);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    done(r);
}
