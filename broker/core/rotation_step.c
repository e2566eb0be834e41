/* The writer's half of a rotation: each job is one step of the journal, with
 * its row of the record. What comes of an act: rotation_end.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/redaction.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "store/exposure.h"
#include "store/versions.h"

static struct turn *
turn_of(struct core_job *job)
{
    return (struct turn *)job;
}

void
turn_clear(struct turn *t)
{
    secret_row_done(&t->secret);
    rotation_row_done(&t->row);
    rotation_plan_done(&t->plan);
    secret_free(AG_TAKE(t->old_value));
    secret_free(AG_TAKE(t->new_value));
    secret_free(AG_TAKE(t->source));
    rotator_answer_done(&t->answer);
    t->secret = (struct secret_row){0};
    t->row = (struct rotation_row){0};
    t->plan = (struct rotation_plan){0};
    t->answer = (struct rotator_answer){0};
    t->rest = REST_NOT;
    t->has_act = false;
    t->has_program = false;
    t->readers_count = 0;
}

enum ag_err
turn_note(struct turn *t, struct db_tx *tx, enum audit_kind kind,
          const char *what)
{
    return core_note(
        tx, t->call, kind, 0, t->secret.id,
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "rotation",
                  (json_int_t)t->row.id, "name", t->secret.name, "what", what,
                  "state", rotation_state_text(t->row.state), "code",
                  t->row.code, "old_version", (json_int_t)t->row.old_version,
                  "new_version", (json_int_t)t->row.new_version, "attempts",
                  (json_int_t)t->row.attempts));
}

/* ---- steps ---- */

/* What entering a state does to the versions. */
static enum ag_err
enter(struct turn *t, struct db_tx *tx)
{
    enum ag_err err = AG_OK;

    switch (t->row.state) {
    case ROTATION_OBSERVING:
        err = versions_promote(tx, t->secret.id, t->row.new_version);
        t->row.due_ms = db_tx_now_ms(tx) + t->plan.grace_ms;
        return err == AG_OK ? turn_set_next(t, tx, false) : err;
    case ROTATION_DONE:
        if (t->plan.rotator->refreshes) {
            return turn_set_next(t, tx, false); /* kept as of any refresh */
        }
        return versions_destroy(tx, t->secret.id, t->row.old_version);
    case ROTATION_UNDONE:
        if (t->row.new_version != 0) {
            err = versions_destroy(tx, t->secret.id, t->row.new_version);
        }
        return err == AG_OK ? turn_set_next(t, tx, true) : err;
    case ROTATION_PREPARING:
    case ROTATION_PREPARED:
    case ROTATION_VERIFIED:
    case ROTATION_RETIRING:
    case ROTATION_UNDOING:
    case ROTATION_ABANDONED:
        break;
    }
    return AG_OK;
}

/* What is worth telling; NULL: nothing. Three failures are told when they are
 * three, and not at every look after that. */
static const char *
told_of(const struct turn *t, bool again)
{
    switch (t->row.state) {
    case ROTATION_OBSERVING:
        return again ? NULL : "rotated";
    case ROTATION_DONE:
        return t->plan.rotator->refreshes ? "rotated" : NULL;
    case ROTATION_UNDONE:
        return "undone";
    case ROTATION_RETIRING:
    case ROTATION_UNDOING:
        return again && t->row.attempts == STEP_TRIES_COUNT ? "needs_person"
                                                            : NULL;
    case ROTATION_PREPARING:
    case ROTATION_PREPARED:
    case ROTATION_VERIFIED:
    case ROTATION_ABANDONED: /* turn_abandon() */
        break;
    }
    return NULL;
}

/* After an act that failed: later, but a check at once, since until it is
 * decided the provider may know the new value alone. */
static void
set_pause(struct turn *t, struct db_tx *tx)
{
    t->row.due_ms = t->row.state == ROTATION_PREPARED
                        ? 0
                        : db_tx_now_ms(tx) + step_pause_ms(t->row.attempts);
}

enum ag_err
turn_apply(struct turn *t, struct db_tx *tx, enum step_event event)
{
    const struct step_facts facts = {t->row.new_version != 0, t->row.attempts};
    struct step step = {.again = false};
    const char *event_told = NULL;
    enum ag_err err = step_next(t->row.state, event, &facts, &step);

    if (err != AG_OK) {
        return err;
    }
    t->row.due_ms = 0;
    if (step.again) {
        set_pause(t, tx);
    } else {
        t->row.state = step.state;
        t->row.attempts = 0;
        err = enter(t, tx);
    }
    if (err == AG_OK) {
        err = rotations_write(tx, &t->row);
    }
    event_told = told_of(t, step.again);
    if (err == AG_OK && event_told != NULL) {
        err = turn_tell(t, tx, event_told);
    }
    if (err != AG_OK) {
        return err;
    }
    if (!step_is_open(t->row.state)) {
        t->rest = REST_ENDED;
    }
    return turn_note(t, tx,
                     step_is_open(t->row.state) ? AUDIT_ROTATION_STEP
                                                : AUDIT_ROTATION_ENDED,
                     step_event_text(event));
}

