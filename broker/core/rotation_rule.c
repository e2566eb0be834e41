/* Rules of rotation (rotation.h): set, shown, removed; and the journal shown. */
#include <stdlib.h>

#include <sodium.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/incident.h"
#include "core/mint.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "rotate/program.h"
#include "rotate/steps.h"
#include "store/rotations.h"
#include "store/versions.h"

static enum ag_err
check_right(struct db_tx *tx, const struct call *call,
            const struct rotation_plan *plan)
{
    struct program program;
    const char *name = plan->rotator->program_name != NULL
                           ? plan->rotator->program_name(plan->params)
                           : NULL;

    enum ag_err err = AG_OK;

    /* By this rule a program is started, or gets the value, or an address of
     * somebody's choosing what it signs. */
    if ((name != NULL || plan->notify != NULL ||
         json_object_get(plan->params, "endpoint") != NULL) &&
        call->who != CALLER_PROOF) {
        return AG_EPROOF;
    }
    if (name != NULL) {
        err = program_find(db_tx_read(tx), name, &program);
    }
    return err == AG_OK && plan->notify != NULL
               ? program_find(db_tx_read(tx), plan->notify, &program)
               : err;
}

static enum ag_err
check_has_value(const struct secret_row *secret)
{
    if (mint_has_rule(secret)) {
        return err_why(AG_ECONFLICT,
                       "%s is minted for each task, and has no value of its "
                       "own that could rotate",
                       secret->name);
    }
    return secret->current_version != 0
               ? AG_OK
               : err_why(AG_ECONFLICT,
                         "%s has no current version; see: auth-guard versions "
                         "%s",
                         secret->name, secret->name);
}

static enum ag_err
check_secret(struct core *core, struct db_read *r,
             const struct rotation_plan *plan, const struct secret_row *secret)
{
    enum ag_err err = check_has_value(secret);

    if (err == AG_OK) {
        err = rotation_suits(plan->rotator, secret);
    }
    return err == AG_OK && plan->rotator->refreshes
               ? rotation_refreshes(core, r, secret)
               : err;
}

/* By whom the provider knows us is in the vault. */
static enum ag_err
check_source(struct core *core, struct db_tx *tx,
             const struct rotation_plan *plan)
{
    AG_AUTO(secret) struct secret *source = NULL;
    const char *ref =
        json_string_value(json_object_get(plan->params, "source"));

    return ref == NULL ? AG_OK
                       : value_by_reference(core, db_tx_read(tx), ref, &source);
}

/* What can't be made of the value there is, is told now and not at night. */
static enum ag_err
check_value(struct db_tx *tx, const struct secret_row *secret,
            const struct rotation_plan *plan)
{
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(secret) struct secret *tried = NULL;
    const struct rotator *rotator = plan->rotator;
    enum ag_err err = AG_OK;

    if (rotator->make_from != NULL) {
        return rotation_make_from(rotator, db_tx_read(tx), secret, &tried);
    }
    if (rotator->suits != NULL) {
        err = versions_value(db_tx_read(tx), secret->id,
                             secret->current_version, NULL, &value);
    }
    return err == AG_OK && rotator->suits != NULL
               ? rotator->suits(plan->params, value)
               : err;
}

static enum ag_err
rule_item(const struct secret_row *secret, const struct rotation_rule_row *row,
          json_t **ret)
{
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = rotation_plan_read(row->plan, &plan);

    if (err == AG_OK) {
        err = detail_of_secret(secret, &detail);
    }
    if (err != AG_OK) {
        return err;
    }
    item = json_deep_copy(plan.tree);
    if (item == NULL ||
        json_object_set_new(item, "secret", json_string(secret->name)) != 0 ||
        json_object_set_new(item, "on_leak",
                            json_string(incident_rule_of(detail))) != 0) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "next", row->next_ms);
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

/* The rule there is, or a new row. */
static enum ag_err
rule_row(struct db_tx *tx, int64_t secret_id, struct rotation_rule_row *ret)
{
    enum ag_err err = rotation_rules_of(db_tx_read(tx), secret_id, ret);

    if (err == AG_ENOTFOUND) {
        ret->secret_id = secret_id;
        return AG_OK;
    }
    free(AG_TAKE(ret->plan));
    return err;
}

enum ag_err
core_rotation_rule_set(struct core *core, struct db_tx *tx,
                       const struct call *call,
                       const struct rotation_rule_request *request,
                       json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row row = {0};
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    struct due due = {0};
    enum ag_err err = secret_name_free(span_str(request->name));

    if (err == AG_OK) {
        err = secret_named(db_tx_read(tx), span_str(request->name), &secret);
    }
    if (err == AG_OK) {
        err = rule_row(tx, secret.id, &row);
    }
    if (err == AG_OK) {
        err = rotation_plan_make(request, &plan, &row.plan);
    }
    if (err == AG_OK) {
        err = check_secret(core, db_tx_read(tx), &plan, &secret);
    }
    if (err == AG_OK) {
        err = check_right(tx, call, &plan);
    }
    if (err == AG_OK) {
        err = check_source(core, tx, &plan);
    }
    if (err == AG_OK) {
        err = check_value(tx, &secret, &plan);
    }
    if (err == AG_OK) {
        err = schedule_next(&plan.schedule, db_tx_now_ms(tx),
                            randombytes_random(), &due);
    }
    if (err != AG_OK) {
        return err;
    }
    row.next_ms = due.next_ms;
    row.reach_ms = due.reach_ms;
    err = rotation_rules_write(tx, &row);
    if (err == AG_OK) {
        err = rule_item(&secret, &row, ret);
    }
    return err == AG_OK
               ? core_note(tx, call, AUDIT_ROTATION_RULE_SET, 0, secret.id,
                           json_pack("{s:s, s:O}", "name", secret.name, "rule",
                                     plan.tree))
               : err;
}

