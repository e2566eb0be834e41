/* What leaked by a person's word, by name or by what a report found
 * (incident.h). */
#include "core/incident_impl.h"
#include "core/receipts.h"
#include "core/state.h"
#include "core/values.h"

struct saying {
    struct core_job job;
    const struct call *call;
    const struct leaked_request *request;
    json_t *items;
    bool acts;
};

/* The version that is meant; a number that was given must have been one. */
static enum ag_err
version_said(struct db_read *r, const struct secret_row *secret,
             int64_t version, int64_t *ret)
{
    struct version_row row = {0};
    enum ag_err err = AG_OK;

    *ret = version != 0 ? version : secret->current_version;
    if (*ret == 0) {
        return err_why(AG_ENOTFOUND,
                       "%s has no current version; see: auth-guard versions %s",
                       secret->name, secret->name);
    }
    err = versions_get(r, secret->id, *ret, &row);
    return err == AG_ENOTFOUND
               ? err_why(err,
                         "%s has no version %lld; see: auth-guard "
                         "versions %s",
                         secret->name, (long long)*ret, secret->name)
               : err;
}

static enum ag_err
say_one(struct db_tx *tx, struct saying *s, const char *name)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(incident_row) struct incident_row row = {0};
    struct db_read *r = db_tx_read(tx);
    struct sighting sighting = {
        .call = s->call,
        .secret = &secret,
        .source = s->request->is_report ? INCIDENT_REPORT : INCIDENT_SAID,
        .where = s->request->is_report ? "report" : "said",
        .note = s->request->note,
        .count = 1,
        .is_sure = true};
    bool is_new = false;
    enum ag_err err = secret_named(r, span_str(name), &secret);

    if (err == AG_OK) {
        err = version_said(r, &secret, s->request->version, &sighting.version);
    }
    if (err == AG_OK) {
        err = incident_put(tx, &sighting, &row, &is_new);
    }
    if (err != AG_OK) {
        return err;
    }
    s->acts =
        s->acts || row.answer == ANSWER_HOLD || row.answer == ANSWER_ROTATE;
    return json_array_append_new(
               s->items,
               json_pack("{s:I, s:s, s:I, s:b, s:s}", "incident",
                         (json_int_t)row.id, "secret", secret.name, "version",
                         (json_int_t)row.version, "new", is_new ? 1 : 0,
                         "answer", incident_answer_text(row.answer))) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
run_saying(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct saying *s = (struct saying *)job;
    enum ag_err err = AG_OK;

    (void)core;
    for (size_t i = 0; err == AG_OK && i < s->request->name_count; i++) {
        err = say_one(tx, s, s->request->names[i]);
    }
    return err;
}

static enum ag_err
check_request(const struct leaked_request *q)
{
    if ((q->name_count > 0) == (q->receipt != NULL)) {
        return err_why(AG_EINVAL, "say one: names, or a receipt");
    }
    if (q->fingerprint != NULL && q->receipt == NULL) {
        return err_why(AG_EINVAL, "fingerprint: only with the receipt that it "
                                  "stands in");
    }
    return q->version != 0 && q->name_count != 1
               ? err_why(AG_EINVAL, "version: only with one name")
               : AG_OK;
}

/* The names of a receipt, borrowed from *ret_list. */
static enum ag_err
names_of(struct core *core, struct leaked_request *q,
         const char *names[INCIDENT_NAMES_MAX_COUNT], json_t **ret_list)
{
    enum ag_err err = AG_OK;

    if (q->receipt == NULL) {
        return AG_OK;
    }
    err = receipts_secrets(core, q->receipt, q->fingerprint, ret_list);
    for (size_t i = 0; err == AG_OK && i < json_array_size(*ret_list) &&
                       i < INCIDENT_NAMES_MAX_COUNT;
         i++) {
        names[q->name_count++] =
            json_string_value(json_array_get(*ret_list, i));
    }
    q->names = names;
    return err;
}

enum ag_err
core_leaked(struct core *core, const struct call *call,
            const struct leaked_request *request, json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "incidents");
    AG_AUTO(wjson) json_t *list = NULL;
    const char *names[INCIDENT_NAMES_MAX_COUNT];
    struct leaked_request q = *request;
    struct saying s = {.job.run = run_saying,
                       .call = call,
                       .request = &q,
                       .items = json_object_get(answer, "incidents")};
    enum ag_err err = answer != NULL ? check_request(&q) : AG_ENOMEM;

    if (err == AG_OK) {
        err = names_of(core, &q, names, &list);
    }
    if (err == AG_OK) {
        err = core_write_wait(core, &s.job);
    }
    if (err != AG_OK) {
        return err;
    }
    if (s.acts) {
        incident_follow(core);
    }
    *ret = AG_TAKE(answer);
    return AG_OK;
}
