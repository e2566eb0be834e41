/* A credential that was rotated and that its service refuses: while the old one
 * is still observed, the check at the provider says which of the two works, and
 * only that takes the rotation back. A 401 alone is a task's word: whom it calls
 * may answer what the task likes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "store/versions.h"

static struct turn *
turn_of(struct core_job *job)
{
    return (struct turn *)job; /* its first member */
}

/* Errors: AG_ENOTFOUND it is not, or no more, what was suspected. */
static enum ag_err
find(struct turn *t, struct db_tx *tx)
{
    enum ag_err err = secrets_get(db_tx_read(tx), t->secret_id, &t->secret);

    if (err == AG_OK) {
        err = rotations_open_of(db_tx_read(tx), t->secret_id, &t->row);
    }
    if (err == AG_OK) {
        err = rotation_plan_read(t->row.plan, &t->plan);
    }
    if (err != AG_OK) {
        return err;
    }
    return t->secret.removed_ms == 0 && t->row.state == ROTATION_OBSERVING &&
                   t->row.new_version == t->suspect &&
                   t->secret.current_version == t->suspect &&
                   t->plan.rotator->act != NULL
               ? AG_OK
               : AG_ENOTFOUND;
}

/* A job: that a program is given the values is on the record before it is. */
static enum ag_err
run_look(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct turn *t = turn_of(job);
    enum ag_err err = find(t, tx);

    (void)core;
    if (err == AG_OK) {
        err = turn_equip(t, tx);
    }
    if (err == AG_OK && t->asks_old) { /* `verify` asks of the new value */
        secret_free(t->new_value);
        t->new_value = AG_TAKE(t->old_value);
    }
    return err == AG_OK ? turn_note(t, tx, AUDIT_ROTATION_ACT,
                                    t->asks_old ? "recheck_old" : "recheck")
                        : err;
}

/* As by a person's rollback: the old version is current at once, and the run
 * that follows undoes the new one. */
static enum ag_err
run_back(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct turn *t = turn_of(job);
    enum ag_err err = find(t, tx);

    (void)core;
    if (err == AG_OK) {
        err = versions_rollback(tx, t->secret_id, t->row.old_version);
    }
    if (err != AG_OK) {
        return err;
    }
    turn_code(t, "refused_in_use");
    return turn_apply(t, tx, EVENT_CONFLICT);
}

static enum ag_err
write_job(struct core *core, struct turn *t,
          enum ag_err (*run)(struct core *, struct db_tx *, struct core_job *))
{
    turn_clear(t);
    t->job = (struct core_job){.run = run};
    return core_write_wait(core, &t->job);
}

static enum ag_err
ask(struct core *core, struct turn *t, bool of_old, enum rotator_outcome *ret)
{
    enum ag_err err = AG_OK;

    t->asks_old = of_old;
    err = write_job(core, t, run_look);
    if (err == AG_OK) {
        turn_act(core, t, ROTATOR_VERIFY);
        *ret = t->answer.outcome;
    }
    return err;
}

static enum ag_err
recheck(struct core *core, struct turn *t, bool *ret_back)
{
    enum rotator_outcome said = ROTATOR_UNSURE;
    enum ag_err err = ask(core, t, false, &said);

    if (err != AG_OK || said != ROTATOR_REFUSED) {
        return err;
    }
    err = ask(core, t, true, &said);
    if (err != AG_OK || said != ROTATOR_DONE) {
        return err;
    }
    err = write_job(core, t, run_back);
    *ret_back = err == AG_OK;
    return err;
}

static enum ag_err
go_on(struct core *core, const char *name)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const char *const names[] = {name};
    const struct rotate_request request = {.names = names, .name_count = 1};

    return core_rotate(core, NULL, &request, &answer);
}

enum ag_err
rotation_recheck(struct core *core, int64_t secret_id, int64_t version)
{
    struct turn *t = calloc(1, sizeof(*t));
    bool back = false;
    enum ag_err err = AG_OK;

    if (t == NULL) {
        return AG_ENOMEM;
    }
    t->secret_id = secret_id;
    t->suspect = version;
    (void)pthread_mutex_lock(&core->rotate_lock);
    (void)atomic_fetch_add(&core->rotation_turns, 1);
    err = rotation_may_go_on(core);
    if (err == AG_OK) {
        err = recheck(core, t, &back);
    }
    (void)atomic_fetch_sub(&core->rotation_turns, 1);
    (void)pthread_mutex_unlock(&core->rotate_lock);
    if (back) {
        err = go_on(core, t->secret.name);
    }
    turn_clear(t);
    free(t);
    return err == AG_ENOTFOUND ? AG_OK : err;
}
