/* The threads that call providers, and what wakes them (mint.h). */
#include "core/mint.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "core/mint_impl.h"
#include "core/state.h"

enum {
    SCAN_COUNT = 64, /* rows taken up at a time */
    STACK_BYTES = 512 * 1024,
    WHY_BYTES = STORE_WHY_BYTES,
};

/* ---- its life ---- */

enum ag_err
mints_new(struct core *core, struct mints **ret)
{
    struct mints *all = calloc(1, sizeof(*all));
    pthread_condattr_t attr;

    if (all == NULL) {
        return AG_ENOMEM;
    }
    all->core = core;
    TAILQ_INIT(&all->queue);
    TAILQ_INIT(&all->busy);
    LIST_INIT(&all->pauses);
    all->next_due_ms = INT64_MAX;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&all->lock, NULL);
    (void)pthread_cond_init(&all->work, NULL);
    (void)pthread_cond_init(&all->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = all;
    return AG_OK;
}

void
mints_stop(struct mints *all)
{
    (void)pthread_mutex_lock(&all->lock);
    all->stopping = true;
    (void)pthread_cond_broadcast(&all->work);
    (void)pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; i < all->thread_count; i++) {
        (void)pthread_join(all->threads[i], NULL);
    }
    all->thread_count = 0;
    minters_rest(true);
}

