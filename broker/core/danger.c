#include "core/danger.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/places.h"
#include "core/state.h"
#include "store/exposure.h"
#include "store/incidents.h"
#include "store/rotation_rules.h"
#include "store/versions.h"

enum {
    HOSTS_COUNT = 3,          /* more is broad; a service has one or two */
    EXPOSED_MAX_COUNT = 1000, /* rows of the ledger that are looked at */
    INCIDENTS_MAX_COUNT = 10000,
    SECRETS_MAX_COUNT = 65536, /* as many as the redaction set has */
};

static const int64_t AGE_MS = INT64_C(90) * 24 * 3600 * 1000;

enum reason {
    REASON_INCIDENT,
    REASON_EXPOSED,
    REASON_SHARED,
    REASON_WEAK_GRADE,
    REASON_BROAD,
    REASON_NEVER_ROTATED,
    REASON_COUNT,
};

/* One that comes first outweighs all that come after it. */
static const struct {
    const char *text;
    int score;
} REASONS[REASON_COUNT] = {
    [REASON_INCIDENT] = {"incident", 64},
    [REASON_EXPOSED] = {"exposed", 32},
    [REASON_SHARED] = {"shared", 16},
    [REASON_WEAK_GRADE] = {"weak_grade", 4},
    [REASON_BROAD] = {"broad", 3},
    [REASON_NEVER_ROTATED] = {"never_rotated", 8},
};

struct danger {
    char name[NAME_MAX_BYTES + 1];
    unsigned int reasons; /* bits */
    int score;
};

struct looking {
    struct db_read *r;
    struct danger *list;
    size_t count;
    size_t cap;
    int64_t *incident_ids; /* secrets with one */
    size_t incident_count;
    /* of the secret that is looked at */
    int64_t version;
    int64_t task_id; /* the first that had it */
    unsigned int seen;
};

static enum ag_err
note_incident(const struct incident_row *row, void *arg)
{
    struct looking *l = arg;

    if (row->secret_id != 0) {
        l->incident_ids[l->incident_count++] = row->secret_id;
    }
    return AG_OK;
}

static enum ag_err
note_reader(const struct exposure_row *row, void *arg)
{
    struct looking *l = arg;

    if (row->version != l->version || row->task_id == 0 ||
        row->verb < VERB_FILE) {
        return AG_OK; /* a person's own reading, or the value stayed here */
    }
    if (l->task_id != 0 && l->task_id != row->task_id) {
        l->seen |= 1U << REASON_SHARED;
    }
    l->task_id = row->task_id;
    l->seen |= 1U << REASON_EXPOSED;
    return AG_OK;
}

static enum ag_err
look_at_places(const struct secret_row *row, unsigned int *reasons)
{
    AG_AUTO(places) struct places places = {0};
    size_t hosts = 0;
    enum ag_err err = places_sealed(row, &places);

    for (size_t i = 0; err == AG_OK && i < places.places.count; i++) {
        hosts += places.places.items[i].hosts.count;
    }
    *reasons |= hosts > HOSTS_COUNT ? 1U << REASON_BROAD : 0;
    return err;
}

static enum ag_err
look_at_age(const struct looking *l, const struct secret_row *row,
            unsigned int *reasons)
{
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    struct version_row version = {0};
    enum ag_err err = versions_get(l->r, row->id, 0, &version);
    bool is_old = err == AG_OK && clock_wall_ms() - version.created_ms > AGE_MS;

    if (err == AG_OK && !is_old && row->last_version == 1) {
        err = rotation_rules_of(l->r, row->id, &rule);
        is_old = err == AG_ENOTFOUND;
    }
    *reasons |= is_old ? 1U << REASON_NEVER_ROTATED : 0;
    return err == AG_ENOTFOUND ? AG_OK : err;
}

