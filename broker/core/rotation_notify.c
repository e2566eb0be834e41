/* A program on record is told what came of a rotation: names and numbers, no
 * value. What is to be told is on record with the step that made it so, and
 * until it was told; what becomes of the program changes nothing of the
 * rotation. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "privsep/runner.h"
#include "store/notices.h"

static const char ACT[] = "notify";

/* ---- what is to be told ---- */

static enum ag_err
write_input(const struct turn *t, const struct rotation_plan *plan,
            const char *event, char **ret)
{
    char id[24];
    AG_AUTO(wjson) json_t *input = NULL;

    (void)snprintf(id, sizeof(id), "%lld", (long long)t->row.id);
    input = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "event", event,
                      "secret", t->secret.name, "rotation", id, "rotator",
                      plan->rotator->name, "old_version",
                      (json_int_t)t->row.old_version, "new_version",
                      (json_int_t)t->row.new_version, "code", t->row.code);
    return input != NULL ? core_dump(input, ret) : AG_ENOMEM;
}

enum ag_err
turn_tell(struct turn *t, struct db_tx *tx, const char *event)
{
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    AG_AUTO(notice_row)
    struct notice_row notice = {.secret_id = t->secret.id,
                                .rotation_id = t->row.id};
    /* As it stands in the row: the turn may end before the plan is read. */
    enum ag_err err = rotation_plan_read(t->row.plan, &plan);

    if (err != AG_OK || plan.notify == NULL) {
        return err;
    }
    (void)snprintf(notice.program, sizeof(notice.program), "%s", plan.notify);
    (void)snprintf(notice.event, sizeof(notice.event), "%s", event);
    err = write_input(t, &plan, event, &notice.input);
    return err == AG_OK ? notices_write(tx, &notice) : err;
}

/* ---- telling it ---- */

struct telling {
    struct core_job job;
    const struct call *call;
    struct notice_row notice;
};

/* What it says is of no interest; that it ends well is. */
static const char *
code_of(const struct runner_result *result)
{
    if (result->timed_out) {
        return "timeout";
    }
    return result->status == 0  ? ""
           : result->status > 0 ? "exit_code"
                                : "killed";
}

static enum ag_err
find_next(struct core *core, struct telling *o, struct program *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = notices_waiting(r, &o->notice);
    }
    return err == AG_OK ? program_find(r, o->notice.program, ret) : err;
}

/* Is it told, well or not? Else it waits for the next run: the broker stops, the
 * vault is being locked, or no program can be started. */
static bool
start(struct core *core, struct telling *o, const struct program *program)
{
    AG_AUTO(buf) struct buf output = {0};
    struct runner_result result = {0};
    const struct runner_job job = {.act = ACT,
                                   .old_fd = -1,
                                   .new_fd = -1,
                                   .out_fd = -1,
                                   .path = program->path,
                                   .hash = program->hash,
                                   .limit_ms = program->limit_ms,
                                   .input = span_str(o->notice.input)};
    enum ag_err err = AG_OK;

    buf_init(&output, RUNNER_OUTPUT_MAX_BYTES, BUF_WIPE);
    err = runner_run(core->parts.runner, &job, &result, &output);
    (void)snprintf(o->notice.code, sizeof(o->notice.code), "%s",
                   err == AG_OK ? code_of(&result) : err_code(err));
    return err == AG_OK ? !result.cut_off
                        : rotation_may_go_on(core) == AG_OK &&
                              runner_is_alive(core->parts.runner);
}

static enum ag_err
run_told(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct telling *o = (struct telling *)job;
    const struct notice_row *n = &o->notice;
    AG_AUTO(wjson) json_t *input = NULL;
    enum ag_err err =
        wjson_parse(span_str(n->input), NOTICE_INPUT_MAX_BYTES, &input);

    (void)core;
    o->notice.told_ms = db_tx_now_ms(tx);
    if (err == AG_OK) {
        err = notices_write(tx, &o->notice);
    }
    return err == AG_OK
               ? core_note(tx, o->call, AUDIT_ROTATION_TOLD, 0, n->secret_id,
                           json_pack("{s:I, s:O, s:s, s:s, s:s}", "rotation",
                                     (json_int_t)n->rotation_id, "name",
                                     json_object_get(input, "secret"), "what",
                                     n->event, "program", n->program, "code",
                                     n->code))
               : err;
}

/* The oldest that waits. Errors: AG_ENOTFOUND none does; another: it is not to be
 * told now. */
static enum ag_err
tell_next(struct core *core, const struct call *call)
{
    struct telling o = {.job.run = run_told, .call = call};
    struct program program;
    bool told = true;
    enum ag_err err =
        core->parts.runner != NULL ? rotation_may_go_on(core) : AG_EUNSUPPORTED;

    if (err == AG_OK) {
        err = find_next(core, &o, &program);
    }
    if (err == AG_OK) {
        told = start(core, &o, &program);
    } else if (err == AG_ENOTFOUND && o.notice.id != 0) {
        (void)snprintf(o.notice.code, sizeof(o.notice.code), "%s",
                       err_code(err)); /* no such program any more */
        err = AG_OK;
    }
    if (err == AG_OK) {
        err = told ? core_write_wait(core, &o.job) : AG_EBUSY;
    }
    notice_row_done(&o.notice);
    return err;
}

static bool
one_waits(struct core *core)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(notice_row) struct notice_row notice = {0};
    enum ag_err err = store_read(core->store, &r);

    return err == AG_OK && notices_waiting(r, &notice) == AG_OK;
}

/* Who tells has the lock. Another's notices are told by him: he looks once more
 * after he gave it back. */
void
rotation_tell(struct core *core, const struct call *call)
{
    enum ag_err err = AG_ENOTFOUND;

    while (err == AG_ENOTFOUND && one_waits(core) &&
           pthread_mutex_trylock(&core->tell_lock) == 0) {
        err = AG_OK;
        for (int i = 0; err == AG_OK && i < ROTATION_RUN_MAX_COUNT; i++) {
            /* As a turn: who locks the vault waits for it, and stops the
             * program. */
            (void)atomic_fetch_add(&core->rotation_turns, 1);
            err = tell_next(core, call);
            (void)atomic_fetch_sub(&core->rotation_turns, 1);
        }
        (void)pthread_mutex_unlock(&core->tell_lock);
    }
}

/* ---- what a run's items say of it ---- */

static const char *
word_of(const struct notice_row *notice)
{
    if (notice->told_ms == 0) {
        return "waiting";
    }
    return notice->code[0] == '\0' ? "done" : "failed";
}

int64_t
rotation_notices_from(struct core *core)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t from = 0;
    enum ag_err err = store_read(core->store, &r);

    return err == AG_OK && notices_next_id(r, &from) == AG_OK ? from : 0;
}

void
rotation_told(struct core *core, int64_t from, json_t *items)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    json_t *item = NULL;
    size_t index = 0;
    enum ag_err err = store_read(core->store, &r);

    json_array_foreach(items, index, item)
    {
        AG_AUTO(notice_row) struct notice_row notice = {0};
        int64_t id = json_integer_value(json_object_get(item, "rotation"));

        if (err == AG_OK && notices_of(r, id, from, &notice) == AG_OK) {
            (void)json_object_set_new(item, "notify",
                                      json_string(word_of(&notice)));
        }
    }
}
