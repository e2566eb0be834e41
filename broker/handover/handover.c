#include "handover/handover.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "caller/peer.h"
#include "handover/conn.h"
#include "handover/killer.h"

enum {
    CLOSE_WAIT_MS = 3000, /* for the threads of connections, at the end */
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
};

struct handover {
    struct conn_parts parts;
    pthread_mutex_t lock; /* over everything below */
    pthread_cond_t changed;
    bool closing;
    size_t count;
    struct conn *conns[HANDOVER_CONNECTIONS_MAX_COUNT];
};

/* What a connection's thread begins with. */
struct start {
    struct handover *handover;
    struct conn *conn;
};

enum ag_err
handover_new(struct core *core, struct filter *filter, struct handover **ret)
{
    struct handover *h = calloc(1, sizeof(*h));
    pthread_condattr_t attr;
    enum ag_err err = h == NULL ? AG_ENOMEM : killer_new(&h->parts.killer);

    if (err != AG_OK) {
        free(h);
        return err;
    }
    h->parts.core = core;
    h->parts.filter = filter;
    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&h->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = h;
    return AG_OK;
}

/* Under the lock. */
static void
forget(struct handover *h, const struct conn *c)
{
    size_t i = 0;

    while (h->conns[i] != c) {
        i++;
    }
    h->conns[i] = h->conns[--h->count];
    (void)pthread_cond_broadcast(&h->changed);
}

/* Under the lock: until no connection is left, or the time is over. */
static void
wait_empty(struct handover *h, int64_t wait_ms)
{
    struct timespec end;
    int failed = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(wait_ms / MS_PER_S);
    end.tv_nsec += (long)(wait_ms % MS_PER_S) * NS_PER_MS;
    if (end.tv_nsec >= (long)MS_PER_S * NS_PER_MS) {
        end.tv_sec++;
        end.tv_nsec -= (long)MS_PER_S * NS_PER_MS;
    }
    while (h->count > 0 && failed == 0) {
        failed = pthread_cond_timedwait(&h->changed, &h->lock, &end);
    }
}

/* Supervisors are told and get their time; whoever is left is cut off. */
static bool
close_all(struct handover *h)
{
    bool empty;

    (void)pthread_mutex_lock(&h->lock);
    h->closing = true;
    for (size_t i = 0; i < h->count; i++) {
        conn_end_task(h->conns[i], "broker");
    }
    wait_empty(h, HANDOVER_KILL_MS);
    for (size_t i = 0; i < h->count; i++) {
        conn_shut(h->conns[i]);
    }
    wait_empty(h, CLOSE_WAIT_MS);
    empty = h->count == 0;
    (void)pthread_mutex_unlock(&h->lock);
    return empty;
}

void
handover_free(struct handover *h)
{
    if (h == NULL || !close_all(h)) {
        return; /* a file system hangs: its thread keeps what it needs */
    }
    killer_free(h->parts.killer);
    (void)pthread_cond_destroy(&h->changed);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

static void *
conn_main(void *arg)
{
    struct start start = *(const struct start *)arg;

    free(arg);
    conn_serve(start.conn);
    /* Dropped under the lock: when the table is empty all is closed. */
    (void)pthread_mutex_lock(&start.handover->lock);
    forget(start.handover, start.conn);
    conn_drop(start.conn);
    (void)pthread_mutex_unlock(&start.handover->lock);
    return NULL;
}

/* A detached thread that no signal disturbs: SIGPIPE must not end the broker,
 * and SIGTERM is main's. */
static enum ag_err
start_thread(struct start *start)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int failed;

    if (pthread_attr_init(&attr) != 0) {
        return AG_ENOMEM;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
#ifndef AG_SANITIZED /* whose frames are larger */
    (void)pthread_attr_setstacksize(&attr, HANDOVER_STACK_BYTES);
#endif
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    failed = pthread_create(&thread, &attr, conn_main, start);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return failed == 0 ? AG_OK : AG_ENOMEM;
}

/* One task must not take the places of the others. Under the lock. */
static bool
is_greedy(const struct handover *h, const struct conn *c)
{
    size_t count = 0;

    for (size_t i = 0; c->tree_id != 0 && i < h->count; i++) {
        count += h->conns[i]->tree_id == c->tree_id ? 1 : 0;
    }
    return count >= HANDOVER_OF_TASK_MAX_COUNT;
}

/* Into the table and off with it. The thread ends by itself. */
static enum ag_err
launch(struct handover *h, struct conn *c)
{
    struct start *start = malloc(sizeof(*start));
    enum ag_err err = AG_OK;

    if (start == NULL) {
        return AG_ENOMEM;
    }
    *start = (struct start){.handover = h, .conn = c};
    (void)pthread_mutex_lock(&h->lock);
    if (h->closing || h->count == HANDOVER_CONNECTIONS_MAX_COUNT) {
        err = err_why(AG_EBUSY, "too many connections on fd.sock");
    } else if (is_greedy(h, c)) {
        err = err_why(AG_EBUSY, "a task may have %d connections on fd.sock",
                      HANDOVER_OF_TASK_MAX_COUNT);
    } else {
        h->conns[h->count++] = c;
        err = start_thread(start);
        h->count -= err == AG_OK ? 0 : 1;
    }
    (void)pthread_mutex_unlock(&h->lock);
    if (err != AG_OK) {
        free(start);
    }
    return err;
}

enum ag_err
handover_accept(struct handover *h, int sock, struct peer *peer)
{
    bool known = peer_facts(peer) != NULL;
    struct conn *c = NULL;
    enum ag_err err = conn_new(&h->parts, sock, peer, &c);

    if (err != AG_OK) {
        return err;
    }
    c->tree_id = known ? handout_task_of(h->parts.core, c->peer) : 0;
    err = known ? launch(h, c) : err_why(AG_EDENIED, "its process is unknown");
    if (err != AG_OK) {
        conn_refuse(c, err);
        conn_drop(c);
    }
    return err;
}

size_t
handover_connection_count(struct handover *h)
{
    size_t count;

    (void)pthread_mutex_lock(&h->lock);
    count = h->count;
    (void)pthread_mutex_unlock(&h->lock);
    return count;
}
