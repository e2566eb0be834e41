/*
 * rotation_impl.h - what the halves of a rotation share: turns, whose
 * beginning and end are jobs of the writer (rotation_step.c), and the run that
 * takes them (rotation_run.c).
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_ROTATION_IMPL_H
#define AG_CORE_ROTATION_IMPL_H

#include "core/core.h"
#include "core/rotation_plan.h"
#include "rotate/program.h"
#include "rotate/steps.h"
#include "store/audit.h"
#include "store/rotations.h"
#include "store/secrets.h"

enum turn_rest {
    REST_NOT,     /* go on: with the act, or with the next turn */
    REST_ENDED,   /* the rotation is closed */
    REST_GRACE,   /* until row.due_ms: the old version may still be in use */
    REST_READERS, /* tasks hold the old version itself */
    REST_PAUSE,   /* until row.due_ms: the act failed */
};

/* One look at one secret's rotation: what is to be done is found and put on the
 * record (begin), done (act), and what came of it is kept (end). */
struct turn {
    struct core_job job;     /* the first: the jobs find the turn by it */
    const struct call *call; /* NULL: the broker itself */
    int64_t secret_id;
    bool starts; /* a rotation is begun when none is open */
    bool fresh;  /* `preparing` is this run's own, not one cut off */
    bool forced; /* asked for by name: pauses and grace are not waited for */
    bool leaked; /* nor the tasks that hold the old one */
    int64_t suspect; /* rotation_suspect.c: the version that is refused */
    bool asks_old;   /* the check is of the old value */

    /* found by begin */
    struct secret_row secret;
    struct rotation_row row;
    struct rotation_plan plan;
    enum turn_rest rest;
    bool has_act; /* act() is to be called, then end */
    int64_t readers_count;
    struct secret *old_value;
    struct secret *new_value;
    struct secret *source;
    struct program program;
    bool has_program;

    /* given to end */
    struct rotator_answer answer;
};

/* What a run would do to it, appended to `items`: nothing, if there is nothing
 * to begin by. */
AG_CHECK AG_NONNULL enum ag_err
rotation_preview(struct db_read *r, int64_t secret_id, json_t *items);

/* May a run go on? Errors: AG_ELOCKED, AG_EBUSY, each with a sentence. */
AG_CHECK AG_NONNULL enum ag_err rotation_may_go_on(struct core *core);

/* AG_EUNSUPPORTED with a sentence: the rotator needs a program, and the process
 * that starts them is gone. */
AG_CHECK AG_NONNULL enum ag_err rotation_can_act(struct core *core,
                                                 const struct rotator *rotator);

/* Is the secret of a kind that this rotator can make a value for? AG_EINVAL with
 * a sentence. */
AG_CHECK AG_NONNULL enum ag_err rotation_suits(const struct rotator *rotator,
                                               const struct secret_row *secret);

/* ---- rotator->refreshes: rotation_refresh.c ---- */

/* Is it a login whose profile says how, and has the value something to refresh
 * it with? AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err
rotation_refreshes(struct core *core, struct db_read *r,
                   const struct secret_row *secret);

/* The act. Blocks, until the refresh is over or the run is to end. */
AG_NONNULL void rotation_refresh(struct core *core, const struct turn *t,
                                 struct rotator_answer *ret);

/* At the turn's end: the secret as it is now, the new version if there is one,
 * and whether only a new login helps; the answer has its code then. */
AG_CHECK AG_NONNULL enum ag_err
rotation_refreshed(struct turn *t, struct db_tx *tx, bool *ret_needs_login);

/* What a turn has found goes; what it was told stays. */
AG_NONNULL void turn_clear(struct turn *t);

/* The row of the record that belongs to a step. */
AG_CHECK AG_NONNULL enum ag_err turn_note(struct turn *t, struct db_tx *tx,
                                          enum audit_kind kind,
                                          const char *what);

/* What an event makes of it: the next state and all that entering it does. Errors:
 * AG_ECONFLICT it can't happen now. */
AG_CHECK AG_NONNULL enum ag_err turn_apply(struct turn *t, struct db_tx *tx,
                                           enum step_event event);

AG_NONNULL void turn_code(struct turn *t, const char *code);

