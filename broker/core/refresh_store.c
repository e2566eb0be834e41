/* What is known of a login, and the outcome of a refresh on its way into the
 * vault. */
#include <stdio.h>

#include <sodium.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/redaction.h"
#include "core/refresh_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "profile/fields.h"

/* ---- the mark: this version was refused for good ---- */

bool
refresh_is_needed(const struct secret_row *row, const json_t *detail,
                  const char **ret_code)
{
    const json_t *mark = json_object_get(detail, "login");
    const char *code = json_string_value(json_object_get(mark, "code"));

    if (code == NULL || json_integer_value(json_object_get(mark, "version")) !=
                            row->current_version) {
        return false;
    }
    *ret_code = code;
    return true;
}

static enum ag_err
set_mark(struct db_tx *tx, struct secret_row *row, const char *code)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(detail, "login",
                            json_pack("{s:I, s:s}", "version",
                                      (json_int_t)row->current_version, "code",
                                      code)) != 0) {
        return AG_ENOMEM;
    }
    err = detail_set_secret(row, detail);
    return err == AG_OK ? secrets_update(tx, row) : err;
}

/* ---- facts ---- */

const struct profile_refresh *
login_way(struct core *core, const struct secret_row *row,
          enum file_format *ret_format)
{
    /* Also of one that is not trusted: that it is not is told when it would be
     * refreshed (trip_start()), rather than sending an old token. */
    const struct profile *profile = value_named(core, row);
    const struct profile_file *file =
        profile != NULL ? value_file(row, profile) : NULL;

    *ret_format = file != NULL ? file->format : FORMAT_JSON;
    return profile != NULL ? profile->refresh : NULL;
}

/* Some time before the end, and not all logins at one time; of a short life a
 * quarter, so that a fresh token is not due at once. */
static int64_t
due_before(const struct profile_refresh *way, int64_t life_ms)
{
    int64_t lead_ms = way->lead_s * 1000;

    lead_ms = life_ms / 4 < lead_ms ? life_ms / 4 : lead_ms;
    return lead_ms <= 0
               ? 0
               : lead_ms + randombytes_uniform((uint32_t)(lead_ms / 8 + 1));
}

static enum ag_err
read_facts(struct core *core, struct db_read *r, const struct secret_row *row,
           struct login_facts *f)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    AG_AUTO(secret) struct secret *content = NULL;
    struct oauth2_login login = {0};
    struct version_row version = {0};
    const char *code = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    login.refresh = login_way(core, row, &login.format);
    f->expires_ms = INT64_MAX;
    f->due_ms = INT64_MAX;
    f->can = false;
    f->needed = false;
    if (err != AG_OK || login.refresh == NULL || core->parts.upstream == NULL) {
        return err;
    }
    err = versions_value(r, row->id, 0, &version, &content);
    if (err == AG_OK) {
        login.content = secret_view(content);
        err = oauth2_check(&login);
    }
    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_OK : err; /* an API key, say */
    }
    f->can = true;
    f->needed = refresh_is_needed(row, detail, &code);
    (void)snprintf(f->code, sizeof(f->code), "%s", code != NULL ? code : "");
    err = oauth2_expiry(&login, &f->expires_ms);
    if (err == AG_OK) {
        f->due_ms =
            f->expires_ms -
            due_before(login.refresh, f->expires_ms - version.created_ms);
    }
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
login_look(struct login *l)
{
    struct core *core = l->owner->core;
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct login_facts fresh = {.epoch = store_epoch(core->store)};
    enum ag_err err = AG_OK;

    if (l->facts.version != 0 && l->facts.epoch == fresh.epoch) {
        return AG_OK;
    }
    err = store_read(core->store, &r);
    if (err == AG_OK) {
        err = secrets_get(r, l->secret_id, &row);
    }
    if (err == AG_OK && (row.removed_ms != 0 || row.current_version == 0)) {
        err = AG_ENOTFOUND;
    }
    if (err != AG_OK) {
        return err;
    }
    if (l->facts.version == row.current_version &&
        l->facts.changed_ms == row.changed_ms) {
        l->facts.epoch = fresh.epoch;
        return AG_OK;
    }
    fresh.version = row.current_version;
    fresh.changed_ms = row.changed_ms;
    err = read_facts(core, r, &row, &fresh);
    if (err == AG_OK) {
        l->facts = fresh;
    }
    return err;
}

/* ---- the outcome ---- */

