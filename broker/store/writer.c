#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "store/tx.h"

enum {
    STACK_BYTES = 512 * 1024, /* SQLite and a job; not the default's 8 MiB */
    NS_PER_MS = 1000000,
    MS_PER_S = 1000,
    QUIET_MS = 1000, /* without work, before memory is given back */
};

struct writer {
    struct db_tx *tx;
    struct writer_hooks hooks;
    void (*rebuild)(void *arg);
    void *rebuild_arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;  /* for the thread */
    pthread_cond_t quiet; /* for writer_hold() */
    struct store_job *first;
    struct store_job *last;
    size_t count;
    bool accepting;
    bool stopping;
    bool busy;        /* the thread is inside a group or a tick */
    bool wake;        /* a tick is wanted */
    bool worked;      /* since hooks.quiet */
    unsigned holders; /* threads that hold the writer or wait for it */
    bool held;
    struct store_stats stats;
};

/* ---- one group ------------------------------------------------------------ */

static void
keep_why(struct store_job *job, enum ag_err err)
{
    job->err = err;
    job->why[0] = '\0';
    if (err != AG_OK) {
        (void)snprintf(job->why, sizeof(job->why), "%s", err_text(err));
    }
}

/* The sentence of the job's failure, for the thread that reads it next. */
static enum ag_err
raise_again(const struct store_job *job)
{
    return job->err == AG_OK ? AG_OK : err_why(job->err, "%s", job->why);
}

static enum ag_err
run_job(struct db_tx *tx, store_run_fn run, void *arg)
{
    enum ag_err err = tx_save(tx);

    if (err != AG_OK) {
        return err;
    }
    err = run(tx, arg);
    if (err == AG_OK) {
        err = tx_keep(tx);
    }
    if (err != AG_OK) {
        tx_undo(tx);
    }
    return err;
}

static void
fail_group(struct store_job *jobs, enum ag_err err)
{
    struct store_job *job;

    for (job = jobs; job != NULL; job = job->next) {
        if (job->err == AG_OK) {
            keep_why(job, err);
        }
    }
}

enum group {
    GROUP_COMMITTED,
    GROUP_EMPTY, /* every job failed by itself */
    GROUP_FAILED,
};

/* All jobs in one transaction; their results are in them. */
static enum group
run_group(struct writer *w, struct store_job *jobs)
{
    struct store_job *job;
    size_t kept = 0;
    enum ag_err err = tx_begin(w->tx);

    for (job = jobs; job != NULL; job = job->next) {
        err_clear();
        keep_why(job, err == AG_OK ? run_job(w->tx, job->run, job->arg) : err);
        kept += job->err == AG_OK;
        if (err == AG_OK && !tx_alive(w->tx)) {
            /* SQLite gave up the whole transaction (disk full, I/O error):
             * those before are gone too, those after are not tried. */
            err = job->err != AG_OK ? job->err : AG_EIO;
        }
    }
    if (err == AG_OK && kept > 0) {
        err = tx_commit(w->tx);
    } else {
        tx_rollback(w->tx);
    }
    if (err != AG_OK) {
        fail_group(jobs, err);
        if (w->rebuild != NULL) {
            w->rebuild(w->rebuild_arg);
        }
        return GROUP_FAILED;
    }
    if (kept == 0) {
        return GROUP_EMPTY;
    }
    w->hooks.committed(w->hooks.arg);
    return GROUP_COMMITTED;
}

static size_t
finish_group(struct store_job *jobs)
{
    struct store_job *job = jobs;
    size_t count = 0;

    while (job != NULL) {
        struct store_job *next = job->next; /* done() may free the job */
        store_done_fn done = job->done;

        count++;
        if (done != NULL) {
            void *arg = job->arg;
            enum ag_err err = raise_again(job);

            done(arg, err);
        }
        job = next;
    }
    return count;
}

/* ---- the thread ------------------------------------------------------------ */

