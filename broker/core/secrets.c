#include "core/secrets.h"

#include <stdio.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/incident.h"
#include "core/mint.h"
#include "core/places.h"
#include "core/redaction.h"
#include "core/refresh.h"
#include "core/rotation.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/values.h"
#include "store/makers.h"
#include "store/versions.h"

/* ---- descriptions: the sealed JSON of a secret's row ---- */

static enum ag_err
set_description(struct secret_row *row, const char *description)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(detail, "description", json_string(description)) !=
        0) {
        return AG_ENOMEM;
    }
    return detail_set_secret(row, detail);
}

/* ---- put ---- */

static enum ag_err
apply_put(const struct put_request *request, struct secret_row *row)
{
    enum ag_err err = AG_OK;

    if (request->kind != NULL) {
        err = secret_kind_parse(span_str(request->kind), &row->kind);
    }
    if (err == AG_OK && request->min_grade != NULL) {
        err = grade_parse(span_str(request->min_grade), &row->min_grade);
    }
    if (err == AG_OK && request->profile != NULL) {
        (void)snprintf(row->profile, sizeof(row->profile), "%s",
                       request->profile);
    }
    if (err == AG_OK && request->description != NULL) {
        err = set_description(row, request->description);
    }
    return err;
}

/* What a profile says of the secrets that are its own. */
static enum ag_err
apply_profile(struct core *core, struct db_tx *tx,
              const struct put_request *request, struct secret_row *row)
{
    const struct profile *profile = NULL;
    enum ag_err err = AG_OK;

    if (request->profile == NULL) {
        return AG_OK;
    }
    err = trust_find(core, db_tx_read(tx), request->profile, &profile);
    if (err == AG_OK) {
        err = secret_kind_parse(span_str(profile->kind), &row->kind);
    }
    if (err == AG_OK) {
        err = places_seal_row(profile, row);
    }
    return err == AG_OK
               ? grade_parse(span_str(profile_grade_word(profile->min_grade)),
                             &row->min_grade)
               : err;
}

static enum ag_err
make_row(struct core *core, struct db_tx *tx, const struct put_request *request,
         struct secret_row *row)
{
    enum ag_err err = AG_OK;

    row->kind = SECRET_OPAQUE;
    row->min_grade = GRADE_ENV;
    row->retain_count = SECRET_RETAIN_DEFAULT_COUNT;
    (void)snprintf(row->name, sizeof(row->name), "%s", request->name);
    err = apply_profile(core, tx, request, row);
    if (err == AG_OK) {
        err = apply_put(request, row);
    }
    return err == AG_OK ? secrets_add(tx, row) : err;
}

/* A secret that exists is only described anew when the request says how; a
 * worse grade is not for `put` (see core_secret_patch). */
static enum ag_err
update_row(struct core *core, struct db_tx *tx, const struct call *call,
           const struct put_request *request, struct secret_row *row)
{
    const struct profile *profile = NULL;
    enum grade grade = row->min_grade;
    enum ag_err err =
        request->profile != NULL
            ? trust_find(core, db_tx_read(tx), request->profile, &profile)
            : AG_OK;

    if (err == AG_OK && request->min_grade != NULL) {
        err = grade_parse(span_str(request->min_grade), &grade);
        if (err == AG_OK && grade > row->min_grade) {
            err = err_why(AG_EPROOF,
                          "%s allows %s at worst; letting it travel as far as "
                          "%s is a change of its own, with your passphrase",
                          row->name, grade_text(row->min_grade),
                          grade_text(grade));
        }
    }
    if (err == AG_OK) {
        err = apply_put(request, row);
    }
    if (err == AG_OK && profile != NULL) {
        err = places_reseal(call, profile, row);
    }
    return err == AG_OK ? secrets_update(tx, row) : err;
}

static enum ag_err
find_or_make(struct core *core, struct db_tx *tx, const struct call *call,
             const struct put_request *request, struct secret_row *row)
{
    enum ag_err err = secret_name_free(span_str(request->name));

    if (err == AG_OK) {
        err = secrets_find(db_tx_read(tx), span_str(request->name), row);
    }
    if (err == AG_OK && mint_has_rule(row)) {
        return err_why(AG_ECONFLICT,
                       "%s is minted for each task; to keep a value there: "
                       "auth-guard mint remove %s",
                       request->name, request->name);
    }
    if (err == AG_OK && request->if_version == 0 && row->current_version != 0) {
        return err_why(AG_EEXISTS, "%s exists already", request->name);
    }
    if (err == AG_OK) {
        return update_row(core, tx, call, request, row);
    }
    if (err == AG_ENOTFOUND && request->if_version > 0) {
        return err_why(AG_ECONFLICT, "%s does not exist any more",
                       request->name);
    }
    return err == AG_ENOTFOUND ? make_row(core, tx, request, row) : err;
}

