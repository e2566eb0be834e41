#include "base/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdx.h"

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
LIST_HEAD(timer_list, reactor_timer);
SLIST_HEAD(source_list, reactor_source);

struct reactor {
    pthread_t thread;
    int epoll_fd;
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
 * in whoever waits for it (reactor_set_wait()): it looks before the next wait. */
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

/* ---- times ---- */

void
reactor_set(struct reactor *r, struct reactor_timer *timer, int64_t at_ms)
{
    AG_ASSERT(here == r);
    timer->at_ms = at_ms;
    if (at_ms == INT64_MAX && timer->is_set) {
        LIST_REMOVE(timer, link);
    } else if (at_ms != INT64_MAX && !timer->is_set) {
        LIST_INSERT_HEAD(&r->timers, timer, link);
    }
    timer->is_set = at_ms != INT64_MAX;
}

/* Those that are due now; one that is set anew meanwhile waits for the next
 * turn, whenever it is for. */
static void
do_timers(struct reactor *r)
{
    struct timer_list due = LIST_HEAD_INITIALIZER(due);
    struct reactor_timer *timer = LIST_FIRST(&r->timers);
    int64_t now_ms = timer == NULL ? 0 : clock_steady_ms();

    while (timer != NULL) {
        struct reactor_timer *next = LIST_NEXT(timer, link);

        if (timer->at_ms <= now_ms) {
            LIST_REMOVE(timer, link);
            LIST_INSERT_HEAD(&due, timer, link);
        }
        timer = next;
    }
    while ((timer = LIST_FIRST(&due)) != NULL) {
        LIST_REMOVE(timer, link);
        timer->is_set = false;
        timer->fn(timer->ctx);
    }
}

/* For epoll_wait(): -1 is for ever. */
static int
wait_ms(const struct reactor *r)
{
    const struct reactor_timer *timer = NULL;
    int64_t next_ms = INT64_MAX;
    int64_t left_ms = 0;

    LIST_FOREACH(timer, &r->timers, link)
    {
        next_ms = timer->at_ms < next_ms ? timer->at_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        return -1;
    }
    left_ms = next_ms - clock_steady_ms();
    return left_ms < 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
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

static bool
tell_epoll(struct reactor_source *source, unsigned events)
{
    struct epoll_event event = {.data = {.ptr = source}};
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
    int timeout_ms = wait_ms(r);

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
    struct epoll_event events[EVENTS_MAX_COUNT];
    int timeout_ms = begin_wait(r);
    int count = 0;

    if (r->wait == NULL) {
        count = epoll_wait(r->epoll_fd, events, EVENTS_MAX_COUNT, timeout_ms);
    } else if (r->wait(r->wait_ctx, timeout_ms)) {
        count = epoll_wait(r->epoll_fd, events, EVENTS_MAX_COUNT, 0);
    }
    for (int i = 0; i < count; i++) {
        /* NULL is the wake-up; that it is edge-triggered saves a read(). */
        if (events[i].data.ptr != NULL) {
            take_event(events[i].data.ptr, events[i].events);
        }
    }
    free_closed(r);
}

void
reactor_set_wait(struct reactor *r, reactor_wait_fn fn, void *ctx)
{
    AG_ASSERT(here == r);
    r->wait = fn;
    r->wait_ctx = ctx;
}

int
reactor_fd(const struct reactor *r)
{
    return r->epoll_fd;
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
        do_timers(r);
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
    fd_close(r->epoll_fd);
    fd_close(r->wake_fd);
    (void)pthread_cond_destroy(&r->called);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

static enum ag_err
start(struct reactor *r)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->epoll_fd < 0 || r->wake_fd < 0 ||
        epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event) != 0) {
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
    r->epoll_fd = -1;
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