/* Jobs for the next commit: all that wait, or one that wants to be alone. */
static struct store_job *
take_group(struct writer *w)
{
    struct store_job *jobs = w->first;
    struct store_job *end = jobs;
    size_t taken = 1;

    while (!end->alone && end->next != NULL && !end->next->alone &&
           taken < WRITER_GROUP_MAX_COUNT) {
        end = end->next;
        taken++;
    }
    w->first = end->next;
    if (w->first == NULL) {
        w->last = NULL;
    }
    w->count -= taken;
    end->next = NULL;
    if (taken > w->stats.largest_group) {
        w->stats.largest_group = taken;
    }
    return jobs;
}

/* False: the time has come. */
static bool
wait_until(struct writer *w, int64_t deadline_ms)
{
    struct timespec ts = {.tv_sec = (time_t)(deadline_ms / MS_PER_S),
                          .tv_nsec =
                              (long)(deadline_ms % MS_PER_S) * NS_PER_MS};

    return pthread_cond_timedwait(&w->work, &w->lock, &ts) != ETIMEDOUT;
}

static int64_t
monotonic_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * MS_PER_S + ts.tv_nsec / NS_PER_MS;
}

static void
tick(struct writer *w)
{
    bool again;

    w->wake = false;
    w->busy = true;
    w->worked = true;
    (void)pthread_mutex_unlock(&w->lock);
    again = w->hooks.tick(w->hooks.arg);
    (void)pthread_mutex_lock(&w->lock);
    w->busy = false;
    w->wake = w->wake || again;
}

static void
serve(struct writer *w)
{
    struct store_job *jobs = take_group(w);
    enum group result;
    size_t count;

    w->busy = true;
    w->worked = true;
    (void)pthread_mutex_unlock(&w->lock);
    result = run_group(w, jobs);
    count = finish_group(jobs);
    (void)pthread_mutex_lock(&w->lock);
    w->stats.jobs += count;
    w->stats.commits += result == GROUP_COMMITTED;
    w->stats.commit_failures += result == GROUP_FAILED;
    if (result == GROUP_COMMITTED) {
        w->wake = true; /* the head is to be synced */
    }
    w->busy = false;
}

static void
quiet(struct writer *w)
{
    w->worked = false;
    w->busy = true;
    (void)pthread_mutex_unlock(&w->lock);
    w->hooks.quiet(w->hooks.arg);
    (void)pthread_mutex_lock(&w->lock);
    w->busy = false;
}

/* Sleeps until there is work, a tick is due, or the writer is let go. */
static void
rest(struct writer *w, int64_t due_ms)
{
    (void)pthread_cond_broadcast(&w->quiet);
    if (w->wake && w->holders == 0) {
        (void)wait_until(w, due_ms);
    } else if (w->worked && w->holders == 0) {
        if (!wait_until(w, monotonic_ms() + QUIET_MS) && w->holders == 0 &&
            w->count == 0 && !w->wake) {
            quiet(w);
        }
    } else {
        (void)pthread_cond_wait(&w->work, &w->lock);
    }
}

