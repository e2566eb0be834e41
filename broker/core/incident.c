#include "core/incident.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/holds.h"
#include "core/incident_impl.h"
#include "core/mint.h"
#include "core/state.h"
#include "core/sure.h"
#include "core/values.h"
#include "privsep/filter.h"
#include "store/rotation_rules.h"
#include "store/rotations.h"
#include "store/tasks.h"
#include "store/versions.h"

static const char ON_LEAK[] = "on_leak";

/* ---- the rule ---- */

const char *
incident_rule_of(const json_t *detail)
{
    const char *word = json_string_value(json_object_get(detail, ON_LEAK));

    return word != NULL ? word : "record";
}

static enum ag_err
check_can_rotate(struct db_read *r, const struct secret_row *row)
{
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    enum ag_err err = rotation_rules_of(r, row->id, &rule);

    if (err == AG_ENOTFOUND && mint_has_rule(row)) {
        return AG_OK; /* it is revoked */
    }
    return err == AG_ENOTFOUND
               ? err_why(AG_EINVAL,
                         "on_leak: %s has no rule of rotation to rotate by; "
                         "see: auth-guard rotate rule set",
                         row->name)
               : err;
}

enum ag_err
incident_set_rule(struct db_read *r, struct secret_row *row, const char *word)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    bool is_record = strcmp(word, "record") == 0;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err == AG_OK && !is_record && strcmp(word, "hold") != 0 &&
        strcmp(word, "rotate") != 0) {
        err = err_why(AG_EINVAL, "on_leak: record, hold or rotate");
    }
    if (err == AG_OK && strcmp(word, "rotate") == 0) {
        err = check_can_rotate(r, row);
    }
    if (err != AG_OK) {
        return err;
    }
    if (is_record) {
        (void)json_object_del(detail, ON_LEAK);
    } else if (json_object_set_new(detail, ON_LEAK, json_string(word)) != 0) {
        return AG_ENOMEM;
    }
    return detail_set_secret(row, detail);
}

static enum ag_err
answer_of(const struct sighting *s, enum incident_answer *ret)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *word = NULL;
    enum ag_err err = AG_OK;

    *ret = ANSWER_RECORD;
    if (s->secret == NULL || !s->is_sure) {
        return AG_OK;
    }
    err = detail_of_secret(s->secret, &detail);
    if (err != AG_OK) {
        return err;
    }
    word = incident_rule_of(detail);
    *ret = strcmp(word, "hold") == 0     ? ANSWER_HOLD
           : strcmp(word, "rotate") == 0 ? ANSWER_ROTATE
                                         : ANSWER_RECORD;
    return AG_OK;
}

/* ---- one sighting ---- */

enum ag_err
incident_detail(const struct incident_row *row, json_t **ret)
{
    return wjson_parse(span_str(row->detail != NULL ? row->detail : "{}"),
                       INCIDENT_DETAIL_MAX_BYTES, ret);
}

