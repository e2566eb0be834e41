/* Incidents shown: who could have seen it, what it reaches, what is to be
 * rotated; and closed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/detail.h"
#include "core/holds.h"
#include "core/incident_impl.h"
#include "core/mint.h"
#include "core/places.h"
#include "core/record.h"
#include "core/state.h"
#include "core/values.h"
#include "store/exposure.h"
#include "store/rotation_rules.h"
#include "store/tasks.h"
#include "store/versions.h"

enum {
    EXPOSED_MAX_COUNT = 1000, /* rows of the ledger that are looked at */
};

enum ag_err
incident_numbered(struct db_read *r, const char *id, struct incident_row *ret)
{
    uint64_t number = 0;
    enum ag_err err = parse_u64(span_str(id), INT64_MAX, &number);

    if (err != AG_OK || number == 0) {
        return err_why(AG_EINVAL,
                       "'%.40s' is not an id; see: auth-guard incident list",
                       id);
    }
    err = incidents_get(r, (int64_t)number, ret);
    return err == AG_ENOTFOUND
               ? err_why(err,
                         "there is no incident %.40s; see: auth-guard incident "
                         "list --all",
                         id)
               : err;
}

/* ---- what is to be rotated ---- */

struct rotating {
    struct db_read *r;
    json_t *list;
    int64_t task_id;
};

static bool
is_listed(const json_t *list, const char *name, int64_t version)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        if (strcmp(json_string_value(json_object_get(item, "secret")), name) ==
                0 &&
            json_integer_value(json_object_get(item, "version")) == version) {
            return true;
        }
    }
    return false;
}

/* Those that leaked first, as they come (before all others), then by how far
 * they travelled. */
static size_t
place_for(const json_t *list, const char *leaked, enum verb verb)
{
    size_t at = 0;

    for (; at < json_array_size(list); at++) {
        const json_t *item = json_array_get(list, at);
        const char *grade = json_string_value(json_object_get(item, "grade"));
        bool has_leaked = json_is_true(json_object_get(item, "leaked"));
        enum verb other = VERB_PROXY;

        if (verb_parse(span_str(grade), &other) != AG_OK) {
            continue;
        }
        if (leaked == NULL && !has_leaked && other < verb) {
            break;
        }
    }
    return at;
}

static enum ag_err
has_rule(struct db_read *r, int64_t secret_id, bool *ret)
{
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    enum ag_err err = rotation_rules_of(r, secret_id, &rule);

    *ret = err == AG_OK;
    return err == AG_ENOTFOUND ? AG_OK : err;
}

/* Is there something to be done about this version: is it current, or minted and
 * not revoked yet? */
static enum ag_err
is_in_use(struct db_read *r, const struct secret_row *secret, int64_t version,
          bool *ret_minted, bool *ret)
{
    int64_t minted = 0;
    enum ag_err err = AG_OK;

    if (secret->current_version != version) {
        err = mint_open_of(r, secret->id, version, &minted);
    }
    *ret_minted = minted != 0;
    *ret = secret->removed_ms == 0 &&
           (secret->current_version == version || minted != 0);
    return err;
}

/* A version that is in use, once. */
static enum ag_err
add_rotating(const struct rotating *to, int64_t secret_id, int64_t version,
             const char *leaked, enum verb verb)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    json_t *item = NULL;
    bool rule = false;
    bool minted = false;
    bool used = false;
    enum ag_err err = secrets_get(to->r, secret_id, &secret);

    if (err == AG_OK) {
        err = is_in_use(to->r, &secret, version, &minted, &used);
    }
    if (err != AG_OK || !used || is_listed(to->list, secret.name, version)) {
        return err;
    }
    err = has_rule(to->r, secret_id, &rule);
    if (err != AG_OK) {
        return err;
    }
    /* What was minted is revoked instead. */
    item = json_pack("{s:s, s:I, s:s, s:b, s:b, s:b}", "secret", secret.name,
                     "version", (json_int_t)version, "grade", verb_text(verb),
                     "has_rule", rule || minted ? 1 : 0, "minted",
                     minted ? 1 : 0, "leaked", leaked != NULL ? 1 : 0);
    return item != NULL &&
                   json_array_insert_new(
                       to->list, place_for(to->list, leaked, verb), item) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