static enum ag_err
find_reasons(struct looking *l, const struct secret_row *row, unsigned int *ret)
{
    enum ag_err err = AG_OK;

    l->version = row->current_version;
    l->task_id = 0;
    l->seen = row->min_grade > GRADE_SIGN ? 1U << REASON_WEAK_GRADE : 0;
    for (size_t i = 0; i < l->incident_count; i++) {
        if (l->incident_ids[i] == row->id) {
            l->seen |= 1U << REASON_INCIDENT;
        }
    }
    err = exposure_of_secret_each(l->r, row->id, EXPOSED_MAX_COUNT, note_reader,
                                  l);
    if (err == AG_OK) {
        err = look_at_places(row, &l->seen);
    }
    if (err == AG_OK) {
        err = look_at_age(l, row, &l->seen);
    }
    *ret = l->seen;
    return err;
}

static enum ag_err
look_at(const struct secret_row *row, void *arg)
{
    struct looking *l = arg;
    struct danger *d = NULL;
    unsigned int reasons = 0;
    enum ag_err err = AG_OK;

    if (row->current_version == 0 ||
        strncmp(row->name, "auth-guard/", 11) == 0) {
        return AG_OK;
    }
    err = find_reasons(l, row, &reasons);
    if (err != AG_OK || reasons == 0) {
        return err;
    }
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
        struct danger *more = cap <= SECRETS_MAX_COUNT
                                  ? reallocarray(l->list, cap, sizeof(*more))
                                  : NULL;

        if (more == NULL) {
            return AG_ENOMEM;
        }
        l->list = more;
        l->cap = cap;
    }
    d = &l->list[l->count++];
    *d = (struct danger){.reasons = reasons};
    (void)stpcpy(d->name, row->name);
    for (size_t i = 0; i < REASON_COUNT; i++) {
        d->score += (reasons >> i & 1U) != 0 ? REASONS[i].score : 0;
    }
    return AG_OK;
}

static int
by_score(const void *a, const void *b)
{
    const struct danger *left = a;
    const struct danger *right = b;

    return left->score != right->score ? right->score - left->score
                                       : strcmp(left->name, right->name);
}

static enum ag_err
tell(const struct danger *d, json_t *list)
{
    json_t *why = json_array();

    for (size_t i = 0; i < REASON_COUNT; i++) {
        if ((d->reasons >> i & 1U) != 0 &&
            json_array_append_new(why, json_string(REASONS[i].text)) != 0) {
            json_decref(why);
            return AG_ENOMEM;
        }
    }
    return json_array_append_new(list,
                                 json_pack("{s:s, s:i, s:o}", "secret", d->name,
                                           "score", d->score, "why", why)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
look_at_all(struct core *core, struct looking *l)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(core->store, &r);

    l->r = r;
    l->incident_ids = calloc(INCIDENTS_MAX_COUNT, sizeof(*l->incident_ids));
    if (err == AG_OK) {
        err = l->incident_ids == NULL
                  ? AG_ENOMEM
                  : incidents_each(r, true, INCIDENTS_MAX_COUNT, note_incident,
                                   l);
    }
    return err == AG_OK ? secrets_each(r, span_str(""), look_at, l) : err;
}

enum ag_err
core_dangers(struct core *core, json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "dangers");
    struct looking l = {.count = 0};
    size_t told = 0;
    enum ag_err err = answer != NULL ? look_at_all(core, &l) : AG_ENOMEM;

    if (err == AG_OK && l.count > 0) {
        qsort(l.list, l.count, sizeof(*l.list), by_score);
    }
    for (; err == AG_OK && told < l.count && told < DANGERS_MAX_COUNT; told++) {
        err = tell(&l.list[told], json_object_get(answer, "dangers"));
    }
    if (err == AG_OK &&
        json_object_set_new(answer, "more",
                            json_integer((json_int_t)(l.count - told))) != 0) {
        err = AG_ENOMEM;
    }
    free(l.list);
    free(l.incident_ids);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