static enum ag_err
note(struct db_tx *tx, enum audit_kind kind, const struct secret_row *row,
     const struct trip *trip, int64_t version)
{
    return core_note(tx, NULL, kind, 0, row->id,
                     json_pack("{s:s, s:I, s:s, s:s}", "name", row->name,
                               "version", (json_int_t)version, "code",
                               trip->result.code, "outcome",
                               trip->retained ? "retained" : "current"));
}

/* Another version that came meanwhile stays current: the person's newer login,
 * say, of which ours was the predecessor. Ours is kept all the same. */
static enum ag_err
store_fresh(struct core *core, struct db_tx *tx, const struct secret_row *row,
            struct trip *trip)
{
    struct version_row added = {0};
    const struct version_new add = {.secret_id = row->id,
                                    .value = trip->result.content,
                                    .state = trip->retained ? VERSION_RETAINED
                                                            : VERSION_CURRENT,
                                    .if_version = -1,
                                    .spare = trip->version,
                                    .maker = MAKER_REFRESH};
    enum ag_err err = versions_add(tx, &add, &added);

    if (err == AG_OK) {
        err = note(tx, AUDIT_LOGIN_REFRESHED, row, trip, added.number);
    }
    return err == AG_OK
               ? redaction_add(core, row, added.id, trip->result.content)
               : err;
}

static struct login *
login_of_job(struct core_job *job)
{
    return (struct login *)(void *)((char *)job -
                                    offsetof(struct login, trip.job));
}

static enum ag_err
run_outcome(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct trip *trip = &login_of_job(job)->trip;
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err =
        secrets_get(db_tx_read(tx), login_of_job(job)->secret_id, &row);

    if (err == AG_OK && row.removed_ms != 0) {
        err = AG_ENOTFOUND;
    }
    if (err != AG_OK) {
        return err;
    }
    trip->retained = row.current_version != trip->version;
    switch (trip->result.outcome) {
    case OAUTH2_FRESH:
        return store_fresh(core, tx, &row, trip);
    case OAUTH2_DENIED:
        err = trip->retained ? AG_OK : set_mark(tx, &row, trip->result.code);
        return err == AG_OK
                   ? note(tx, AUDIT_LOGIN_NEEDED, &row, trip, trip->version)
                   : err;
    case OAUTH2_LATER:
        return note(tx, AUDIT_LOGIN_FAILED, &row, trip, trip->version);
    }
    return AG_EINTERNAL;
}

static void
make_unusable(struct trip *trip)
{
    oauth2_result_done(&trip->result);
    trip->result = (struct oauth2_result){.outcome = OAUTH2_DENIED};
    (void)snprintf(trip->result.code, sizeof(trip->result.code), "%s",
                   OAUTH2_UNUSABLE);
}

static void
outcome_done(struct core *core, struct core_job *job)
{
    (void)core;
    login_done(login_of_job(job), job->err);
}

static enum ag_err
read_answer(struct trip *trip)
{
    const struct oauth2_login login = {trip->refresh, trip->format,
                                       secret_view(trip->base)};
    const struct oauth2_answer answer = {
        .status = trip->status,
        .body = span_sub(secret_view(trip->answer), 0, trip->answer_bytes),
        .retry_after = span_str(trip->retry_after),
        .now_ms = trip->answered_ms};

    trip->result = (struct oauth2_result){0};
    return oauth2_read(&login, &answer, &trip->result);
}

void
login_settle(struct login *l, enum ag_err why)
{
    struct trip *trip = &l->trip;
    enum ag_err err = AG_OK;

    if (trip->has_answer) {
        err = read_answer(trip);
    } else if (why == AG_ELIMIT && trip->is_too_long) {
        /* Of its beginning only this is believed: were tokens in it? */
        err = read_answer(trip);
        err = err == AG_OK && trip->result.outcome == OAUTH2_FRESH ? AG_ELIMIT
                                                                   : err;
    } else {
        trip->result = (struct oauth2_result){.outcome = OAUTH2_LATER};
        (void)snprintf(trip->result.code, sizeof(trip->result.code), "%s",
                       err_code(why));
    }
    if (err == AG_ELIMIT) { /* today and whenever it is tried again */
        make_unusable(trip);
        err = AG_OK;
    }
    if (err != AG_OK) {
        login_done(l, err);
        return;
    }
    trip->job = (struct core_job){.run = run_outcome, .done = outcome_done};
    core_write(l->owner->core, &trip->job);
}
