/* A run: which secrets, and turn after turn for each until it rests. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/redaction.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "store/versions.h"

enum {
    TURNS_MAX_COUNT = 24, /* of one secret in one run: a rotation has eight */
    AGAIN_PAUSE_MS = 300, /* before a check that was put off is tried again */
};

/* ---- which ---- */

static enum ag_err
add_named(struct run *run, struct db_read *r, const char *name)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    AG_AUTO(rotation_row) struct rotation_row open = {0};
    enum ag_err err = secret_named(r, span_str(name), &secret);

    if (err == AG_OK) {
        err = rotations_open_of(r, secret.id, &open);
        err =
            err == AG_ENOTFOUND ? rotation_rules_of(r, secret.id, &rule) : err;
        err = err == AG_ENOTFOUND
                  ? err_why(err,
                            "%s has no rule of rotation; see: auth-guard "
                            "rotate rule set",
                            name)
                  : err;
    }
    for (size_t i = 0; i < run->count; i++) {
        if (run->ids[i] == secret.id) {
            return err; /* named twice */
        }
    }
    if (err == AG_OK) {
        run->ids[run->count++] = secret.id;
    }
    return err;
}

/* Those under way first: what waits at a provider comes before what is new. */
static enum ag_err
add_due(struct run *run, struct db_read *r)
{
    int64_t now_ms = run->call != NULL ? run->call->now_ms : clock_wall_ms();
    size_t more = 0;
    enum ag_err err =
        rotations_due(r, now_ms, run->ids, ROTATION_RUN_MAX_COUNT, &run->count);

    if (err == AG_OK && run->count < ROTATION_RUN_MAX_COUNT) {
        err = rotation_rules_due(r, now_ms, run->ids + run->count,
                                 ROTATION_RUN_MAX_COUNT - run->count, &more);
        run->count += more;
    }
    return err;
}

static enum ag_err
find(struct run *run)
{
    const struct rotate_request *q = run->request;
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = AG_OK;

    if (q->due == (q->name_count > 0) ||
        q->name_count > ROTATION_NAMES_MAX_COUNT) {
        return err_why(AG_EINVAL, "say one: names (up to %d), or due",
                       ROTATION_NAMES_MAX_COUNT);
    }
    err = store_read(run->core->store, &r);
    if (err == AG_OK && q->due) {
        return add_due(run, r);
    }
    for (size_t i = 0; err == AG_OK && i < q->name_count; i++) {
        err = add_named(run, r, q->names[i]);
    }
    return err;
}

/* ---- what came of it ---- */

static const char *
result_of(struct run *run, const struct turn *t, bool promoted)
{
    switch (t->row.state) {
    case ROTATION_DONE:
        run->rotated_count += promoted ? 1 : 0;
        return "done";
    case ROTATION_OBSERVING:
        run->rotated_count += promoted ? 1 : 0;
        return promoted ? "rotated" : "waiting";
    case ROTATION_ABANDONED:
        run->person_count++;
        return "needs_person";
    case ROTATION_RETIRING:
    case ROTATION_UNDOING:
        if (t->row.attempts >= STEP_TRIES_COUNT) {
            run->person_count++;
            return "needs_person";
        }
        break;
    case ROTATION_PREPARING:
    case ROTATION_PREPARED:
    case ROTATION_VERIFIED:
    case ROTATION_UNDONE:
        break;
    }
    run->failed_count++;
    return "failed";
}

static const char *
waits_for(const struct turn *t)
{
    switch (t->rest) {
    case REST_GRACE:
        return "grace";
    case REST_READERS:
        return "tasks";
    case REST_PAUSE:
        return "retry";
    case REST_NOT:
    case REST_ENDED:
        break;
    }
    return NULL;
}

static enum ag_err
add_item(struct run *run, const struct turn *t, bool promoted, enum ag_err why)
{
    AG_AUTO(wjson) json_t *item = NULL;
    const char *result = NULL;
    const char *code = t->row.code;
    enum ag_err err = AG_OK;

    if (why != AG_OK) {
        run->failed_count++;
        result = "failed";
        code = err_code(why);
    } else {
        result = result_of(run, t, promoted);
    }
    item = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s*, s:I, s:s*}", "secret",
        t->secret.name, "result", result, "rotation", (json_int_t)t->row.id,
        "state", t->row.id != 0 ? rotation_state_text(t->row.state) : "none",
        "code", code, "old_version", (json_int_t)t->row.old_version,
        "new_version", (json_int_t)t->row.new_version, "attempts",
        (json_int_t)t->row.attempts, "waits_for", waits_for(t), "tasks",
        (json_int_t)t->readers_count, "rotator",
        t->plan.rotator != NULL ? t->plan.rotator->name : NULL);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(
        item, "until",
        t->rest == REST_GRACE || t->rest == REST_PAUSE ? t->row.due_ms : 0);
    return err == AG_OK && json_array_append_new(run->items, AG_TAKE(item)) != 0
               ? AG_ENOMEM
               : err;
}

/* ---- turns ---- */

/* The act has no need of the values any more. */
static void
forget_values(void *ctx)
{
    struct turn *t = ctx;

    secret_free(AG_TAKE(t->old_value));
    secret_free(AG_TAKE(t->new_value));
}