static void *
run_thread(void *arg)
{
    struct writer *w = arg;
    int64_t due_ms = 0;
    bool timing = false;

    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        if (w->wake && !timing) {
            timing = true;
            due_ms = monotonic_ms() + w->hooks.period_ms;
        }
        if (w->holders == 0 && timing && monotonic_ms() >= due_ms) {
            timing = false;
            tick(w);
        } else if (w->holders == 0 && w->count > 0) {
            serve(w);
        } else if (w->stopping && w->count == 0) {
            break;
        } else {
            rest(w, due_ms);
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- life ------------------------------------------------------------------ */

static enum ag_err
start_thread(struct writer *w)
{
    pthread_attr_t attr;
    int rc;

    AG_ASSERT(pthread_attr_init(&attr) == 0);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    rc = pthread_create(&w->thread, &attr, run_thread, w);
    (void)pthread_attr_destroy(&attr);
    return rc == 0 ? AG_OK : err_why(AG_ENOMEM, "no thread for the writer");
}

enum ag_err
writer_start(struct db_tx *tx, const struct writer_hooks *hooks,
             struct writer **ret)
{
    struct writer *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;
    enum ag_err err;

    if (w == NULL) {
        return AG_ENOMEM;
    }
    w->tx = tx;
    w->hooks = *hooks;
    AG_ASSERT(pthread_mutex_init(&w->lock, NULL) == 0);
    AG_ASSERT(pthread_condattr_init(&attr) == 0);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    AG_ASSERT(pthread_cond_init(&w->work, &attr) == 0);
    AG_ASSERT(pthread_cond_init(&w->quiet, NULL) == 0);
    (void)pthread_condattr_destroy(&attr);
    err = start_thread(w);
    if (err != AG_OK) {
        free(w);
        return err;
    }
    *ret = w;
    return AG_OK;
}

void
writer_stop(struct writer *w)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    AG_ASSERT(w->holders == 0);
    w->accepting = false;
    w->stopping = true;
    (void)pthread_cond_signal(&w->work);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_cond_destroy(&w->quiet);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

void
writer_accept(struct writer *w, bool on)
{
    (void)pthread_mutex_lock(&w->lock);
    w->accepting = on;
    (void)pthread_mutex_unlock(&w->lock);
}

enum ag_err
writer_submit(struct writer *w, struct store_job *job)
{
    enum ag_err err = AG_OK;

    job->next = NULL;
    job->err = AG_OK;
    job->why[0] = '\0';
    (void)pthread_mutex_lock(&w->lock);
    if (!w->accepting) {
        err = AG_ELOCKED;
    } else if (w->count >= STORE_QUEUE_MAX_COUNT) {
        err = err_why(AG_EBUSY, "%d changes are waiting already",
                      STORE_QUEUE_MAX_COUNT);
    } else {
        if (w->last == NULL) {
            w->first = job;
        } else {
            w->last->next = job;
        }
        w->last = job;
        w->count++;
        if (!w->busy) {
            (void)pthread_cond_signal(&w->work);
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    return err;
}

void
writer_wake(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    if (!w->wake) {
        w->wake = true;
        (void)pthread_cond_signal(&w->work);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

void
writer_hold(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->holders++;
    while (w->held || w->busy) {
        (void)pthread_cond_wait(&w->quiet, &w->lock);
    }
    w->held = true;
    (void)pthread_mutex_unlock(&w->lock);
}

void
writer_drain(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    AG_ASSERT(!w->accepting);
    while (w->busy || w->count > 0) {
        (void)pthread_cond_wait(&w->quiet, &w->lock);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

void
writer_release(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    AG_ASSERT(w->held);
    w->held = false;
    w->holders--;
    (void)pthread_cond_broadcast(&w->quiet);
    (void)pthread_cond_signal(&w->work);
    (void)pthread_mutex_unlock(&w->lock);
}

enum ag_err
writer_run_held(struct writer *w, store_run_fn run, void *arg)
{
    struct db_tx *tx = w->tx;
    enum ag_err err;

    AG_ASSERT(w->held);
    err = tx_begin(tx);
    if (err != AG_OK) {
        return err;
    }
    err = run_job(tx, run, arg);
    if (err != AG_OK) {
        tx_rollback(tx);
        return err;
    }
    err = tx_commit(tx);
    if (err == AG_OK) {
        w->hooks.committed(w->hooks.arg);
    }
    return err;
}

void
writer_on_rebuild(struct writer *w, void (*rebuild)(void *), void *arg)
{
    w->rebuild = rebuild;
    w->rebuild_arg = arg;
}

void
writer_stats(struct writer *w, struct store_stats *ret)
{
    (void)pthread_mutex_lock(&w->lock);
    *ret = w->stats;
    ret->queue_count = w->count;
    (void)pthread_mutex_unlock(&w->lock);
}
