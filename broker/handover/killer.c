#include "handover/killer.h"

#include <sys/syscall.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/fdx.h"

enum {
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
};

struct sentence {
    uint64_t id;
    int pidfd;
    int64_t at_ms;
};

struct killer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    size_t count;
    struct sentence rows[KILLER_MAX_COUNT];
};

/* The kernel's clock, also in tests that stand ours still: a process runs on.
 */
static int64_t
now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

void
killer_now(int pidfd)
{
    if (pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    }
}

/* Under the lock. */
static void
remove_row(struct killer *k, size_t at)
{
    fd_close(k->rows[at].pidfd);
    k->rows[at] = k->rows[--k->count];
}

/* Under the lock: kills who is due; the next time, or INT64_MAX. */
static int64_t
kill_due(struct killer *k)
{
    int64_t next_ms = INT64_MAX;
    int64_t current_ms = now_ms();

    for (size_t i = k->count; i > 0; i--) {
        const struct sentence *row = &k->rows[i - 1];

        if (row->at_ms <= current_ms) {
            killer_now(row->pidfd);
            remove_row(k, i - 1);
        } else if (row->at_ms < next_ms) {
            next_ms = row->at_ms;
        }
    }
    return next_ms;
}

static void *
killer_main(void *arg)
{
    struct killer *k = arg;

    (void)pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        int64_t next_ms = kill_due(k);

        if (next_ms == INT64_MAX) {
            (void)pthread_cond_wait(&k->changed, &k->lock);
        } else {
            const struct timespec end = {
                .tv_sec = next_ms / MS_PER_S,
                .tv_nsec = next_ms % MS_PER_S * NS_PER_MS,
            };

            (void)pthread_cond_timedwait(&k->changed, &k->lock, &end);
        }
    }
    (void)pthread_mutex_unlock(&k->lock);
    return NULL;
}

enum ag_err
killer_new(struct killer **ret)
{
    struct killer *k = calloc(1, sizeof(*k));
    pthread_condattr_t attr;

    if (k == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&k->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&k->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&k->thread, NULL, killer_main, k) != 0) {
        (void)pthread_cond_destroy(&k->changed);
        (void)pthread_mutex_destroy(&k->lock);
        free(k);
        return AG_ENOMEM;
    }
    *ret = k;
    return AG_OK;
}

void
killer_free(struct killer *k)
{
    if (k == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&k->lock);
    k->stop = true;
    (void)pthread_cond_signal(&k->changed);
    (void)pthread_mutex_unlock(&k->lock);
    (void)pthread_join(k->thread, NULL);
    while (k->count > 0) {
        killer_now(k->rows[k->count - 1].pidfd);
        remove_row(k, k->count - 1);
    }
    (void)pthread_cond_destroy(&k->changed);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

/* Under the lock; k->count when there is none. */
static size_t
find(const struct killer *k, uint64_t id)
{
    size_t i = 0;

    while (i < k->count && k->rows[i].id != id) {
        i++;
    }
    return i;
}

void
killer_later(struct killer *k, uint64_t id, int pidfd, int64_t wait_ms)
{
    int copy = pidfd < 0 ? -1 : fcntl(pidfd, F_DUPFD_CLOEXEC, 0);

    (void)pthread_mutex_lock(&k->lock);
    if (find(k, id) == k->count && copy >= 0 && k->count < KILLER_MAX_COUNT) {
        k->rows[k->count++] = (struct sentence){
            .id = id,
            .pidfd = FD_TAKE(copy),
            .at_ms = now_ms() + wait_ms,
        };
        (void)pthread_cond_signal(&k->changed);
    } else if (find(k, id) == k->count) {
        killer_now(pidfd); /* no room to wait: no task outlives its end */
    }
    (void)pthread_mutex_unlock(&k->lock);
    fd_close(copy);
}

void
killer_cancel(struct killer *k, uint64_t id)
{
    size_t at;

    (void)pthread_mutex_lock(&k->lock);
    at = find(k, id);
    if (at < k->count) {
        remove_row(k, at);
    }
    (void)pthread_mutex_unlock(&k->lock);
}
