/* A program on record is told what came of a rotation: names and numbers, no
 * value. What becomes of the program changes nothing of the rotation. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "privsep/runner.h"

static const char ACT[] = "notify";

struct telling {
    struct core_job job;
    const struct turn *turn;
    const char *program; /* its name on record */
    const char *event;
    const char *code; /* why it failed; "" it did not */
};

/* NULL: nothing that is worth telling. Three failures are told when they are
 * three, and not at every look after that. */
static const char *
event_of(const struct turn *t, bool promoted)
{
    switch (t->row.state) {
    case ROTATION_ABANDONED:
        return "needs_person";
    case ROTATION_UNDONE:
        return "undone";
    case ROTATION_RETIRING:
    case ROTATION_UNDOING:
        if (t->has_act && t->row.attempts == STEP_TRIES_COUNT) {
            return "needs_person";
        }
        break;
    case ROTATION_PREPARING:
    case ROTATION_PREPARED:
    case ROTATION_VERIFIED:
    case ROTATION_OBSERVING:
    case ROTATION_DONE:
        break;
    }
    return promoted ? "rotated" : NULL;
}

/* As it stands in the row: the turn may have ended before it was read. */
static enum ag_err
plan_of(const struct turn *t, struct rotation_plan *ret)
{
    return t->row.plan != NULL ? rotation_plan_read(t->row.plan, ret)
                               : AG_ENOTFOUND;
}

static enum ag_err
write_input(const struct telling *o, const struct rotation_plan *plan,
            struct buf *out)
{
    const struct rotation_row *row = &o->turn->row;
    char id[24];
    AG_AUTO(wjson) json_t *input = NULL;

    (void)snprintf(id, sizeof(id), "%lld", (long long)row->id);
    input = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "event", o->event,
                      "secret", o->turn->secret.name, "rotation", id, "rotator",
                      plan->rotator->name, "old_version",
                      (json_int_t)row->old_version, "new_version",
                      (json_int_t)row->new_version, "code", row->code);
    return input != NULL ? wjson_dump(input, out) : AG_ENOMEM;
}

static enum ag_err
find_program(struct core *core, const char *name, struct program *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(core->store, &r);

    return err == AG_OK ? program_find(r, name, ret) : err;
}

/* What it says is of no interest; that it ends well is. */
static const char *
code_of(const struct runner_result *result)
{
    if (result->cut_off) {
        return "cut_off";
    }
    if (result->timed_out) {
        return "timeout";
    }
    return result->status == 0  ? ""
           : result->status > 0 ? "exit_code"
                                : "killed";
}

static const char *
start(struct core *core, const struct telling *o,
      const struct rotation_plan *plan)
{
    AG_AUTO(buf) struct buf input = {0};
    AG_AUTO(buf) struct buf output = {0};
    struct program program;
    struct runner_result result = {0};
    struct runner_job job = {
        .act = ACT, .old_fd = -1, .new_fd = -1, .out_fd = -1};
    enum ag_err err = rotation_may_go_on(core);

    buf_init(&input, RUNNER_INPUT_MAX_BYTES, BUF_PLAIN);
    buf_init(&output, RUNNER_OUTPUT_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK) {
        err = core->parts.runner != NULL
                  ? find_program(core, o->program, &program)
                  : AG_EUNSUPPORTED;
    }
    if (err == AG_OK) {
        err = write_input(o, plan, &input);
    }
    if (err == AG_OK) {
        job.path = program.path;
        job.hash = program.hash;
        job.limit_ms = program.limit_ms;
        job.input = buf_view(&input);
        err = runner_run(core->parts.runner, &job, &result, &output);
    }
    return err == AG_OK ? code_of(&result) : err_code(err);
}

static enum ag_err
run_telling(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct telling *o = (const struct telling *)job;
    const struct turn *t = o->turn;

    (void)core;
    return core_note(tx, t->call, AUDIT_ROTATION_TOLD, 0, t->secret.id,
                     json_pack("{s:I, s:s, s:s, s:s, s:s}", "rotation",
                               (json_int_t)t->row.id, "name", t->secret.name,
                               "what", o->event, "program", o->program, "code",
                               o->code));
}

void
rotation_tell(struct core *core, const struct turn *t, bool promoted,
              const char **ret)
{
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    struct telling o = {
        .job.run = run_telling, .turn = t, .event = event_of(t, promoted)};

    *ret = NULL;
    if (o.event == NULL || plan_of(t, &plan) != AG_OK || plan.notify == NULL) {
        return;
    }
    o.program = plan.notify;
    /* As a turn: who locks the vault waits for it, and stops the program. */
    (void)atomic_fetch_add(&core->rotation_turns, 1);
    o.code = start(core, &o, &plan);
    *ret = core_write_wait(core, &o.job) == AG_OK && o.code[0] == '\0'
               ? "done"
               : "failed";
    (void)atomic_fetch_sub(&core->rotation_turns, 1);
}
