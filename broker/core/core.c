#include "core/core.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/paths.h"
#include "core/holds.h"
#include "core/incident_impl.h"
#include "core/issue.h"
#include "core/mint.h"
#include "core/redaction.h"
#include "core/refresh.h"
#include "core/rotation.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/vault.h"
#include "store/wraps.h"

enum {
    TICK_MAX_MS = 60 * 1000, /* housekeeping at least this often */
    SWEEP_AGAIN_MS = 1000,   /* after what could not be written */
    SWEEP_LOOK_MS = 20, /* while it is being written: has it come to an end? */
    SWEEP_WRAPS_COUNT = 256, /* wiped in one job */
};

/* ---- life ---- */

static void
rebuild(void *arg)
{
    core_reload(arg);
}

static enum ag_err
open_store(struct core *core)
{
    enum ag_err err = store_exists(core->parts.paths->home);

    if (err == AG_ENOVAULT) {
        atomic_init(&core->state, VAULT_ABSENT);
        return AG_OK;
    }
    if (err == AG_OK) {
        err = store_open(core->parts.paths->home, &core->store);
    }
    if (err != AG_OK) {
        return err;
    }
    store_on_rebuild(core->store, rebuild, core);
    store_on_gone(core->store, redaction_gone, core);
    atomic_init(&core->state, VAULT_LOCKED);
    return AG_OK;
}

static enum ag_err
make_tables(struct core *core)
{
    enum ag_err err = live_new(&core->live);

    if (err == AG_OK) {
        err = shelf_new(&core->shelf);
    }
    if (err == AG_OK) {
        err = recent_new(&core->recent);
    }
    if (err == AG_OK) {
        err = running_new(&core->running);
    }
    if (err == AG_OK) {
        err = late_new(&core->late);
    }
    if (err == AG_OK) {
        err = sessions_new(&core->sessions);
    }
    if (err == AG_OK) {
        err = tree_new(&core->tree);
    }
    if (err == AG_OK) {
        err = folds_new(&core->folds);
    }
    if (err == AG_OK) {
        err = refresher_new(core, &core->refresher);
    }
    if (err == AG_OK) {
        err = holds_new(&core->holds);
    }
    if (err == AG_OK) {
        err = responder_new(core, &core->responder);
    }
    if (err == AG_OK) {
        err = mints_new(core, &core->mints);
    }
    if (err == AG_OK) {
        err = trust_new(core);
    }
    return err == AG_OK ? tickets_new(&core->tickets) : err;
}

enum ag_err
core_new(const struct core_parts *parts, const struct core_settings *settings,
         struct core **ret)
{
    struct core *core = calloc(1, sizeof(*core));
    enum ag_err err = AG_OK;

    if (core == NULL) {
        return AG_ENOMEM;
    }
    wjson_setup();
    core->parts = *parts;
    core->own_uid = geteuid();
    core->started_ms = clock_wall_ms();
    if (pthread_mutex_init(&core->settings_lock, NULL) != 0 ||
        pthread_mutex_init(&core->vault_lock, NULL) != 0 ||
        pthread_mutex_init(&core->set_lock, NULL) != 0 ||
        pthread_mutex_init(&core->rotate_lock, NULL) != 0 ||
        pthread_mutex_init(&core->tell_lock, NULL) != 0) {
        free(core);
        return AG_ENOMEM;
    }
    core_set_settings(core, settings);
    err = make_tables(core);
    if (err == AG_OK) {
        err = open_store(core);
    }
    if (err == AG_OK && parts->rotates) {
        err = core_rotation_start(core);
    }
    if (err != AG_OK) {
        core_free(core);
        return err;
    }
    *ret = core;
    return AG_OK;
}

