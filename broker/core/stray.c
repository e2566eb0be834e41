#include "core/stray.h"

#include <stdio.h>

#include "base/clock.h"
#include "core/incident.h"
#include "core/permit.h"
#include "core/permit_impl.h"
#include "core/proxied.h"
#include "core/state.h"

/* One number for each task: what becomes of it is the task's matter. */
struct found {
    size_t count;
    uint64_t ids[STRAY_TASKS_MAX_COUNT];
};

static enum ag_err
on_hit(void *arg, uint64_t id)
{
    struct found *f = arg;

    for (size_t i = 0; i < f->count; i++) {
        if (proxied_id_task(f->ids[i]) == proxied_id_task(id)) {
            return AG_OK;
        }
    }
    if (f->count < STRAY_TASKS_MAX_COUNT) {
        f->ids[f->count++] = id;
    }
    return AG_OK;
}

static enum ag_err
find(struct core *core, struct span text, struct found *ret)
{
    AG_AUTO(permit_scan) struct permit_scan *scan = NULL;
    enum ag_err err = permit_scan_new(core, on_hit, ret, &scan);

    if (err == AG_OK) {
        err = permit_scan_feed(scan, text);
    }
    return err == AG_OK ? permit_scan_finish(scan) : err;
}

/* ---- the record ---- */

struct sighting {
    struct core_job job;
    const struct call *call;
    const char *where;
    enum ag_err what; /* AG_EFOREIGN it runs, AG_EENDED */
    int64_t owner;
};

static enum ag_err
run_sighting(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct sighting *s = (const struct sighting *)job;
    int64_t caller = s->call->who == CALLER_TASK ? s->call->task_id : 0;
    enum ag_err err =
        core_note(tx, s->call, AUDIT_TRIPWIRE, caller, 0,
                  json_pack("{s:s, s:s, s:I}", "code", err_code(s->what),
                            "found", s->where, "owner", (json_int_t)s->owner));

    if (err == AG_OK && s->what == AG_EFOREIGN) {
        err = incident_tripped(tx, s->owner, err_code(s->what), s->where);
    }
    return err == AG_OK && s->what == AG_EFOREIGN
               ? core_end_task(core, tx, s->owner, END_ALARM, -1)
               : err;
}

/* Without a record it is ended all the same. */
static enum ag_err
note(struct core *core, struct sighting *s)
{
    enum ag_err err;

    s->job.run = run_sighting;
    if (s->what == AG_EFOREIGN) {
        live_revoke_task(core->live, s->owner);
    }
    err = core_write_wait(core, &s->job);
    if (err != AG_OK && s->what == AG_EFOREIGN) {
        core_cut_task(core, s->owner, end_reason_text(END_ALARM));
    }
    return err;
}

/* Whose it is; `what` is AG_OK when nobody's. */
static enum ag_err
identify(struct core *core, const struct call *call, uint64_t id,
         struct sighting *ret)
{
    enum ag_err what = permit_owner(core, call, id);

    *ret = (struct sighting){
        .call = call, .what = what, .owner = proxied_id_task(id)};
    return what == AG_OK || what == AG_EPLACE || what == AG_EFOREIGN ||
                   what == AG_EENDED
               ? AG_OK
               : what;
}

enum ag_err
stray_on_disk(struct core *core, const struct call *call, struct span text,
              json_t **ret)
{
    struct found found = {.count = 0};
    json_t *rows = json_array();
    json_t *answer = NULL;
    enum ag_err err = rows == NULL ? AG_ENOMEM : find(core, text, &found);

    for (size_t i = 0; err == AG_OK && i < found.count; i++) {
        struct sighting s;

        err = identify(core, call, found.ids[i], &s);
        if (err != AG_OK || s.what == AG_OK) {
            continue;
        }
        s.where = "disk";
        err = note(core, &s);
        if (err == AG_OK &&
            json_array_append_new(
                rows, json_pack("{s:I, s:b}", "task", (json_int_t)s.owner,
                                "running", (int)(s.what == AG_EFOREIGN))) !=
                0) {
            err = AG_ENOMEM;
        }
    }
    answer = json_pack("{s:o}", "placeholders", rows);
    if (err != AG_OK || answer == NULL) {
        json_decref(answer);
        return err != AG_OK ? err : AG_ENOMEM;
    }
    *ret = answer;
    return AG_OK;
}

/* The same text may be shown again and again. */
static bool
has_row(struct core *core, const struct sighting *s)
{
    char owner[FOLD_TEXT_BYTES];

    (void)snprintf(owner, sizeof(owner), "%lld", (long long)s->owner);
    return folds_note(core->folds, fold_caller(s->call), FOLD_HISTORY, owner,
                      clock_steady_ms()) != FOLD_COUNTED;
}

enum ag_err
stray_in_redact(struct core *core, const struct call *call, struct span text)
{
    struct found found = {.count = 0};
    enum ag_err err = find(core, text, &found);

    for (size_t i = 0; err == AG_OK && i < found.count; i++) {
        struct sighting s;

        err = identify(core, call, found.ids[i], &s);
        if (err == AG_OK &&
            ((s.what == AG_EENDED && has_row(core, &s)) ||
             (s.what == AG_EFOREIGN && call->who == CALLER_TASK))) {
            s.where = "redact";
            err = note(core, &s);
        }
    }
    return err;
}
