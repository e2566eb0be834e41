#include "privsep/filter_stream.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "privsep/filter_copy.h"

enum {
    STACK_BYTES = 128 * 1024, /* the buffers are elsewhere */
    STACK_USED_BYTES = 64 * 1024,
    NUDGE_SIGNAL = SIGUSR1,
    SIGNAL_STACK_BYTES = 64 * 1024, /* where the system can't say */
};

struct slot {
    struct fpool *pool;
    pthread_t thread;
    pthread_cond_t changed;
    atomic_int stop;    /* enum ag_err: why the stream shall end */
    struct fcopy *copy; /* NULL: idle */
    uint64_t id;
    int src_fd;
    int dst_fd;
};

struct fpool {
    struct fset *set;
    const struct frules *rules;
    struct fpool_hooks hooks;
    pthread_mutex_t lock; /* over the slots, but for `stop` */
    size_t thread_count;
    size_t busy_count;
    bool closing;
    struct slot slots[FILTER_STREAMS_MAX_COUNT];
};

/* ---- a stream's thread ---- */

/* Waits for a stream; NULL: the pool closes. */
static struct fcopy *
wait_stream(struct slot *slot)
{
    struct fcopy *copy;

    (void)pthread_mutex_lock(&slot->pool->lock);
    while (slot->copy == NULL && !slot->pool->closing) {
        (void)pthread_cond_wait(&slot->changed, &slot->pool->lock);
    }
    copy = slot->copy;
    (void)pthread_mutex_unlock(&slot->pool->lock);
    return copy;
}

/*
 * A signal's frame holds all registers, and the wide ones may hold bytes that
 * were being copied: text of the task, perhaps a value. So frames go to a
 * stack of their own, which is wiped when the stream has ended.
 */
static bool
signals_begin(stack_t *own, stack_t *before)
{
    long len = sysconf(_SC_SIGSTKSZ);

    own->ss_size = len > 0 ? (size_t)len : (size_t)SIGNAL_STACK_BYTES;
    own->ss_flags = 0;
    own->ss_sp = calloc(1, own->ss_size);
    if (own->ss_sp == NULL) {
        return false;
    }
    return sigaltstack(own, before) == 0;
}

static void
signals_end(stack_t *own, const stack_t *before)
{
    (void)sigaltstack(before, NULL);
    free(own->ss_sp);
}

static void *
slot_main(void *arg)
{
    struct slot *slot = arg;
    struct fpool *p = slot->pool;
    stack_t own;
    stack_t before;
    struct fcopy *copy;
    bool ready = signals_begin(&own, &before);

    AG_ASSERT(ready); /* at the start of the process, or not at all */
    while ((copy = wait_stream(slot)) != NULL) {
        const struct fmsg_end *end = NULL;

        fcopy_listen(copy, &p->hooks.tell);
        end = fcopy_run(copy, slot->dst_fd);
        sodium_stackzero(STACK_USED_BYTES); /* wide registers were put there */
        /* First the descriptors: who hears of the end may wait for them. */
        fd_close(slot->src_fd);
        fd_close(slot->dst_fd);
        (void)pthread_mutex_lock(&p->lock);
        slot->copy = NULL;
        p->busy_count--;
        (void)pthread_mutex_unlock(&p->lock);
        wipe(own.ss_sp, own.ss_size);
        p->hooks.end(p->hooks.tell.ctx, end);
        fcopy_free(copy);
    }
    signals_end(&own, &before);
    return NULL;
}

/* ---- the pool ---- */

static void
on_nudge(int signal_number)
{
    (void)signal_number; /* it only has to break a system call off */
}