void
turn_act(struct core *core, struct turn *t, enum rotator_act act)
{
    const struct rotator_call call = {
        .act = act,
        .rotation_id = t->row.id,
        .started_ms = t->row.created_ms,
        .secret_name = t->secret.name,
        .params = t->plan.params,
        .old_value = t->old_value,
        .new_value = t->new_value,
        .source = t->source,
        .forget = forget_values,
        .forget_ctx = t,
        .runner = core->parts.runner,
        .upstream = core->parts.upstream,
        .program = t->has_program ? &t->program : NULL,
    };
    enum ag_err err = t->plan.rotator->act(&call, &t->answer);

    if (err != AG_OK) {
        rotator_answer_done(&t->answer);
        t->answer = (struct rotator_answer){.outcome = ROTATOR_UNSURE};
        (void)snprintf(t->answer.code, sizeof(t->answer.code), "%s",
                       err_code(err));
    }
}

/* What the next turn is to know of the one before. */
static void
turn_on(struct turn *t)
{
    turn_clear(t);
    t->starts = false;
}

static enum ag_err
take_turn(struct run *run, struct turn *t)
{
    enum rotation_state before = ROTATION_PREPARING;
    enum ag_err err = rotation_may_go_on(run->core);

    if (err != AG_OK) {
        return err;
    }
    /* Before a version is anybody's to take, the filter knows its value. */
    err = redaction_commit(run->core);
    if (err == AG_OK) {
        t->job = (struct core_job){.run = turn_begin};
        err = core_write_wait(run->core, &t->job);
    }
    if (err != AG_OK || !t->has_act) {
        return err;
    }
    before = t->row.state;
    if (t->plan.rotator->refreshes) {
        rotation_refresh(run->core, t, &t->answer);
    } else {
        turn_act(run->core, t, step_rotator_act(step_act_of(before)));
    }
    t->fresh = false;
    t->job = (struct core_job){.run = turn_end};
    err = core_write_wait(run->core, &t->job);
    if (err == AG_OK && t->row.state == before) {
        if (t->row.due_ms != 0) {
            t->rest = REST_PAUSE;
        } else {
            (void)poll(NULL, 0, AGAIN_PAUSE_MS);
        }
    }
    return err;
}

/* By this turn. */
static bool
is_promoted(const struct turn *t)
{
    if (t->row.state == ROTATION_DONE) {
        return t->plan.rotator->refreshes;
    }
    return t->rest == REST_NOT && t->row.state == ROTATION_OBSERVING;
}

/* Not of this secret alone. */
static bool
ends_run(struct core *core, enum ag_err err)
{
    return err == AG_ELOCKED || err == AG_EUNSUPPORTED || err == AG_EFILTER ||
           (err == AG_EBUSY && atomic_load(&core->rotation_stops));
}

static enum ag_err
take_turns(struct run *run, struct turn *t)
{
    bool promoted = false;
    enum ag_err err = AG_OK;

    for (int i = 0; i < TURNS_MAX_COUNT; i++) {
        if (i > 0) {
            turn_on(t);
        }
        /* Counted first, looked after that: rotation_drain() does it the other
         * way round. */
        (void)atomic_fetch_add(&run->core->rotation_turns, 1);
        err = take_turn(run, t);
        (void)atomic_fetch_sub(&run->core->rotation_turns, 1);
        promoted = promoted || (err == AG_OK && is_promoted(t));
        if (err != AG_OK || t->rest != REST_NOT) {
            break;
        }
    }
    if (t->row.id == 0 && (err == AG_ENOTFOUND || err == AG_OK)) {
        err = AG_OK; /* there is nothing (left) to begin by */
    } else if (!ends_run(run->core, err)) {
        err = add_item(run, t, promoted, err);
    }
    return err;
}

enum ag_err
run_one(struct run *run, int64_t secret_id)
{
    struct turn *t = calloc(1, sizeof(*t));
    enum ag_err err = AG_OK;

    if (t == NULL) {
        return AG_ENOMEM;
    }
    t->call = run->call;
    t->secret_id = secret_id;
    t->starts = true;
    t->forced = !run->request->due;
    t->leaked = run->leaked;
    (void)pthread_mutex_lock(&run->core->rotate_lock);
    err = take_turns(run, t);
    (void)pthread_mutex_unlock(&run->core->rotate_lock);
    turn_clear(t);
    free(t);
    return err;
}

static enum ag_err
preview(struct run *run)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(run->core->store, &r);

    for (size_t i = 0; err == AG_OK && i < run->count; i++) {
        err = rotation_preview(r, run->ids[i], run->items);
    }
    return err;
}

static enum ag_err
run_all(struct run *run)
{
    enum ag_err err = find(run);

    if (err == AG_OK && run->request->dry_run) {
        return preview(run);
    }
    for (size_t i = 0; err == AG_OK && i < run->count; i++) {
        err = run_one(run, run->ids[i]);
    }
    return err;
}

enum ag_err
run_sum_up(const struct run *run, json_t *answer)
{
    bool more = run->request->due && run->count == ROTATION_RUN_MAX_COUNT;

    if (!run->request->dry_run) {
        rotation_tell(run->core, run->call);
        rotation_told(run->core, run->notices_from, run->items);
    }
    return json_object_set_new(answer, "rotated",
                               json_integer(run->rotated_count)) == 0 &&
                   json_object_set_new(answer, "failed",
                                       json_integer(run->failed_count)) == 0 &&
                   json_object_set_new(answer, "needs_person",
                                       json_integer(run->person_count)) == 0 &&
                   json_object_set_new(answer, "more", json_boolean(more)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

enum ag_err
core_rotate(struct core *core, const struct call *call,
            const struct rotate_request *request, json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "items");
    struct run run = {.core = core,
                      .call = call,
                      .request = request,
                      .notices_from = rotation_notices_from(core),
                      .items = json_object_get(answer, "items")};
    enum ag_err err = answer != NULL ? run_all(&run) : AG_ENOMEM;

    if (err == AG_OK) {
        err = run_sum_up(&run, answer);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