void
mints_free(struct mints *all)
{
    struct minting *m = NULL;
    struct mint_pause *pause = NULL;

    if (all == NULL) {
        return;
    }
    AG_ASSERT(all->thread_count == 0 && TAILQ_EMPTY(&all->busy));
    while ((m = TAILQ_FIRST(&all->queue)) != NULL) {
        TAILQ_REMOVE(&all->queue, m, link);
        minting_free(m);
    }
    while ((pause = LIST_FIRST(&all->pauses)) != NULL) {
        LIST_REMOVE(pause, link);
        free(pause);
    }
    (void)pthread_cond_destroy(&all->changed);
    (void)pthread_cond_destroy(&all->work);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- pauses ---- */

int64_t
mint_pause_ms(int64_t attempts)
{
    int64_t ms = MINT_PAUSE_MIN_MS;

    for (int64_t i = 1; i < attempts && ms < MINT_PAUSE_MAX_MS; i++) {
        ms *= 2;
    }
    return ms < MINT_PAUSE_MAX_MS ? ms : MINT_PAUSE_MAX_MS;
}

struct mint_pause *
mints_pause_of(struct mints *all, int64_t secret_id)
{
    struct mint_pause *pause = NULL;

    LIST_FOREACH(pause, &all->pauses, link)
    {
        if (pause->secret_id == secret_id) {
            break;
        }
    }
    return pause;
}

/* Under the lock: one that went well ends it. What failed with us when the
 * provider had been asked is a failure too, but not the end of a task. Without
 * memory there is none. */
static void
note_outcome(struct mints *all, const struct minting *m, enum ag_err err)
{
    int64_t secret_id = m->secret_id;
    struct mint_pause *pause = mints_pause_of(all, secret_id);

    if (err != AG_EMINT &&
        (err == AG_OK || err == AG_EREVOKED || !m->has_act)) {
        if (pause != NULL && err == AG_OK) {
            LIST_REMOVE(pause, link);
            free(pause);
        }
        return;
    }
    if (pause == NULL && (pause = calloc(1, sizeof(*pause))) != NULL) {
        pause->secret_id = secret_id;
        LIST_INSERT_HEAD(&all->pauses, pause, link);
    }
    if (pause != NULL) {
        pause->failures++;
        pause->until_ms = clock_steady_ms() + mint_pause_ms(pause->failures);
    }
}

/* ---- threads ---- */

static bool
is_of(const struct minting *m, int64_t task_id, int64_t secret_id)
{
    return m->kind == MINTING_MAKE && m->task_id == task_id &&
           m->secret_id == secret_id;
}

struct minting *
mints_making(struct mints *all, int64_t task_id, int64_t secret_id)
{
    struct minting *m = NULL;

    TAILQ_FOREACH(m, &all->queue, link)
    {
        if (is_of(m, task_id, secret_id)) {
            return m;
        }
    }
    TAILQ_FOREACH(m, &all->busy, link)
    {
        if (is_of(m, task_id, secret_id)) {
            return m;
        }
    }
    return NULL;
}

bool
mints_makes(struct mints *all, int64_t task_id, int64_t secret_id)
{
    bool makes = false;

    (void)pthread_mutex_lock(&all->lock);
    makes = mints_making(all, task_id, secret_id) != NULL;
    (void)pthread_mutex_unlock(&all->lock);
    return makes;
}

/* Under the lock. */
static bool
is_tended(struct mints *all, int64_t row_id)
{
    struct minting *m = NULL;

    TAILQ_FOREACH(m, &all->queue, link)
    {
        if (m->row_id == row_id) {
            return true;
        }
    }
    TAILQ_FOREACH(m, &all->busy, link)
    {
        if (m->row_id == row_id) {
            return true;
        }
    }
    return false;
}

struct minting *
minting_new(struct mints *all, enum minting_kind kind)
{
    struct minting *m = calloc(1, sizeof(*m));

    if (m != NULL) {
        m->all = all;
        m->kind = kind;
        TAILQ_INIT(&m->waits);
    }
    return m;
}

static void *threads_main(void *arg);

/* Somebody takes up what there is. */
void
mints_call_thread(struct mints *all)
{
    pthread_attr_t attr;

    if (all->idle_count > 0 || all->stopping ||
        all->thread_count == MINT_THREADS_COUNT) {
        (void)pthread_cond_signal(&all->work);
        return;
    }
    (void)pthread_attr_init(&attr);
#ifndef AG_SANITIZED /* whose frames are larger */
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
#endif
    if (pthread_create(&all->threads[all->thread_count], &attr, threads_main,
                       all) == 0) {
        all->thread_count++;
    }
    (void)pthread_attr_destroy(&attr);
}

static void
want_scan(struct mints *all)
{
    (void)pthread_mutex_lock(&all->lock);
    all->scan_wanted = true;
    mints_call_thread(all);
    (void)pthread_mutex_unlock(&all->lock);
}

/* Under the lock. False: there is no memory. */
static bool
queue_row(struct mints *all, int64_t row_id)
{
    struct minting *m = NULL;

    if (is_tended(all, row_id)) {
        return true;
    }
    m = minting_new(all, MINTING_TEND);
    if (m == NULL) {
        return false;
    }
    m->row_id = row_id;
    TAILQ_INSERT_TAIL(&all->queue, m, link);
    mints_call_thread(all);
    return true;
}

/* Rows that are due, into the queue. What can't be read, or find its place there,
 * now is looked for later. */
static void
scan(struct mints *all)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t ids[SCAN_COUNT];
    size_t count = 0;
    int64_t next_ms = INT64_MAX;
    const struct minted_when when = {clock_wall_ms(), MINT_PAUSE_MAX_MS};
    bool done =
        store_read(all->core->store, &r) == AG_OK &&
        minted_due(r, &when, ids, AG_COUNT(ids), &count, &next_ms) == AG_OK;

    db_read_close(AG_TAKE(r));
    (void)pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < count && done; i++) {
        done = queue_row(all, ids[i]);
    }
    all->next_due_ms = done ? next_ms : when.now_ms + MINT_PAUSE_MIN_MS;
    all->scanned_ms = when.now_ms;
    (void)pthread_mutex_unlock(&all->lock);
}

/* Under the lock. */
static void
tell(struct minting *m, enum ag_err err, const char *why)
{
    struct mint_wait *wait = NULL;

    while ((wait = TAILQ_FIRST(&m->waits)) != NULL) {
        TAILQ_REMOVE(&m->waits, wait, link);
        wait->on = NULL;
        wait->done(wait, err == AG_OK ? AG_OK : err_why(err, "%s", why));
    }
}

/*
 * Under the lock: when are rows looked for after this? A row that was due and is
 * as it was would be found again at once: after a failure of ours it waits for
 * the next tick, and what is still being made looks itself at its end.
 */
static void
look_again(struct mints *all, const struct minting *m, enum ag_err err)
{
    int64_t soon_ms = clock_wall_ms() + MINT_PAUSE_MIN_MS;

    if (m->kind == MINTING_TEND && err != AG_OK) {
        all->next_due_ms =
            soon_ms < all->next_due_ms ? soon_ms : all->next_due_ms;
    } else if (!m->is_idle ||
               mints_making(all, m->row.task_id, m->row.secret_id) == NULL) {
        all->scan_wanted = true;
    }
}

