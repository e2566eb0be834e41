/* Counts of rows that repeat, onto the record (folds.h). */
#include <stdlib.h>

#include "base/clock.h"
#include "core/folds.h"
#include "core/state.h"

enum fold_row
core_fold(struct core *core, const struct call *call, enum fold_kind kind,
          const char *text)
{
    return atomic_load(&core->audit_strict)
               ? FOLD_ROW
               : folds_note(core->folds, fold_caller(call), kind, text,
                            clock_steady_ms());
}

struct folding {
    struct core_job job;
    struct fold_batch batch;
};

static const struct fold_words {
    enum audit_kind kind;
    const char *key;  /* of the text */
    const char *code; /* NULL: none */
} WORDS[FOLD_KINDS_COUNT] = {
    [FOLD_REFUSED] = {AUDIT_POLICY_DENIED, "service", "rate"},
    [FOLD_TUNNEL] = {AUDIT_TUNNEL_OPENED, "host", NULL},
    [FOLD_CALLED] = {AUDIT_HOST_CALLED, "host", NULL},
    [FOLD_HISTORY] = {AUDIT_TRIPWIRE, "owner", "ended_placeholder"},
    [FOLD_TOKEN] = {AUDIT_TOKEN_REFUSED, "refused", "rate"},
};

_Static_assert(FOLDS_TEXTS_COUNT + FOLD_KINDS_COUNT <= FOLD_BATCH_MAX_COUNT,
               "a task's counts take more than one job");

/* {code?, service | host | …?, folded, uid?}; one of several has no text. */
static json_t *
body_of(const struct fold *fold)
{
    const struct fold_words *words = &WORDS[fold->kind];

    return json_pack("{s:s*, s:s*, s:I, s:o*}", "code", words->code, words->key,
                     fold->text[0] != '\0' ? fold->text : NULL, "folded",
                     (json_int_t)fold->count, "uid",
                     fold->caller < 0
                         ? json_integer((json_int_t)(-1 - fold->caller))
                         : NULL);
}

static enum ag_err
run_folding(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct fold_batch *batch = &((const struct folding *)job)->batch;
    enum ag_err err = AG_OK;

    (void)core;
    for (size_t i = 0; i < batch->count && err == AG_OK; i++) {
        const struct fold *fold = &batch->items[i];

        err = core_note(tx, NULL, WORDS[fold->kind].kind,
                        fold->caller > 0 ? fold->caller : 0, 0, body_of(fold));
    }
    return err;
}

static void
folding_done(struct core *core, struct core_job *job)
{
    struct folding *f = (struct folding *)job;

    folds_settle(core->folds, &f->batch, job->err == AG_OK);
    free(f);
}

/* NULL: nothing is due, or there is no memory; then it stays due. */
static struct folding *
take(struct core *core, int64_t caller, int64_t now_ms)
{
    struct folding *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    f->job.run = run_folding;
    f->job.done = folding_done;
    folds_take(core->folds, caller, now_ms, &f->batch);
    if (f->batch.count == 0) {
        free(f);
        return NULL;
    }
    return f;
}

void
folds_write_due(struct core *core, int64_t now_ms)
{
    struct folding *f =
        folds_next_ms(core->folds) <= now_ms ? take(core, 0, now_ms) : NULL;

    if (f != NULL) {
        core_write(core, &f->job);
    }
}

enum ag_err
folds_write_wait(struct core *core, int64_t now_ms)
{
    struct folding *f = NULL;
    enum ag_err err = AG_OK;

    for (f = take(core, 0, now_ms); f != NULL && err == AG_OK;
         f = err == AG_OK ? take(core, 0, now_ms) : NULL) {
        err = core_write_wait(core, &f->job);
        folding_done(core, &f->job);
    }
    return err;
}

void
folds_write_task(struct core *core, int64_t task_id)
{
    struct folding *f = take(core, task_id, INT64_MAX);

    if (f != NULL) {
        core_write(core, &f->job);
    }
}
