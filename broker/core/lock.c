/* From open to locked (vault.h): tasks end, then the keys go. */
#include <time.h>

#include "base/clock.h"
#include "core/folds.h"
#include "core/mint.h"
#include "core/refresh.h"
#include "core/rotation.h"
#include "core/state.h"
#include "core/vault.h"
#include "core/vault_impl.h"
#include "privsep/filter.h"

enum {
    LOCK_WAIT_MS = 1000, /* for tasks to be gone (P9) */
    LOCK_POLL_MS = 10,
};

void
vault_close_keys(struct core *core)
{
    (void)!filter_wipe(core->parts.filter); /* gone with the filter otherwise */
    store_lock(core->store);
    core_set_keyring(core, NULL);
    shelf_close(core->shelf);
    live_clear(core->live);
}

struct end_all {
    struct core_job job;
    const struct call *call;
    enum end_reason reason;
    enum audit_kind kind; /* what is put on the record beside it */
    uint64_t late;
};

static enum ag_err
run_end_all(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct end_all *e = (struct end_all *)job;
    int64_t ids[TREE_TASKS_MAX_COUNT];
    size_t count = running_ids(core->running, ids, AG_COUNT(ids));
    enum ag_err err = late_write(core, tx, &e->late);

    for (size_t i = 0; i < count && err == AG_OK; i++) {
        err = core_end_task(core, tx, ids[i], e->reason, -1);
    }
    return err == AG_OK ? core_note(tx, e->call, e->kind, 0, 0, json_object())
                        : err;
}

enum ag_err
vault_end_all(struct core *core, const struct call *call,
              enum end_reason reason, enum audit_kind kind)
{
    struct end_all e = {
        .job.run = run_end_all, .call = call, .reason = reason, .kind = kind};
    int64_t id = 0;
    int64_t until_ms = clock_steady_ms() + LOCK_WAIT_MS;
    enum ag_err counted = folds_write_wait(core, INT64_MAX);
    enum ag_err err = core_write_wait(core, &e.job);

    if (err == AG_OK) {
        late_written(core->late, e.late);
    }
    while (running_ids(core->running, &id, 1) > 0 &&
           clock_steady_ms() < until_ms) {
        const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

        (void)nanosleep(&pause, NULL);
    }
    return err == AG_OK ? counted : err;
}

static enum ag_err
lock(struct core *core, const struct call *call)
{
    enum ag_err err = AG_OK;

    if (atomic_load(&core->state) != VAULT_OPEN) {
        return AG_OK;
    }
    /* Nothing new begins; what runs is ended while the record is open. */
    atomic_store(&core->state, VAULT_LOCKED);
    sessions_forget(core->sessions);
    err = vault_end_all(core, call, END_LOCKED, AUDIT_VAULT_LOCKED);
    /* What a provider was asked for is not to be forgotten either. */
    rotation_drain(core);
    /* A login's new tokens are not to be lost for want of a key. */
    refresher_drain(core->refresher);
    mints_drain(core->mints);
    tickets_drop_all(core->tickets);
    tree_clear(core->tree);
    vault_close_keys(core);
    return err;
}

enum ag_err
vault_lock(struct core *core, const struct call *call)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->vault_lock);
    err = lock(core, call);
    (void)pthread_mutex_unlock(&core->vault_lock);
    return err;
}

void
vault_lock_idle(struct core *core)
{
    (void)pthread_mutex_lock(&core->vault_lock);
    (void)!lock(core, NULL); /* locked in every case; the row may be missing */
    (void)pthread_mutex_unlock(&core->vault_lock);
}