enum ag_err
core_secret_put(struct core *core, struct db_tx *tx, const struct call *call,
                const struct put_request *request, json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *warnings = json_array();
    struct version_row version = {0};
    struct version_new add = {.value = request->value,
                              .state = VERSION_CURRENT,
                              .if_version = request->if_version,
                              .maker = MAKER_OPERATOR};
    enum ag_err err = redaction_fits(request->value);

    if (err == AG_OK) {
        err = find_or_make(core, tx, call, request, &row);
    }
    if (err != AG_OK || warnings == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    add.secret_id = row.id;
    err = versions_add(tx, &add, &version);
    if (err == AG_OK) {
        err = redaction_warn(core, &row, request->value, warnings);
    }
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_SECRET_PUT, call->task_id, row.id,
                        json_pack("{s:s, s:I}", "name", row.name, "version",
                                  (json_int_t)version.number));
    }
    if (err != AG_OK) {
        return err;
    }
    answer = json_pack("{s:s, s:I, s:O}", "name", row.name, "version",
                       (json_int_t)version.number, "warnings", warnings);
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    err = redaction_add(core, &row, version.id, request->value);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- patch and remove ---- */

enum ag_err
core_secret_patch(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct patch_request *request)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err =
        secret_named(db_tx_read(tx), span_str(request->name), &row);
    enum grade grade = row.min_grade;

    (void)core;
    if (err == AG_OK && request->min_grade != NULL) {
        err = grade_parse(span_str(request->min_grade), &grade);
        if (err == AG_OK && grade > row.min_grade &&
            call->who != CALLER_PROOF) {
            return err_why(AG_EPROOF,
                           "to let %s travel as far as %s needs "
                           "the passphrase again",
                           row.name, grade_text(grade));
        }
        row.min_grade = grade;
    }
    if (err == AG_OK && request->description != NULL) {
        err = set_description(&row, request->description);
    }
    if (err == AG_OK && request->on_leak != NULL) {
        err = incident_set_rule(db_tx_read(tx), &row, request->on_leak);
    }
    if (err == AG_OK) {
        err = secrets_update(tx, &row);
    }
    return err == AG_OK
               ? core_note(tx, call, AUDIT_SECRET_PATCHED, 0, row.id,
                           json_pack("{s:s, s:s, s:s*}", "name", row.name,
                                     "min_grade", grade_text(row.min_grade),
                                     "on_leak", request->on_leak))
               : err;
}

enum ag_err
core_secret_remove(struct core *core, struct db_tx *tx, const struct call *call,
                   const char *name)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = secret_named(db_tx_read(tx), span_str(name), &row);

    if (err == AG_OK) {
        err = mint_none_open(db_tx_read(tx), &row);
    }
    if (err == AG_OK) {
        err = secrets_remove(tx, row.id);
    }
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_SECRET_REMOVED, 0, row.id,
                        json_pack("{s:s}", "name", row.name));
    }
    /* It may have been the trust in a profile. */
    return err == AG_OK ? trust_load(core, db_tx_read(tx)) : err;
}

/* ---- lists: metadata only ---- */

