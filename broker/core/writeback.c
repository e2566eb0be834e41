/* A file that a tool rewrote (intake.h, intake_write_back). */
#include <stdio.h>

#include "base/secret.h"
#include "core/intake.h"
#include "core/redaction.h"
#include "core/stamp.h"
#include "core/state.h"
#include "profile/conflict.h"
#include "store/exposure.h"
#include "store/leases.h"
#include "store/versions.h"

struct write_back {
    struct core_job job;
    int64_t task_id;
    size_t index;
    struct delivery delivery;
    const struct secret *content;
    struct secret *undone; /* what `content` is then, of a proxied file */
    struct take_result result;
};

/*
 * Another identity is kept but never becomes current by itself: a task could
 * slip the person a login of somebody else's. At grade proxy nothing does: the
 * broker refreshes that login, so what a tool wrote is a login of the task's own
 * making, and neither its account nor its time is more than the task's word.
 */
static bool
becomes_current(const struct write_back *w, enum conflict_winner winner)
{
    return winner == WINNER_INCOMING && w->delivery.verb != VERB_PROXY;
}

static const char *
outcome_word(const struct write_back *w, enum conflict_winner winner)
{
    switch (winner) {
    case WINNER_SAME:
        return "same";
    case WINNER_INCOMING:
        return becomes_current(w, winner) ? "current"
                                          : "retained: made by the task";
    case WINNER_CURRENT:
        return "retained";
    case WINNER_OTHER_LOGIN:
        return "retained: another login";
    }
    return "";
}

/* What the task began with stays, however often it rewrites the file: the
 * login that a person can go back to, and that its output is searched for. */
static enum ag_err
store_version(struct db_tx *tx, const struct write_back *w,
              enum conflict_winner winner, struct version_row *added)
{
    const struct version_new add = {.secret_id = w->delivery.secret_id,
                                    .value = w->content,
                                    .state = becomes_current(w, winner)
                                                 ? VERSION_CURRENT
                                                 : VERSION_RETAINED,
                                    .if_version = -1,
                                    .spare = w->delivery.version,
                                    .maker = MAKER_TASK,
                                    .task_id = w->task_id};

    return versions_add(tx, &add, added);
}

/* The task has seen the new version: it made it. */
static enum ag_err
follow(struct db_tx *tx, const struct write_back *w,
       const struct version_row *added)
{
    AG_AUTO(lease_row) struct lease_row lease = {0};
    const struct exposure_row seen = {.secret_id = w->delivery.secret_id,
                                      .version = added->number,
                                      .task_id = w->task_id,
                                      .verb = VERB_FILE};
    enum ag_err err = exposure_note(tx, &seen, NULL);

    if (err != AG_OK || w->delivery.lease_id == 0) {
        return err;
    }
    err = leases_get(db_tx_read(tx), w->delivery.lease_id, &lease);
    /* Ended by hand: the credential still must not be lost. */
    if (err == AG_OK && lease.ended_ms == 0) {
        lease.version = added->number;
        err = leases_update(tx, &lease);
    }
    return err;
}

static enum ag_err
decide(struct db_read *r, const struct write_back *w,
       struct version_row *current, enum conflict_winner *ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err err =
        versions_value(r, w->delivery.secret_id, 0, current, &value);

    if (err != AG_OK) {
        return err;
    }
    return conflict_decide(w->delivery.profile, w->delivery.file_index, value,
                           w->content, ret);
}

/* At grade proxy the file was given with placeholders: in their stead are the
 * values that the vault has. A file without a value of its own is what we gave,
 * however it was written: nothing comes of it. */
static enum ag_err
undo_stamp(struct core *core, struct db_read *r, struct write_back *w,
           bool *ret_new)
{
    const struct stamp stamp = {w->task_id, w->index, &w->delivery};
    enum ag_err err = AG_OK;

    *ret_new = true;
    if (w->delivery.verb != VERB_PROXY) {
        return AG_OK;
    }
    err = stamp_undo(core, r, &stamp, w->content, ret_new, &w->undone);
    if (err == AG_OK && *ret_new) {
        w->content = w->undone;
        w->result.replace = true;
        err = redaction_fits(w->content);
    }
    return err;
}

static enum ag_err
run_write_back(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct write_back *w = (struct write_back *)job;
    bool is_new = true;
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct version_row current = {0};
    struct version_row added = {0};
    enum conflict_winner winner = WINNER_SAME;
    enum ag_err err = secrets_get(db_tx_read(tx), w->delivery.secret_id, &row);

    if (err == AG_OK) {
        err = undo_stamp(core, db_tx_read(tx), w, &is_new);
    }
    if (err == AG_OK && is_new) {
        err = decide(db_tx_read(tx), w, &current, &winner);
    }
    if (err != AG_OK) {
        return err;
    }
    if (!is_new) {
        w->result.version = w->delivery.version;
        return AG_OK;
    }
    w->result.version = current.number;
    if (winner == WINNER_SAME) {
        return AG_OK;
    }
    err = store_version(tx, w, winner, &added);
    if (err == AG_OK) {
        err = follow(tx, w, &added);
    }
    if (err == AG_OK) {
        err = core_note(tx, NULL, AUDIT_WRITE_BACK, w->task_id, row.id,
                        json_pack("{s:s, s:I, s:s}", "name", row.name,
                                  "version", (json_int_t)added.number,
                                  "outcome", outcome_word(w, winner)));
    }
    if (err == AG_OK) {
        err = redaction_add(core, &row, added.id, w->content);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(w->result.name, sizeof(w->result.name), "%s", row.name);
    w->result.version = added.number;
    w->result.changed = true;
    w->result.retained = !becomes_current(w, winner);
    return AG_OK;
}

enum ag_err
intake_write_back(struct core *core, const struct ticket *ticket,
                  const struct secret *content, struct take_result *ret)
{
    struct write_back w = {.job.run = run_write_back,
                           .task_id = ticket->task_id,
                           .index = (size_t)ticket->subject_id,
                           .content = content};
    enum ag_err err =
        running_delivery(core->running, w.task_id, w.index, &w.delivery);

    if (err == AG_OK && secret_len(content) == 0) {
        return err_why(AG_EFILE, "the tool left the file empty; the version in "
                                 "the vault stays");
    }
    if (err == AG_OK) {
        err = redaction_fits(content);
    }
    if (err == AG_OK) {
        err = core_write_wait(core, &w.job);
    }
    if (err == AG_OK) {
        *ret = w.result;
    }
    secret_free(w.undone);
    return err;
}