/* Closed without its end: what the provider knows is a person's to look at. */
AG_CHECK AG_NONNULL enum ag_err turn_abandon(struct turn *t, struct db_tx *tx,
                                             const char *code);

/* A value that may be gone, by a person's hand, is NULL then. */
AG_CHECK AG_NONNULL enum ag_err turn_value(const struct turn *t,
                                           struct db_tx *tx, int64_t number,
                                           struct secret **ret);

/* All that an act needs: both values, and the program, which is given them (and
 * so they are on the exposure ledger). */
AG_CHECK AG_NONNULL enum ag_err turn_equip(struct turn *t, struct db_tx *tx);

/* That the rule's program is to be told: on record with the step that made it so.
 * Nothing, where the rule names none. */
AG_CHECK AG_NONNULL enum ag_err turn_tell(struct turn *t, struct db_tx *tx,
                                          const char *event);

/* Tells all that waits to be told, at most ROTATION_RUN_MAX_COUNT; where another
 * thread is at it, that one does. Blocks, for the programs' limits at most; not to
 * be called under rotate_lock. */
void rotation_tell(struct core *core, const struct call *call);

/* The id of the next notice; of a vault that is locked 0. */
AG_NONNULL int64_t rotation_notices_from(struct core *core);

/* Into the items of a run that began when `from` was the next notice: "notify",
 * where something was to be told. */
AG_NONNULL void rotation_told(struct core *core, int64_t from, json_t *items);

/* Calls the rotator; t->answer says what came of it. */
AG_NONNULL void turn_act(struct core *core, struct turn *t,
                         enum rotator_act act);

/* ---- rotation_suspect.c ---- */

/* Asks the provider, and takes the rotation back if it says so. Blocks. */
AG_CHECK AG_NONNULL enum ag_err
rotation_recheck(struct core *core, int64_t secret_id, int64_t version);

/* The new value, sealed as pending; the caller gives it to the redaction set,
 * by the row of its version, as its last act. Errors: AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err turn_keep(struct turn *t, struct db_tx *tx,
                                          const struct secret *value,
                                          int64_t *ret_version_id);

/* What a rotator with make_from() makes of the current version. Errors: those of
 * make_from() and versions_value(). */
AG_CHECK AG_NONNULL enum ag_err
rotation_make_from(const struct rotator *rotator, struct db_read *r,
                   const struct secret_row *secret, struct secret **ret);

/* A rotation by the secret's rule, if it is time. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err turn_start(struct core *core, struct turn *t,
                                           struct db_tx *tx);

/* The next time that the rule says; one that was undone is tried again
 * sooner. */
AG_CHECK AG_NONNULL enum ag_err turn_set_next(struct turn *t, struct db_tx *tx,
                                              bool undone);

/* The rule of a secret that was removed, or has no current version, ends. */
AG_CHECK AG_NONNULL enum ag_err turn_drop_rule(struct turn *t,
                                               struct db_tx *tx);

/* Jobs. Errors: AG_ENOTFOUND there is nothing to begin by; those of the
 * store. */
AG_CHECK AG_NONNULL enum ag_err turn_begin(struct core *core, struct db_tx *tx,
                                           struct core_job *job);
AG_CHECK AG_NONNULL enum ag_err turn_end(struct core *core, struct db_tx *tx,
                                         struct core_job *job);

/* ---- a run ---- */

struct run {
    struct core *core;
    const struct call *call; /* NULL: the broker itself */
    const struct rotate_request *request;
    bool leaked;
    int64_t ids[ROTATION_RUN_MAX_COUNT];
    size_t count;
    int64_t notices_from; /* the first that may be this run's */
    json_t *items;
    int64_t rotated_count;
    int64_t failed_count;
    int64_t person_count;
};

/* Turn after turn until it rests; its item is added. One at a time in the
 * broker. */
AG_CHECK AG_NONNULL enum ag_err run_one(struct run *run, int64_t secret_id);

/* Once the run is over: tells what is to be told, and puts the counts into the
 * run's answer. Blocks. */
AG_CHECK AG_NONNULL enum ag_err run_sum_up(const struct run *run,
                                           json_t *answer);

#endif