static enum ag_err
find_rule(struct db_read *r, const char *name, struct secret_row *secret,
          struct rotation_rule_row *row)
{
    enum ag_err err = secret_named(r, span_str(name), secret);

    if (err == AG_OK) {
        err = rotation_rules_of(r, secret->id, row);
        err = err == AG_ENOTFOUND
                  ? err_why(err,
                            "%s has no rule of rotation; see: auth-guard "
                            "rotate rule set",
                            name)
                  : err;
    }
    return err;
}

enum ag_err
core_rotation_rule_show(struct core *core, const char *name, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row row = {0};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = find_rule(r, name, &secret, &row);
    }
    return err == AG_OK ? rule_item(&secret, &row, ret) : err;
}

enum ag_err
core_rotation_rule_remove(struct core *core, struct db_tx *tx,
                          const struct call *call, const char *name)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row row = {0};
    enum ag_err err = find_rule(db_tx_read(tx), name, &secret, &row);

    (void)core;
    if (err == AG_OK) {
        row.removed_ms = db_tx_now_ms(tx);
        err = rotation_rules_write(tx, &row);
    }
    return err == AG_OK
               ? core_note(tx, call, AUDIT_ROTATION_RULE_GONE, 0, secret.id,
                           json_pack("{s:s}", "name", secret.name))
               : err;
}

/* ---- lists ---- */

struct listing {
    struct db_read *r;
    json_t *items;
};

static enum ag_err
append(const struct listing *listing, json_t *item)
{
    return json_array_append_new(listing->items, item) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
list_rule(const struct rotation_rule_row *row, void *arg)
{
    const struct listing *listing = arg;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    json_t *item = NULL;
    enum ag_err err = secrets_get(listing->r, row->secret_id, &secret);

    if (err != AG_OK || secret.removed_ms != 0) {
        return err;
    }
    err = rule_item(&secret, row, &item);
    return err == AG_OK ? append(listing, item) : err;
}

enum ag_err
core_rotation_rule_list(struct core *core, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "rules");
    struct listing listing = {.items = json_object_get(answer, "rules")};
    enum ag_err err = store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.r = r;
    err = rotation_rules_each(r, list_rule, &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

static enum ag_err
list_rotation(const struct rotation_row *row, void *arg)
{
    const struct listing *listing = arg;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    enum ag_err err = secrets_get(listing->r, row->secret_id, &secret);

    if (err != AG_OK) {
        return err;
    }
    item = json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:s}", "rotation",
                     (json_int_t)row->id, "secret", secret.name, "state",
                     rotation_state_text(row->state), "old_version",
                     (json_int_t)row->old_version, "new_version",
                     (json_int_t)row->new_version, "attempts",
                     (json_int_t)row->attempts, "code", row->code);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "started", row->created_ms);
    if (err == AG_OK) {
        err = core_set_time(item, "changed", row->changed_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "due",
                            step_is_open(row->state) ? row->due_ms : 0);
    }
    return err == AG_OK ? append(listing, AG_TAKE(item)) : err;
}

enum ag_err
core_rotation_list(struct core *core, const char *name, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "rotations");
    struct listing listing = {.items = json_object_get(answer, "rotations")};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK && name != NULL) {
        err = secret_named(r, span_str(name), &secret);
    }
    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.r = r;
    err = rotations_each(r, secret.id, ROTATION_LIST_MAX_COUNT, list_rotation,
                         &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

enum ag_err
rotation_lets_go(struct db_read *r, int64_t secret_id, const char *name,
                 int64_t version)
{
    bool held = false;
    enum ag_err err = rotations_hold(r, secret_id, version, &held);

    return err == AG_OK && held
               ? err_why(AG_ECONFLICT,
                         "version %lld of %s is part of a rotation under way; "
                         "see: auth-guard rotate log %s",
                         (long long)version, name, name)
               : err;
}

enum ag_err
rotation_none_open(struct db_read *r, int64_t secret_id)
{
    AG_AUTO(rotation_row) struct rotation_row open = {0};
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err = rotations_open_of(r, secret_id, &open);

    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_OK : err;
    }
    err = secrets_get(r, secret_id, &secret);
    return err == AG_OK
               ? err_why(AG_ECONFLICT,
                         "a rotation of %s is under way; finish it with: "
                         "auth-guard rotate %s, when its grace is over; or go "
                         "back before that with: auth-guard rollback %s %lld",
                         secret.name, secret.name, secret.name,
                         (long long)open.old_version)
               : err;
}