void
turn_code(struct turn *t, const char *code)
{
    (void)snprintf(t->row.code, sizeof(t->row.code), "%s", code);
}

/* Closed without its end: what the provider knows is a person's to look at. */
enum ag_err
turn_abandon(struct turn *t, struct db_tx *tx, const char *code)
{
    enum ag_err err = AG_OK;

    turn_code(t, code);
    t->row.state = ROTATION_ABANDONED;
    t->row.due_ms = 0;
    t->rest = REST_ENDED;
    err = rotations_write(tx, &t->row);
    if (err == AG_OK) {
        err = turn_tell(t, tx, "needs_person");
    }
    return err == AG_OK ? turn_note(t, tx, AUDIT_ROTATION_ENDED, "abandoned")
                        : err;
}

/* ---- an act of the rotator's ---- */

/* A value that may be gone, by a person's hand, is NULL then. */
enum ag_err
turn_value(const struct turn *t, struct db_tx *tx, int64_t number,
           struct secret **ret)
{
    enum ag_err err = number == 0 ? AG_ENOTFOUND
                                  : versions_value(db_tx_read(tx), t->secret.id,
                                                   number, NULL, ret);

    return err == AG_ENOTFOUND ? AG_OK : err;
}

/* On the exposure ledger: a program was given the value itself. */
static enum ag_err
note_exposed(const struct turn *t, struct db_tx *tx, int64_t number,
             const struct secret *value)
{
    const struct exposure_row seen = {
        .secret_id = t->secret.id, .version = number, .verb = VERB_FILE};

    return value != NULL ? exposure_note(tx, &seen, NULL) : AG_OK;
}

static enum ag_err
find_program(struct turn *t, struct db_tx *tx)
{
    const char *name = t->plan.rotator->program_name(t->plan.params);
    enum ag_err err = program_find(db_tx_read(tx), name, &t->program);

    t->has_program = err == AG_OK;
    if (err == AG_OK) {
        err = note_exposed(t, tx, t->row.old_version, t->old_value);
    }
    if (err == AG_OK) {
        err = note_exposed(t, tx, t->row.new_version, t->new_value);
    }
    return err == AG_ENOTFOUND ? AG_OK : err; /* the act says so */
}

static enum ag_err
find_source(struct turn *t, struct db_tx *tx)
{
    enum ag_err err = value_by_reference(
        t->job.core, db_tx_read(tx),
        json_string_value(json_object_get(t->plan.params, "source")),
        &t->source);

    return err == AG_ENOTFOUND ? AG_OK : err; /* the act says so */
}

enum ag_err
turn_equip(struct turn *t, struct db_tx *tx)
{
    enum ag_err err = rotation_can_act(t->job.core, t->plan.rotator);
    bool reads = !t->plan.rotator->refreshes;

    if (err == AG_OK && reads) {
        err = turn_value(t, tx, t->row.old_version, &t->old_value);
    }
    if (err == AG_OK && reads) {
        err = turn_value(t, tx, t->row.new_version, &t->new_value);
    }
    if (err == AG_OK && json_object_get(t->plan.params, "source") != NULL) {
        err = find_source(t, tx);
    }
    return err == AG_OK && t->plan.rotator->program_name != NULL
               ? find_program(t, tx)
               : err;
}

/* That it is tried is durable before it is. */
static enum ag_err
prepare_act(struct turn *t, struct db_tx *tx, enum step_act act)
{
    enum ag_err err = turn_equip(t, tx);

    t->row.attempts++;
    if (err == AG_OK) {
        err = rotations_write(tx, &t->row);
    }
    t->has_act = true;
    return err == AG_OK
               ? turn_note(t, tx, AUDIT_ROTATION_ACT, step_act_text(act))
               : err;
}

/* ---- a turn's beginning ---- */

static bool
is_early(const struct turn *t, struct db_tx *tx)
{
    return !t->forced && t->row.due_ms > db_tx_now_ms(tx);
}