void
core_free(struct core *core)
{
    if (core == NULL) {
        return;
    }
    core_rotation_stop(core);
    rotation_worker_free(AG_TAKE(core->rotation_worker));
    if (core->store != NULL) {
        vault_lock_idle(core);
    }
    responder_free(core->responder);
    if (core->refresher != NULL) {
        refresher_stop(core->refresher);
    }
    if (core->mints != NULL) {
        mints_stop(core->mints);
    }
    store_close(core->store);
    mints_free(core->mints);
    refresher_free(core->refresher);
    free(core->trusted);
    core_set_keyring(core, NULL);
    keyring_free(core->retired);
    tickets_free(core->tickets);
    folds_free(core->folds);
    tree_free(core->tree);
    sessions_free(core->sessions);
    running_free(core->running);
    late_free(core->late);
    shelf_free(core->shelf);
    recent_free(core->recent);
    live_free(core->live);
    holds_free(core->holds);
    (void)pthread_mutex_destroy(&core->tell_lock);
    (void)pthread_mutex_destroy(&core->rotate_lock);
    (void)pthread_mutex_destroy(&core->set_lock);
    (void)pthread_mutex_destroy(&core->vault_lock);
    (void)pthread_mutex_destroy(&core->settings_lock);
    free(core);
}

enum vault_state
core_state(struct core *core)
{
    return atomic_load(&core->state);
}

void
core_set_settings(struct core *core, const struct core_settings *settings)
{
    (void)pthread_mutex_lock(&core->settings_lock);
    core->settings = *settings;
    atomic_store(&core->audit_strict, settings->audit_strict);
    (void)pthread_mutex_unlock(&core->settings_lock);
}

void
core_reload(struct core *core)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t ids[TREE_TASKS_MAX_COUNT];
    size_t count = 0;

    /* A table that can't be read again refuses everything, which is right. */
    if (store_read(core->store, &r) != AG_OK || trust_load(core, r) != AG_OK ||
        holds_load(core->holds, r) != AG_OK || issue_load(core, r) != AG_OK) {
        live_clear(core->live);
    }
    /* A task that was told its end has none, though the rows may not say so. */
    count = running_ending(core->running, ids, AG_COUNT(ids));
    for (size_t i = 0; i < count; i++) {
        live_revoke_task(core->live, ids[i]);
    }
}

void
core_cut_task(struct core *core, int64_t id, const char *reason)
{
    (void)running_tell(core->running, id, reason);
    live_revoke_task(core->live, id);
}

/* ---- jobs ---- */

static enum ag_err
run_job(struct db_tx *tx, void *arg)
{
    struct core_job *job = arg;

    return job->run(job->core, tx, job);
}

static void
job_done(void *arg, enum ag_err err)
{
    struct core_job *job = arg;

    job->err = err;
    job->done(job->core, job);
}

void
core_write(struct core *core, struct core_job *job)
{
    enum ag_err err = AG_ENOVAULT;

    job->core = core;
    job->store_job =
        (struct store_job){.run = run_job, .done = job_done, .arg = job};
    if (core->store != NULL) {
        err = store_submit(core->store, &job->store_job);
    }
    if (err != AG_OK) {
        job_done(job, err);
    }
}

enum ag_err
core_write_wait(struct core *core, struct core_job *job)
{
    job->core = core;
    job->err =
        core->store != NULL ? store_do(core->store, run_job, job) : AG_ENOVAULT;
    return job->err;
}

/* ---- housekeeping ---- */

struct sweep {
    struct core_job job;
    uint64_t late; /* how far those of late.h were written */
    size_t count;
    int64_t ids[TREE_TASKS_MAX_COUNT];
};

static enum ag_err
run_sweep(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct sweep *s = (struct sweep *)job;
    uint64_t wiped = 0;
    enum ag_err err = late_write(core, tx, &s->late);

    for (size_t i = 0; i < s->count && err == AG_OK; i++) {
        err = core_end_task(core, tx, s->ids[i], END_EXPIRED, -1);
    }
    if (err == AG_OK) {
        err = wraps_expire(tx, db_tx_now_ms(tx), SWEEP_WRAPS_COUNT, &wiped);
    }
    return err == AG_OK && wiped > 0
               ? core_note(tx, NULL, AUDIT_UNWRAPPED, 0, 0,
                           json_pack("{s:s, s:I}", "outcome", "expired",
                                     "wiped", (json_int_t)wiped))
               : err;
}

/* Those that never had a line have nobody to tell: they are forgotten here. What
 * could not be written (a full disk) is tried again, after a pause. */
