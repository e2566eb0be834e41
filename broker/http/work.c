#include "http/work.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "http/request.h"

struct work {
    pthread_t thread;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t more;
    struct request *first;
    struct request **last;
    size_t count;
    size_t max_count;
    bool stopping;
};

static struct request *
next_request(struct work *w)
{
    struct request *rq;

    (void)pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->stopping) {
        (void)pthread_cond_wait(&w->more, &w->lock);
    }
    rq = w->first;
    if (rq != NULL) {
        w->first = rq->next;
        w->count--;
        if (w->first == NULL) {
            w->last = &w->first;
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    return rq;
}

static void *
work_main(void *arg)
{
    struct work *w = arg;
    struct request *rq = next_request(w);

    while (rq != NULL) {
        rq->step(rq);
        rq = next_request(w);
    }
    return NULL;
}

enum ag_err
work_new(size_t max_count, struct work **ret)
{
    struct work *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return AG_ENOMEM;
    }
    w->max_count = max_count;
    w->last = &w->first;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->more, NULL);
    if (pthread_create(&w->thread, NULL, work_main, w) != 0) {
        (void)pthread_cond_destroy(&w->more);
        (void)pthread_mutex_destroy(&w->lock);
        free(w);
        return err_why(AG_ENOMEM, "no thread could be started");
    }
    *ret = w;
    return AG_OK;
}

void
work_free(struct work *w)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_broadcast(&w->more);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->more);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

enum ag_err
work_push(struct work *w, struct request *rq)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&w->lock);
    if (w->count >= w->max_count || w->stopping) {
        err = err_why(AG_EBUSY, "%zu requests of this kind wait already",
                      w->count);
    } else {
        rq->next = NULL;
        *w->last = rq;
        w->last = &rq->next;
        w->count++;
        (void)pthread_cond_signal(&w->more);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return err;
}