/* Grace is over, and no task has the old value in its hands. */
static enum ag_err
observe(struct turn *t, struct db_tx *tx)
{
    bool was_over = t->row.attempts > 0; /* the pause is for readers */
    enum ag_err err = AG_OK;

    if (t->leaked) {
        return turn_apply(t, tx, EVENT_DONE);
    }
    if (t->row.due_ms > db_tx_now_ms(tx) && !(was_over && t->forced)) {
        t->rest = was_over ? REST_READERS : REST_GRACE;
        return AG_OK;
    }
    err = rotations_readers(db_tx_read(tx), t->secret.id, t->row.old_version,
                            &t->readers_count);
    if (err != AG_OK || t->readers_count == 0) {
        return err == AG_OK ? turn_apply(t, tx, EVENT_DONE) : err;
    }
    t->rest = REST_READERS;
    t->row.attempts++;
    return turn_apply(t, tx, EVENT_LATER);
}

static enum ag_err
act_or_skip(struct turn *t, struct db_tx *tx, enum step_act act)
{
    if ((act == STEP_RETIRE || act == STEP_UNDO) && is_early(t, tx)) {
        t->rest = REST_PAUSE;
        return AG_OK;
    }
    return t->plan.rotator->act == NULL ? turn_apply(t, tx, EVENT_DONE)
                                        : prepare_act(t, tx, act);
}

/* Cut off or not, it is asked for again: was it answered already, another
 * version is current, or the service says that its token was used. */
static enum ag_err
refresh(struct turn *t, struct db_tx *tx, bool is_old)
{
    if (is_old) {
        return prepare_act(t, tx, STEP_PREPARE);
    }
    t->row.new_version = t->secret.current_version;
    turn_code(t, "changed_meanwhile");
    return turn_apply(t, tx, EVENT_REPLACED);
}

static enum ag_err
take_step(struct turn *t, struct db_tx *tx)
{
    enum step_act act = step_act_of(t->row.state);
    bool is_old = t->secret.current_version == t->row.old_version;

    switch (act) {
    case STEP_PREPARE:
        if (t->plan.rotator->refreshes) {
            return refresh(t, tx, is_old);
        }
        if (!t->fresh) {
            turn_code(t, "cut_off");
            return turn_apply(t, tx, EVENT_UNSURE);
        }
        return act_or_skip(t, tx, act);
    case STEP_VERIFY:
    case STEP_UNDO:
        return act_or_skip(t, tx, act);
    case STEP_PROMOTE:
        if (!is_old) {
            turn_code(t, "changed_meanwhile");
        }
        return turn_apply(t, tx, is_old ? EVENT_DONE : EVENT_CONFLICT);
    case STEP_OBSERVE:
    case STEP_RETIRE:
        if (is_old && act == STEP_RETIRE && t->row.attempts > 0) {
            return turn_abandon(t, tx, "rolled_back"); /* it may work no more */
        }
        if (is_old) {
            turn_code(t, "rolled_back");
            return turn_apply(t, tx, EVENT_CONFLICT);
        }
        return act == STEP_OBSERVE ? observe(t, tx) : act_or_skip(t, tx, act);
    case STEP_NONE:
        break;
    }
    return AG_EINTERNAL;
}

/* It was last changed at a time that is yet to come: the clock was wrong, and
 * so is the time that it waits for. A grace begins anew. */
static enum ag_err
mend_clock(struct turn *t, struct db_tx *tx)
{
    int64_t now_ms = db_tx_now_ms(tx);
    enum ag_err err = AG_OK;

    if (t->row.changed_ms <= now_ms) {
        return AG_OK;
    }
    t->row.due_ms = 0;
    if (t->row.state == ROTATION_OBSERVING) {
        t->row.due_ms = now_ms + t->plan.grace_ms;
        t->row.attempts = 0;
    }
    err = rotations_write(tx, &t->row);
    return err == AG_OK ? turn_note(t, tx, AUDIT_ROTATION_STEP, "clock") : err;
}

enum ag_err
turn_begin(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct turn *t = turn_of(job);
    enum ag_err err = secrets_get(db_tx_read(tx), t->secret_id, &t->secret);

    if (err == AG_OK) {
        err = rotations_open_of(db_tx_read(tx), t->secret_id, &t->row);
    }
    if (err == AG_ENOTFOUND && t->starts) {
        return t->secret.current_version != 0 ? turn_start(core, t, tx)
                                              : turn_drop_rule(t, tx);
    }
    if (err != AG_OK) {
        return err;
    }
    if (t->secret.removed_ms != 0 || t->secret.current_version == 0) {
        return turn_abandon(t, tx, "secret_gone");
    }
    if (t->row.state == ROTATION_UNDOING &&
        t->secret.current_version == t->row.new_version) {
        return turn_abandon(t, tx,
                            "made_current"); /* it is in use: not undone */
    }
    err = rotation_plan_read(t->row.plan, &t->plan);
    if (err == AG_OK) {
        err = mend_clock(t, tx);
    }
    return err == AG_OK ? take_step(t, tx) : err;
}