/* Under the lock, which is not held meanwhile. */
static void
do_one(struct mints *all, struct minting *m)
{
    char why[WHY_BYTES];
    enum ag_err err = AG_OK;

    TAILQ_REMOVE(&all->queue, m, link);
    TAILQ_INSERT_TAIL(&all->busy, m, link);
    (void)pthread_mutex_unlock(&all->lock);
    err_clear();
    err = minting_run(m);
    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    (void)pthread_mutex_lock(&all->lock);
    if (m->kind == MINTING_MAKE) {
        note_outcome(all, m, err);
    }
    TAILQ_REMOVE(&all->busy, m, link);
    tell(m, err, why);
    look_again(all, m, err);
    minting_free(m);
    (void)pthread_cond_broadcast(&all->changed);
}

static void *
threads_main(void *arg)
{
    struct mints *all = arg;

    (void)pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        struct minting *m = TAILQ_FIRST(&all->queue);

        if (m != NULL) {
            do_one(all, m);
        } else if (all->scan_wanted && !all->scanning) {
            all->scan_wanted = false;
            all->scanning = true;
            (void)pthread_mutex_unlock(&all->lock);
            scan(all);
            (void)pthread_mutex_lock(&all->lock);
            all->scanning = false;
            (void)pthread_cond_broadcast(&all->changed);
        } else {
            all->idle_count++;
            (void)pthread_cond_wait(&all->work, &all->lock);
            all->idle_count--;
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- ends ---- */

static enum ag_err
run_wake(struct core *core, struct db_tx *tx, struct core_job *job)
{
    (void)core;
    (void)tx;
    (void)job;
    return AG_OK; /* its done() comes after the commit */
}

static void
wake_done(struct core *core, struct core_job *job)
{
    (void)job;
    atomic_store(&core->mints->wake_waits, false);
    want_scan(core->mints);
}

enum ag_err
mints_end_task(struct core *core, struct db_tx *tx, int64_t id)
{
    struct mints *all = core->mints;
    int64_t ids[SCAN_COUNT];
    size_t count = SCAN_COUNT;
    int64_t last = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && count == SCAN_COUNT) {
        err = minted_open_of_task(db_tx_read(tx), id, last, ids, AG_COUNT(ids),
                                  &count);
        for (size_t i = 0; err == AG_OK && i < count; i++) {
            AG_AUTO(minted_row) struct minted_row row = {0};

            last = ids[i];
            err = minted_get(db_tx_read(tx), ids[i], &row);
            row.state = MINTED_REVOKING;
            row.due_ms = 0;
            row.attempts = 0;
            err = err == AG_OK ? minted_write(tx, &row) : err;
        }
    }
    if (err == AG_OK && last != 0 && !atomic_exchange(&all->wake_waits, true)) {
        all->wake = (struct core_job){.run = run_wake, .done = wake_done};
        core_write(core, &all->wake);
    }
    return err;
}

void
mints_open(struct mints *all)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct minted_counts counts = {0};

    if (store_read(all->core->store, &r) != AG_OK ||
        minted_count(r, 0, &counts) != AG_OK || counts.open > 0) {
        atomic_store(&all->is_used, true);
        want_scan(all);
    }
}

void
mints_tick(struct mints *all)
{
    bool due = false;

    if (!atomic_load(&all->is_used)) {
        return;
    }
    minters_rest(false);
    (void)pthread_mutex_lock(&all->lock);
    due = clock_wall_ms() >= all->next_due_ms ||
          clock_wall_ms() < all->scanned_ms; /* it was set back */
    (void)pthread_mutex_unlock(&all->lock);
    if (due) {
        want_scan(all);
    }
}

/* Under the lock. */
static bool
is_settled(struct mints *all, int64_t row_id)
{
    if (all->scan_wanted || all->scanning) {
        return false;
    }
    return row_id != 0 ? !is_tended(all, row_id)
                       : TAILQ_EMPTY(&all->queue) && TAILQ_EMPTY(&all->busy);
}

void
mints_settle(struct mints *all, int64_t row_id)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += MINT_DRAIN_MS / 1000;
    want_scan(all);
    (void)pthread_mutex_lock(&all->lock);
    while (!is_settled(all, row_id)) {
        if (pthread_cond_timedwait(&all->changed, &all->lock, &until) != 0) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&all->lock);
}

void
mints_drain(struct mints *all)
{
    if (atomic_load(&all->is_used)) {
        mints_settle(all, 0);
        minters_rest(true);
    }
}
