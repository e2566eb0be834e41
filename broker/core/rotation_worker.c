/* The broker's own thread for rotations (rotation.h): what is due, if the
 * settings say so, and what a service refuses. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "core/rotation_impl.h"
#include "core/state.h"

enum {
    SUSPECTS_MAX_COUNT = 32, /* secrets; more at one time are told again */
    LOOK_MS = 1000,          /* whether something is due, by the clock */
    REST_MS = 30 * 1000,     /* where cron does that: whether it still does */
    DUE_PAUSE_MS = 30 * 1000,
};

struct suspect {
    int64_t secret_id;
    int64_t version;
    bool waits;
    int64_t not_before_ms; /* steady clock */
};

struct rotation_worker {
    struct core *core;
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    bool stops;
    struct suspect suspects[SUSPECTS_MAX_COUNT];
};

/* ---- suspects ---- */

/* Under the lock: the secret's place, or one that nobody needs any more. */
static struct suspect *
place_of(struct rotation_worker *w, int64_t secret_id, int64_t now_ms)
{
    struct suspect *spare = NULL;

    for (size_t i = 0; i < AG_COUNT(w->suspects); i++) {
        struct suspect *s = &w->suspects[i];

        if (s->secret_id == secret_id) {
            return s;
        }
        if (!s->waits && s->not_before_ms <= now_ms) {
            spare = s;
        }
    }
    if (spare != NULL) {
        *spare = (struct suspect){.secret_id = secret_id};
    }
    return spare;
}

void
rotation_suspect(struct core *core, int64_t secret_id, int64_t version)
{
    struct rotation_worker *w = core->rotation_worker;
    int64_t now_ms = clock_steady_ms();
    struct suspect *s = NULL;

    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    s = place_of(w, secret_id, now_ms);
    if (s != NULL && s->not_before_ms <= now_ms) {
        s->version = version;
        s->waits = true;
        s->not_before_ms = now_ms + ROTATION_SUSPECT_MS;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

/* Under the lock. */
static bool
take_suspect(struct rotation_worker *w, struct suspect *ret)
{
    for (size_t i = 0; i < AG_COUNT(w->suspects); i++) {
        if (w->suspects[i].waits) {
            w->suspects[i].waits = false;
            *ret = w->suspects[i];
            return true;
        }
    }
    return false;
}

/* ---- the thread ---- */

static void
do_due(struct core *core)
{
    const struct rotate_request request = {.due = true};
    AG_AUTO(wjson) json_t *answer = NULL;

    /* What came of it is on the journal and the record. */
    (void)!core_rotate(core, NULL, &request, &answer);
}

/* Under the lock. */
static void
rest(struct rotation_worker *w)
{
    bool looks = core_settings_of(w->core).rotation_by_broker;
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (looks ? LOOK_MS : REST_MS) / 1000;
    (void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

static bool
is_time(struct core *core, int64_t due_ms)
{
    return core_settings_of(core).rotation_by_broker &&
           core_state(core) == VAULT_OPEN && clock_steady_ms() >= due_ms;
}

static void *
worker_main(void *arg)
{
    struct rotation_worker *w = arg;
    struct suspect suspect = {0};
    int64_t due_ms = 0;

    (void)pthread_mutex_lock(&w->lock);
    while (!w->stops) {
        bool suspects = take_suspect(w, &suspect);
        bool due = is_time(w->core, due_ms);

        if (!suspects && !due) {
            rest(w);
            continue;
        }
        (void)pthread_mutex_unlock(&w->lock);
        err_clear();
        if (suspects) {
            (void)!rotation_recheck(w->core, suspect.secret_id,
                                    suspect.version);
        } else {
            do_due(w->core);
            due_ms = clock_steady_ms() + DUE_PAUSE_MS;
        }
        (void)pthread_mutex_lock(&w->lock);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- its life ---- */

enum ag_err
core_rotation_start(struct core *core)
{
    struct rotation_worker *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    if (w == NULL) {
        return AG_ENOMEM;
    }
    w->core = core;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    w->runs = pthread_create(&w->thread, NULL, worker_main, w) == 0;
    if (!w->runs) {
        rotation_worker_free(w);
        return AG_ENOMEM;
    }
    core->rotation_worker = w;
    return AG_OK;
}

void
core_rotation_stop(struct core *core)
{
    struct rotation_worker *w = core != NULL ? core->rotation_worker : NULL;

    if (core != NULL) {
        atomic_store(&core->rotation_stops, true);
    }
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->stops = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

void
rotation_worker_free(struct rotation_worker *w)
{
    if (w != NULL) {
        if (w->runs) {
            (void)pthread_join(w->thread, NULL);
        }
        (void)pthread_cond_destroy(&w->changed);
        (void)pthread_mutex_destroy(&w->lock);
        free(w);
    }
}