static enum ag_err
sighting_item(const struct sighting *s, int64_t now_ms, json_t **ret)
{
    AG_AUTO(wjson)
    json_t *item = json_pack(
        "{s:s, s:s*, s:I, s:I, s:b, s:s*}", "where", s->where, "what", s->what,
        "task", (json_int_t)s->task_id, "count", (json_int_t)s->count, "sure",
        s->is_sure ? 1 : 0, "note", s->note);
    enum ag_err err =
        item != NULL ? core_set_time(item, "time", now_ms) : AG_ENOMEM;

    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

/* As a text that its row takes: with fewer of `seen`, where notes are long. The
 * first one stays: it says how it began; so does the newest. */
static enum ag_err
dump_detail(const json_t *detail, json_t *seen, char **ret)
{
    char *text = NULL;
    enum ag_err err = core_dump(detail, &text);

    while (err == AG_OK && strlen(text) > INCIDENT_DETAIL_MAX_BYTES &&
           json_array_size(seen) > 2) {
        free(AG_TAKE(text));
        (void)json_array_remove(seen, 1);
        err = core_dump(detail, &text);
    }
    if (err == AG_OK) {
        *ret = text;
    }
    return err;
}

static enum ag_err
add_sighting(const struct sighting *s, int64_t now_ms, struct incident_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *seen = NULL;
    json_t *item = NULL;
    char *text = NULL;
    enum ag_err err = incident_detail(row, &detail);

    if (err == AG_OK) {
        err = sighting_item(s, now_ms, &item);
    }
    if (err != AG_OK) {
        return err;
    }
    seen = json_object_get(detail, "seen_at");
    if (seen == NULL) {
        seen = json_array();
        if (json_object_set_new(detail, "seen_at", seen) != 0) {
            json_decref(item);
            return AG_ENOMEM;
        }
    }
    if (json_array_size(seen) >= INCIDENT_KEEP_COUNT) {
        (void)json_array_remove(seen, 1);
    }
    err = json_array_append_new(seen, item) == 0
              ? dump_detail(detail, seen, &text)
              : AG_ENOMEM;
    if (err == AG_OK) {
        free(row->detail);
        row->detail = text;
    }
    return err;
}

static json_t *
note_of(const struct sighting *s, const struct incident_row *row)
{
    return json_pack("{s:I, s:s*, s:I, s:s, s:s, s:s*, s:I, s:I, s:b, s:s}",
                     "incident", (json_int_t)row->id, "name",
                     s->secret != NULL ? s->secret->name : NULL, "version",
                     (json_int_t)row->version, "source",
                     incident_source_text(s->source), "where", s->where, "what",
                     s->what, "count", (json_int_t)s->count, "seen",
                     (json_int_t)row->seen_count, "sure", s->is_sure ? 1 : 0,
                     "answer", incident_answer_text(row->answer));
}

enum ag_err
incident_put(struct db_tx *tx, const struct sighting *s,
             struct incident_row *ret, bool *ret_new)
{
    const struct incident_row of = {.secret_id =
                                        s->secret != NULL ? s->secret->id : 0,
                                    .version = s->version,
                                    .task_id = s->task_id,
                                    .source = s->source,
                                    .answer = ANSWER_RECORD};
    enum ag_err err = incidents_open_of(db_tx_read(tx), &of, ret);

    *ret_new = err == AG_ENOTFOUND;
    if (*ret_new) {
        *ret = of;
        err = AG_OK;
    }
    if (err == AG_OK && ret->answer == ANSWER_RECORD) {
        err = answer_of(s, &ret->answer);
    }
    if (err == AG_OK) {
        ret->seen_count += s->count;
        err = add_sighting(s, db_tx_now_ms(tx), ret);
    }
    if (err == AG_OK) {
        err = incidents_write(tx, ret);
    }
    return err == AG_OK ? core_note(tx, s->call,
                                    *ret_new ? AUDIT_INCIDENT_OPENED
                                             : AUDIT_INCIDENT_SEEN,
                                    s->task_id, of.secret_id, note_of(s, ret))
                        : err;
}

void
incident_follow(struct core *core)
{
    AG_AUTO(db_read) struct db_read *r = NULL;

    /* Where the rows can't be read nothing is handed out either. */
    if (store_read(core->store, &r) == AG_OK) {
        (void)!holds_load(core->holds, r);
        responder_wake_if_due(core, r);
    }
}

/* ---- in a task's output ---- */

struct seeing {
    struct core_job job;
    int64_t task_id;
    int64_t version_id; /* of the sights below that are of it */
    const struct incident_sight *sights;
    size_t count;
    bool acts; /* found: something is to follow */
};

static bool
is_of(const struct seeing *s, const struct incident_sight *sight)
{
    return (int64_t)(sight->value_id >> FILTER_GROUP_BITS) == s->version_id;
}

static enum ag_err
sum_up(struct core *core, struct db_read *r, const struct seeing *s,
       struct sighting *ret)
{
    const uint64_t index_mask = (UINT64_C(1) << FILTER_GROUP_BITS) - 1;
    AG_AUTO(secret) struct secret *value = NULL;
    struct version_row version = {0};
    struct sure sure = {core, r, ret->secret, &version, NULL};
    enum ag_err err =
        versions_value(r, ret->secret->id, ret->version, &version, &value);

    if (err != AG_OK && err != AG_ENOTFOUND) {
        return err;
    }
    err = AG_OK;
    sure.value = value;
    for (size_t i = 0; err == AG_OK && i < s->count; i++) {
        const struct incident_sight *sight = &s->sights[i];
        bool is_sure = false;

        if (!is_of(s, sight)) {
            continue;
        }
        if (sight->is_sure && value != NULL) {
            err = sure_is(&sure, sight->value_id & index_mask, &is_sure);
        }
        if (ret->what == NULL || (is_sure && !ret->is_sure)) {
            ret->what = sight->form;
        }
        ret->is_sure = ret->is_sure || is_sure;
        ret->count += sight->count;
    }
    return err;
}

static enum ag_err
run_seeing(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct seeing *s = (struct seeing *)job;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(incident_row) struct incident_row row = {0};
    struct version_row version = {0};
    struct db_read *r = db_tx_read(tx);
    struct sighting sighting = {.secret = &secret,
                                .task_id = s->task_id,
                                .source = INCIDENT_OUTPUT,
                                .where = "output"};
    bool is_new = false;
    enum ag_err err = versions_by_id(r, s->version_id, &version);

    if (err == AG_OK) {
        err = secrets_get(r, version.secret_id, &secret);
    }
    if (err != AG_OK) {
        return err;
    }
    sighting.version = version.number;
    err = sum_up(core, r, s, &sighting);
    if (err == AG_OK) {
        err = incident_put(tx, &sighting, &row, &is_new);
    }
    s->acts = row.answer == ANSWER_HOLD || row.answer == ANSWER_ROTATE;
    return err;
}

static bool
is_first_of_its_version(const struct incident_sight *sights, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (sights[i].value_id >> FILTER_GROUP_BITS ==
            sights[at].value_id >> FILTER_GROUP_BITS) {
            return false;
        }
    }
    return true;
}

void
incident_seen(struct core *core, int64_t task_id,
              const struct incident_sight *sights, size_t count)
{
    bool acts = false;

    for (size_t i = 0; i < count; i++) {
        struct seeing s = {
            .job.run = run_seeing,
            .task_id = task_id,
            .version_id = (int64_t)(sights[i].value_id >> FILTER_GROUP_BITS),
            .sights = sights,
            .count = count};

        if (is_first_of_its_version(sights, i) &&
            core_write_wait(core, &s.job) == AG_OK) {
            acts = acts || s.acts;
        }
    }
    if (acts) {
        incident_follow(core);
    }
}

/* ---- a tripwire ---- */

enum ag_err
incident_tripped(struct db_tx *tx, int64_t task_id, const char *why,
                 const char *where)
{
    AG_AUTO(task_row) struct task_row task = {0};
    AG_AUTO(incident_row) struct incident_row row = {0};
    const struct sighting s = {.task_id = task_id,
                               .source = INCIDENT_TRIPWIRE,
                               .where = where,
                               .what = why,
                               .count = 1,
                               .is_sure = true};
    bool is_new = false;
    enum ag_err err =
        task_id != 0 ? tasks_get(db_tx_read(tx), task_id, &task) : AG_ENOTFOUND;

    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_OK : err;
    }
    return incident_put(tx, &s, &row, &is_new);
}