static void
sweep_done(struct core *core, struct core_job *job)
{
    struct sweep *s = (struct sweep *)job;
    bool done = job->err == AG_OK;

    if (done) {
        late_written(core->late, s->late);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (running_is_attached(core->running, s->ids[i])) {
            continue; /* it was told; its line's end is another try */
        }
        if (!done) {
            late_add(core->late, s->ids[i], END_EXPIRED, -1);
        }
        running_remove(core->running, s->ids[i]);
        tree_remove(core->tree, s->ids[i]);
    }
    free(s);
    atomic_store(&core->sweep_after_ms,
                 done ? 0 : clock_steady_ms() + SWEEP_AGAIN_MS);
}

static void
expire_tasks(struct core *core)
{
    int64_t now_ms = clock_steady_ms();
    struct sweep *s = now_ms >= atomic_load(&core->sweep_after_ms)
                          ? calloc(1, sizeof(*s))
                          : NULL;

    if (s == NULL) {
        return; /* a later tick tries again */
    }
    s->job.run = run_sweep;
    s->job.done = sweep_done;
    s->count = running_expired(core->running, clock_wall_ms(), now_ms, s->ids,
                               AG_COUNT(s->ids));
    /* Wraps are looked at once a minute; an idle broker writes nothing. */
    if (s->count == 0 && !late_any(core->late) &&
        now_ms - core->swept_ms < TICK_MAX_MS) {
        free(s);
        return;
    }
    core->swept_ms = now_ms;
    atomic_store(&core->sweep_after_ms, INT64_MAX); /* one at a time */
    core_write(core, &s->job);
}

/* No tick is due before: one that comes is in vain. */
static int64_t
sweep_after_ms(struct core *core, int64_t now_ms)
{
    int64_t after_ms = atomic_load(&core->sweep_after_ms);

    return after_ms == INT64_MAX ? now_ms + SWEEP_LOOK_MS : after_ms;
}

void
core_used(struct core *core)
{
    atomic_store(&core->busy_ms, clock_steady_ms());
}

static bool
is_idle(struct core *core, const struct core_settings *settings)
{
    int64_t id = 0;

    return settings->idle_lock_ms > 0 &&
           running_ids(core->running, &id, 1) == 0 &&
           atomic_load(&core->rotation_turns) == 0 &&
           clock_steady_ms() - atomic_load(&core->busy_ms) >=
               settings->idle_lock_ms;
}

void
core_tick(struct core *core, int64_t *ret_next_ms)
{
    const struct core_settings settings = core_settings_of(core);
    int64_t now_ms = clock_steady_ms();
    int64_t next_ms = now_ms + TICK_MAX_MS;
    int64_t task_ms = 0;
    int64_t after_ms = 0;
    int64_t fold_ms = 0;

    *ret_next_ms = next_ms;
    if (core_need_open(core) != AG_OK) {
        return;
    }
    if (is_idle(core, &settings)) {
        vault_lock_idle(core);
        return;
    }
    expire_tasks(core);
    folds_write_due(core, now_ms);
    refresher_tick(core->refresher);
    mints_tick(core->mints);
    live_sweep(core->live, clock_wall_ms());
    task_ms = late_any(core->late)
                  ? now_ms
                  : running_next_ms(core->running, clock_wall_ms(), now_ms);
    after_ms = sweep_after_ms(core, now_ms);
    task_ms = task_ms > after_ms ? task_ms : after_ms;
    fold_ms = folds_next_ms(core->folds);
    if (settings.idle_lock_ms > 0 &&
        atomic_load(&core->busy_ms) + settings.idle_lock_ms < next_ms) {
        next_ms = atomic_load(&core->busy_ms) + settings.idle_lock_ms;
    }
    next_ms = task_ms < next_ms ? task_ms : next_ms;
    next_ms = fold_ms < next_ms ? fold_ms : next_ms;
    *ret_next_ms = next_ms > now_ms ? next_ms : now_ms + 1;
}

void
core_filter_died(struct core *core)
{
    int64_t ids[TREE_TASKS_MAX_COUNT];
    size_t count = running_ids(core->running, ids, AG_COUNT(ids));

    for (size_t i = 0; i < count; i++) {
        core_cut_task(core, ids[i], "filter");
    }
}