static void
catch_nudges(void)
{
    struct sigaction action = {.sa_handler = on_nudge, .sa_flags = SA_ONSTACK};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(NUDGE_SIGNAL, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

static bool
start_thread(struct fpool *p, struct slot *slot)
{
    pthread_attr_t attr;
    int failed;

    slot->pool = p;
    (void)pthread_cond_init(&slot->changed, NULL);
    (void)pthread_attr_init(&attr);
#ifndef AG_SANITIZED /* sanitizers need more stack */
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
#endif
    failed = pthread_create(&slot->thread, &attr, slot_main, slot);
    (void)pthread_attr_destroy(&attr);
    return failed == 0;
}

enum ag_err
fpool_new(struct fset *set, const struct frules *rules,
          const struct fpool_hooks *hooks, struct fpool **ret)
{
    AG_AUTO(fpool) struct fpool *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return AG_ENOMEM;
    }
    catch_nudges();
    p->set = set;
    p->rules = rules;
    p->hooks = *hooks;
    (void)pthread_mutex_init(&p->lock, NULL);
    while (p->thread_count < FILTER_STREAMS_MAX_COUNT) {
        if (!start_thread(p, &p->slots[p->thread_count])) {
            return AG_ENOMEM;
        }
        p->thread_count++;
    }
    *ret = AG_TAKE(p);
    return AG_OK;
}

static void
sleep_nudge(void)
{
    const struct timespec pause = {.tv_nsec = FPOOL_NUDGE_MS * 1000L * 1000};

    (void)nanosleep(&pause, NULL);
}

void
fpool_free(struct fpool *p)
{
    size_t i;

    if (p == NULL) {
        return;
    }
    fpool_cancel_all(p, AG_EREVOKED);
    while (fpool_nudge(p)) {
        sleep_nudge();
    }
    (void)pthread_mutex_lock(&p->lock);
    p->closing = true;
    for (i = 0; i < p->thread_count; i++) {
        (void)pthread_cond_signal(&p->slots[i].changed);
    }
    (void)pthread_mutex_unlock(&p->lock);
    for (i = 0; i < p->thread_count; i++) {
        (void)pthread_join(p->slots[i].thread, NULL);
        (void)pthread_cond_destroy(&p->slots[i].changed);
    }
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

/* Under the lock: an idle slot; AG_EINVAL when the id is in use. */
static enum ag_err
find_slot(struct fpool *p, uint64_t id, struct slot **ret)
{
    struct slot *idle = NULL;
    size_t i;

    for (i = 0; i < p->thread_count; i++) {
        struct slot *slot = &p->slots[i];

        if (slot->copy == NULL) {
            idle = slot;
        } else if (slot->id == id) {
            return AG_EINVAL;
        }
    }
    if (idle == NULL) {
        return err_why(AG_ELIMIT, "the filter serves %d streams already",
                       (int)FILTER_STREAMS_MAX_COUNT);
    }
    *ret = idle;
    return AG_OK;
}

enum ag_err
fpool_start(struct fpool *p, const struct fmsg_stream *stream, int src_fd,
            int dst_fd)
{
    struct fcopy *copy = NULL;
    struct slot *slot = NULL;
    enum ag_err err;

    if (fset_enter(p->set) == NULL) {
        return AG_ELOCKED;
    }
    fset_leave(p->set);
    (void)pthread_mutex_lock(&p->lock);
    err = find_slot(p, stream->id, &slot);
    if (err == AG_OK) {
        atomic_store(&slot->stop, AG_OK);
        err = fcopy_new(stream, src_fd, p->set, p->rules, &slot->stop, &copy);
    }
    if (err == AG_OK) {
        slot->copy = copy;
        slot->id = stream->id;
        slot->src_fd = src_fd;
        slot->dst_fd = dst_fd;
        p->busy_count++;
        (void)pthread_cond_signal(&slot->changed);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return err;
}

static void
stop_slot(struct slot *slot, enum ag_err why)
{
    int none = AG_OK;

    if (slot->copy != NULL) {
        (void)atomic_compare_exchange_strong(&slot->stop, &none, (int)why);
    }
}

void
fpool_cancel(struct fpool *p, uint64_t id, enum ag_err why)
{
    size_t i;

    (void)pthread_mutex_lock(&p->lock);
    for (i = 0; i < p->thread_count; i++) {
        if (p->slots[i].id == id) {
            stop_slot(&p->slots[i], why);
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
}

void
fpool_cancel_all(struct fpool *p, enum ag_err why)
{
    size_t i;

    (void)pthread_mutex_lock(&p->lock);
    for (i = 0; i < p->thread_count; i++) {
        stop_slot(&p->slots[i], why);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

bool
fpool_nudge(struct fpool *p)
{
    bool some = false;
    size_t i;

    (void)pthread_mutex_lock(&p->lock);
    for (i = 0; i < p->thread_count; i++) {
        struct slot *slot = &p->slots[i];

        if (slot->copy != NULL && atomic_load(&slot->stop) != AG_OK) {
            (void)pthread_kill(slot->thread, NUDGE_SIGNAL);
            some = true;
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    return some;
}

size_t
fpool_count(struct fpool *p)
{
    size_t count;

    (void)pthread_mutex_lock(&p->lock);
    count = p->busy_count;
    (void)pthread_mutex_unlock(&p->lock);
    return count;
}