static enum ag_err
describe(const struct secret_row *row, json_t **ret)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    AG_AUTO(wjson) json_t *item = NULL;
    const char *description = NULL;
    const char *needs_login = NULL;
    const char *minter = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK) {
        return err;
    }
    (void)refresh_is_needed(row, detail, &needs_login);
    minter = mint_minter_of(detail);
    description = json_string_value(json_object_get(detail, "description"));
    item = json_pack(
        "{s:s, s:s, s:s?, s:s, s:s, s:I, s:s, s:s?, s:s?, s:s}", "name",
        row->name, "kind",
        minter != NULL ? "minted" : secret_kind_text(row->kind), "minter",
        minter, "profile", row->profile, "min_grade",
        grade_text(row->min_grade), "version", (json_int_t)row->current_version,
        "description", description != NULL ? description : "", "path",
        json_string_value(json_object_get(detail, "path")), "needs_login",
        needs_login, "on_leak", incident_rule_of(detail));
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "created", row->created_ms);
    if (err == AG_OK) {
        err = core_set_time(item, "changed", row->changed_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

struct listing {
    const struct call *call;
    json_t *items;
};

/* A task sees the names its own grants cover, and no others. */
static bool
may_see(const struct call *call, const char *name)
{
    const struct grant_set *set = NULL;

    if (call->who != CALLER_TASK) {
        return true;
    }
    set = call->token != NULL ? call->token->grants : NULL;
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (pattern_covers(set->grants[i].secret, name)) {
            return true;
        }
    }
    return false;
}

static enum ag_err
list_one(const struct secret_row *row, void *arg)
{
    struct listing *listing = arg;
    json_t *item = NULL;
    enum ag_err err = AG_OK;

    /* Without a value, and without a rule by which each task is given one, there
     * is nothing to list: released, or not adopted yet; its versions can still
     * be asked for by name. */
    if ((row->current_version == 0 && !mint_has_rule(row)) ||
        !may_see(listing->call, row->name)) {
        return AG_OK;
    }
    err = describe(row, &item);
    if (err != AG_OK) {
        return err;
    }
    return json_array_append_new(listing->items, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_secret_list(struct core *core, const struct call *call, const char *prefix,
                 json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "secrets");
    struct listing listing = {.call = call};
    enum ag_err err = store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.items = json_object_get(answer, "secrets");
    err = secrets_each(r, span_str(prefix != NULL ? prefix : ""), list_one,
                       &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* The secret a caller may know of. */
static enum ag_err
find_visible(struct db_read *r, const struct call *call, const char *name,
             struct secret_row *row)
{
    if (!may_see(call, name)) {
        return err_why(AG_ENOGRANT, "no grant of this task covers %s", name);
    }
    return secret_named(r, span_str(name), row);
}

enum ag_err
core_secret_show(struct core *core, const struct call *call, const char *name,
                 json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = find_visible(r, call, name, &row);
    }
    return err == AG_OK ? describe(&row, ret) : err;
}

struct version_list {
    struct db_read *r;
    json_t *items;
};

static enum ag_err
list_version(const struct version_row *version, void *arg)
{
    const struct version_list *list = arg;
    AG_AUTO(wjson) json_t *item = NULL;
    enum version_maker maker = MAKER_UNKNOWN;
    enum ag_err err = makers_of(list->r, version->id, &maker);

    if (err != AG_OK) {
        return err;
    }
    item = json_pack(
        "{s:I, s:s, s:I, s:s}", "version", (json_int_t)version->number, "state",
        version_state_text(version->state), "bytes",
        (json_int_t)version->value_bytes, "made_by", version_maker_text(maker));
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "created", version->created_ms);
    if (err == AG_OK) {
        err = core_set_time(item, "changed", version->changed_ms);
    }
    if (err != AG_OK) {
        return err;
    }
    return json_array_append(list->items, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_secret_versions(struct core *core, const struct call *call,
                     const char *name, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    struct version_list list = {0};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = find_visible(r, call, name, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    answer = json_pack("{s:s, s:[]}", "name", name, "versions");
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    list = (struct version_list){r, json_object_get(answer, "versions")};
    err = versions_each(r, row.id, list_version, &list);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- versions ---- */

enum ag_err
core_secret_rollback(struct core *core, struct db_tx *tx,
                     const struct call *call, const char *name, int64_t version)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = secret_named(db_tx_read(tx), span_str(name), &row);

    (void)core;
    if (err == AG_OK) {
        err = versions_rollback(tx, row.id, version);
        err = err == AG_ENOTFOUND ? version_missing(&row, version) : err;
    }
    return err == AG_OK ? core_note(tx, call, AUDIT_VERSION_ROLLED, 0, row.id,
                                    json_pack("{s:s, s:I}", "name", name,
                                              "version", (json_int_t)version))
                        : err;
}

enum ag_err
core_secret_destroy(struct core *core, struct db_tx *tx,
                    const struct call *call, const char *name, int64_t version)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = secret_named(db_tx_read(tx), span_str(name), &row);

    (void)core;
    if (err == AG_OK) {
        err = rotation_lets_go(db_tx_read(tx), row.id, row.name, version);
    }
    if (err == AG_OK) {
        err = versions_destroy(tx, row.id, version);
        err = err == AG_ENOTFOUND ? version_missing(&row, version) : err;
    }
    return err == AG_OK
               ? core_note(tx, call, AUDIT_VERSION_DESTROYED, 0, row.id,
                           json_pack("{s:s, s:I}", "name", name, "version",
                                     (json_int_t)version))
               : err;
}
