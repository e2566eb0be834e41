#include "proxy/later.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

TAILQ_HEAD(later_jobs, later_job);

struct later {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct later_jobs jobs;
    const struct later_job *running;
    bool stopping;
};

/* Under the lock: the next one, or NULL to stop. */
static struct later_job *
next_job(struct later *later)
{
    struct later_job *job = NULL;

    while (!later->stopping && TAILQ_EMPTY(&later->jobs)) {
        (void)pthread_cond_wait(&later->changed, &later->lock);
    }
    job = TAILQ_FIRST(&later->jobs);
    if (job != NULL) {
        TAILQ_REMOVE(&later->jobs, job, link);
        job->state = LATER_RUNS;
    }
    later->running = job;
    return job;
}

static void *
work(void *arg)
{
    struct later *later = arg;
    struct later_job *job = NULL;

    (void)pthread_mutex_lock(&later->lock);
    while ((job = next_job(later)) != NULL) {
        (void)pthread_mutex_unlock(&later->lock);
        job->run(job);
        (void)pthread_mutex_lock(&later->lock);
        /* Pushed again meanwhile: it waits already. */
        if (job->state == LATER_RUNS) {
            job->state = LATER_RESTS;
        }
        later->running = NULL;
        (void)pthread_cond_broadcast(&later->changed);
    }
    (void)pthread_mutex_unlock(&later->lock);
    return NULL;
}

enum ag_err
later_new(struct later **ret)
{
    struct later *later = calloc(1, sizeof(*later));

    if (later == NULL) {
        return AG_ENOMEM;
    }
    TAILQ_INIT(&later->jobs);
    (void)pthread_mutex_init(&later->lock, NULL);
    (void)pthread_cond_init(&later->changed, NULL);
    if (pthread_create(&later->thread, NULL, work, later) != 0) {
        (void)pthread_cond_destroy(&later->changed);
        (void)pthread_mutex_destroy(&later->lock);
        free(later);
        return AG_ENOMEM;
    }
    *ret = later;
    return AG_OK;
}

void
later_free(struct later *later)
{
    if (later == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&later->lock);
    AG_ASSERT(TAILQ_EMPTY(&later->jobs));
    later->stopping = true;
    (void)pthread_cond_broadcast(&later->changed);
    (void)pthread_mutex_unlock(&later->lock);
    (void)pthread_join(later->thread, NULL);
    (void)pthread_cond_destroy(&later->changed);
    (void)pthread_mutex_destroy(&later->lock);
    free(later);
}

void
later_push(struct later *later, struct later_job *job)
{
    (void)pthread_mutex_lock(&later->lock);
    AG_ASSERT(job->state != LATER_WAITS);
    job->state = LATER_WAITS;
    TAILQ_INSERT_TAIL(&later->jobs, job, link);
    (void)pthread_cond_broadcast(&later->changed);
    (void)pthread_mutex_unlock(&later->lock);
}

void
later_forget(struct later *later, struct later_job *job)
{
    (void)pthread_mutex_lock(&later->lock);
    while (later->running == job) {
        (void)pthread_cond_wait(&later->changed, &later->lock);
    }
    if (job->state == LATER_WAITS) {
        TAILQ_REMOVE(&later->jobs, job, link);
        job->state = LATER_RESTS;
    }
    (void)pthread_mutex_unlock(&later->lock);
}