rotate_leaked(const struct incident_row *row, void *arg)
{
    const struct rotating *to = arg;

    return row->task_id == to->task_id && row->secret_id != 0
               ? add_rotating(to, row->secret_id, row->version, "output",
                              VERB_READ)
               : AG_OK;
}

/* At grades proxy and sign the value stayed with the broker. */
static enum ag_err
rotate_exposed(const struct exposure_row *row, void *arg)
{
    return row->verb >= VERB_FILE ? add_rotating(arg, row->secret_id,
                                                 row->version, NULL, row->verb)
                                  : AG_OK;
}

enum ag_err
incident_rotate_of_task(struct db_read *r, int64_t task_id, json_t *list)
{
    struct rotating to = {r, list, task_id};
    enum ag_err err =
        incidents_each(r, true, INCIDENT_LIST_MAX_COUNT, rotate_leaked, &to);

    return err == AG_OK ? exposure_of_task_each(r, task_id, EXPOSED_MAX_COUNT,
                                                rotate_exposed, &to)
                        : err;
}

enum ag_err
incident_to_rotate(struct db_read *r, const struct incident_row *row,
                   json_t *list)
{
    const struct rotating to = {r, list, row->task_id};

    return row->secret_id != 0 ? add_rotating(&to, row->secret_id, row->version,
                                              "this", VERB_READ)
                               : incident_rotate_of_task(r, row->task_id, list);
}

/* ---- one, in short ---- */

