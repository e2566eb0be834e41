#include "core/tripwire.h"

#include <string.h>

#include "base/clock.h"
#include "core/incident.h"
#include "core/redaction.h"
#include "core/state.h"

enum {
    NAMES_MAX_COUNT = 128, /* rows of one report (privsep/filter.h) */
};

struct trip {
    struct core_job job;
    int64_t task_id;
    int64_t hits;
};

static enum ag_err
run_trip(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct trip *t = (const struct trip *)job;
    enum ag_err err =
        core_note(tx, NULL, AUDIT_TRIPWIRE, t->task_id, 0,
                  json_pack("{s:I}", "foreign_hits", (json_int_t)t->hits));

    if (err == AG_OK) {
        err = incident_tripped(tx, t->task_id, "foreign_hits", "redact");
    }
    return err == AG_OK ? core_end_task(core, tx, t->task_id, END_ALARM, -1)
                        : err;
}

enum ag_err
tripwire_ask(struct core *core, int64_t task_id)
{
    enum ag_err err = running_ask(core->running, task_id, clock_steady_ms(),
                                  TRIPWIRE_ASKS_MAX_COUNT, TRIPWIRE_WINDOW_MS);

    return err == AG_ERATE
               ? err_why(AG_ERATE, "a task may ask for %d redactions a second",
                         TRIPWIRE_ASKS_MAX_COUNT)
               : err;
}

void
tripwire_count(struct core *core, int64_t task_id, const json_t *counts)
{
    struct named_hits hits[NAMES_MAX_COUNT];
    struct trip trip = {.job.run = run_trip, .task_id = task_id};
    const char *name = NULL;
    json_t *count = NULL;
    size_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
    {
        /* 256 bits are not guessed; its own stands in a task's environment. What
         * only looks like a secret is none of the vault's. */
        if (n < AG_COUNT(hits) && strcmp(name, REDACTION_TOKEN_NAME) != 0 &&
            strncmp(name, "rule:", 5) != 0) {
            hits[n++] = (struct named_hits){name, json_integer_value(count)};
        }
    }
    trip.hits = running_foreign(core->running, task_id, hits, n);
    if (trip.hits > TRIPWIRE_HITS_MAX_COUNT) {
        live_revoke_task(core->live, task_id);
        if (core_write_wait(core, &trip.job) != AG_OK) {
            core_cut_task(core, task_id, end_reason_text(END_ALARM));
        }
    }
}