static enum ag_err
describe(struct db_read *r, const struct incident_row *row, json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(task_row) struct task_row task = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    char task_text[24] = "";
    enum ag_err err =
        row->secret_id != 0 ? secrets_get(r, row->secret_id, &secret) : AG_OK;

    if (err == AG_OK && row->task_id != 0) {
        err = tasks_get(r, row->task_id, &task);
        (void)snprintf(task_text, sizeof(task_text), "%lld",
                       (long long)row->task_id);
    }
    if (err != AG_OK) {
        return err;
    }
    item = json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:I}", "incident",
                     (json_int_t)row->id, "secret", secret.name, "version",
                     (json_int_t)row->version, "task", task_text, "task_name",
                     task.name, "source", incident_source_text(row->source),
                     "answer", incident_answer_text(row->answer), "seen",
                     (json_int_t)row->seen_count);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "opened", row->created_ms);
    if (err == AG_OK) {
        err = core_set_time(item, "changed", row->changed_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "closed", row->closed_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

struct listing {
    struct db_read *r;
    json_t *items;
};

static enum ag_err
list_one(const struct incident_row *row, void *arg)
{
    const struct listing *listing = arg;
    json_t *item = NULL;
    enum ag_err err = describe(listing->r, row, &item);

    return err == AG_OK && json_array_append_new(listing->items, item) != 0
               ? AG_ENOMEM
               : err;
}

enum ag_err
core_incident_list(struct core *core, bool all, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "incidents");
    struct listing listing = {.items = json_object_get(answer, "incidents")};
    enum ag_err err = answer != NULL ? store_read(core->store, &r) : AG_ENOMEM;

    listing.r = r;
    if (err == AG_OK) {
        err = incidents_each(r, !all, INCIDENT_LIST_MAX_COUNT, list_one,
                             &listing);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- one, with all that is known ---- */

struct ledger {
    struct db_read *r;
    int64_t version;
    json_t *items;
};

static enum ag_err
list_reader(const struct exposure_row *row, void *arg)
{
    const struct ledger *l = arg;
    json_t *item = NULL;
    enum ag_err err = AG_OK;

    if (row->version != l->version) {
        return AG_OK;
    }
    err = record_exposure_item(l->r, row, &item);
    return err == AG_OK && json_array_append_new(l->items, item) != 0
               ? AG_ENOMEM
               : err;
}

/* The hosts that are sealed with a secret, each once. */
static enum ag_err
list_reach(const struct secret_row *secret, json_t *hosts)
{
    AG_AUTO(places) struct places places = {0};
    enum ag_err err = places_sealed(secret, &places);

    for (size_t i = 0; err == AG_OK && i < places.places.count; i++) {
        const struct strings *of = &places.places.items[i].hosts;

        for (size_t h = 0; err == AG_OK && h < of->count; h++) {
            bool there = false;

            for (size_t k = 0; k < json_array_size(hosts); k++) {
                there =
                    there || strcmp(json_string_value(json_array_get(hosts, k)),
                                    of->items[h]) == 0;
            }
            if (!there &&
                json_array_append_new(hosts, json_string(of->items[h])) != 0) {
                err = AG_ENOMEM;
            }
        }
    }
    return err;
}

static enum ag_err
show_secret(struct db_read *r, const struct incident_row *row, json_t *item)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    struct version_row version = {0};
    struct ledger ledger = {.r = r,
                            .version = row->version,
                            .items = json_object_get(item, "readers")};
    enum ag_err err = secrets_get(r, row->secret_id, &secret);

    if (err == AG_OK) {
        err = versions_get(r, row->secret_id, row->version, &version);
    }
    if (err == AG_OK &&
        json_object_set_new(item, "state",
                            json_string(version_state_text(version.state))) !=
            0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = list_reach(&secret, json_object_get(item, "reach"));
    }
    return err == AG_OK
               ? exposure_of_secret_each(r, row->secret_id, EXPOSED_MAX_COUNT,
                                         list_reader, &ledger)
               : err;
}

static enum ag_err
show_rest(struct db_read *r, const struct incident_row *row, json_t *item)
{
    AG_AUTO(wjson)
    json_t *more =
        json_pack("{s:[], s:[], s:[]}", "readers", "reach", "rotate");
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = more != NULL && json_object_update(item, more) == 0
                          ? incident_detail(row, &detail)
                          : AG_ENOMEM;

    if (err == AG_OK && json_object_update(item, detail) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK && row->secret_id != 0) {
        err = show_secret(r, row, item);
    }
    return err == AG_OK
               ? incident_to_rotate(r, row, json_object_get(item, "rotate"))
               : err;
}

enum ag_err
core_incident_show(struct core *core, const char *id, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(incident_row) struct incident_row row = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = incident_numbered(r, id, &row);
    }
    if (err == AG_OK) {
        err = describe(r, &row, &item);
    }
    if (err == AG_OK) {
        err = show_rest(r, &row, item);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

/* ---- closed ---- */

struct closing {
    struct core_job job;
    const struct call *call;
    const char *id;
    const char *note;
};

static enum ag_err
run_closing(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct closing *c = (const struct closing *)job;
    AG_AUTO(incident_row) struct incident_row row = {0};
    enum ag_err err = incident_numbered(db_tx_read(tx), c->id, &row);

    (void)core;
    if (err == AG_OK && row.closed_ms != 0) {
        err = err_why(AG_ECONFLICT, "incident %s is closed already", c->id);
    }
    if (err == AG_OK) {
        row.closed_ms = db_tx_now_ms(tx);
        err = incidents_write(tx, &row);
    }
    return err == AG_OK ? core_note(tx, c->call, AUDIT_INCIDENT_CLOSED,
                                    row.task_id, row.secret_id,
                                    json_pack("{s:I, s:s, s:s*}", "incident",
                                              (json_int_t)row.id, "answer",
                                              incident_answer_text(row.answer),
                                              "note", c->note))
                        : err;
}

enum ag_err
core_incident_close(struct core *core, const struct call *call, const char *id,
                    const char *note)
{
    struct closing c = {
        .job.run = run_closing, .call = call, .id = id, .note = note};
    enum ag_err err = core_write_wait(core, &c.job);

    if (err == AG_OK) {
        incident_follow(core);
    }
    return err;
}
