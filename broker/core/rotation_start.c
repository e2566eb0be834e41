/* The first step of a rotation, and what its rule is changed by. */
#include <sodium.h>

#include "base/secret.h"
#include "core/redaction.h"
#include "core/rotation_impl.h"
#include "core/state.h"
#include "store/versions.h"

/* ---- the new value ---- */

enum ag_err
turn_keep(struct turn *t, struct db_tx *tx, const struct secret *value,
          int64_t *ret_version_id)
{
    const struct version_new add = {.secret_id = t->secret.id,
                                    .value = value,
                                    .state = VERSION_PENDING,
                                    .if_version = -1,
                                    .maker = MAKER_ROTATION};
    struct version_row version = {0};
    enum ag_err err = redaction_fits(value);

    if (err == AG_OK) {
        err = versions_add(tx, &add, &version);
    }
    if (err == AG_OK) {
        t->row.new_version = version.number;
        *ret_version_id = version.id;
    }
    return err;
}

enum ag_err
rotation_make_from(const struct rotator *rotator, struct db_read *r,
                   const struct secret_row *secret, struct secret **ret)
{
    AG_AUTO(secret) struct secret *old = NULL;
    enum ag_err err =
        versions_value(r, secret->id, secret->current_version, NULL, &old);

    return err == AG_OK ? rotator->make_from(old, ret) : err;
}

static enum ag_err
make_new(const struct turn *t, struct db_tx *tx, struct secret **ret)
{
    enum ag_err err = AG_OK;

    if (t->plan.rotator->make_from != NULL) {
        return rotation_make_from(t->plan.rotator, db_tx_read(tx), &t->secret,
                                  ret);
    }
    err = t->plan.rotator->make != NULL
              ? t->plan.rotator->make(t->plan.params, ret)
              : AG_ENOTFOUND;

    return err == AG_ENOTFOUND ? AG_OK : err;
}

static enum ag_err
note_rule(struct turn *t, struct db_tx *tx, enum audit_kind kind,
          const char *why)
{
    t->rest = REST_ENDED;
    return core_note(
        tx, t->call, kind, 0, t->secret.id,
        json_pack("{s:s, s:s}", "name", t->secret.name, "why", why));
}

static bool
is_time(const struct turn *t, struct db_tx *tx,
        const struct rotation_rule_row *rule)
{
    int64_t now_ms = db_tx_now_ms(tx);

    return rule->next_ms <= now_ms &&
           schedule_admit(&t->plan.schedule, now_ms) == now_ms;
}

/* It was missed, and now is outside its windows; or a clock that was wrong put
 * it further ahead than it can be. */
static enum ag_err
wait_on(struct turn *t, struct db_tx *tx, struct rotation_rule_row *rule)
{
    int64_t now_ms = db_tx_now_ms(tx);
    struct due due = {schedule_admit(&t->plan.schedule, now_ms),
                      rule->reach_ms};
    bool missed = rule->next_ms <= now_ms;
    enum ag_err err = missed ? AG_OK
                             : schedule_next(&t->plan.schedule, now_ms,
                                             randombytes_random(), &due);

    rule->next_ms = due.next_ms;
    rule->reach_ms = due.reach_ms;
    if (err == AG_OK) {
        err = rotation_rules_write(tx, rule);
    }
    return err == AG_OK ? note_rule(t, tx, AUDIT_ROTATION_RULE_SET,
                                    missed ? "outside_window" : "clock")
                        : err;
}

enum ag_err
turn_drop_rule(struct turn *t, struct db_tx *tx)
{
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    enum ag_err err = rotation_rules_of(db_tx_read(tx), t->secret.id, &rule);

    if (err == AG_OK) {
        rule.removed_ms = db_tx_now_ms(tx);
        err = rotation_rules_write(tx, &rule);
    }
    return err == AG_OK
               ? note_rule(t, tx, AUDIT_ROTATION_RULE_GONE, "secret_gone")
               : err;
}

enum ag_err
turn_start(struct core *core, struct turn *t, struct db_tx *tx)
{
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    int64_t version_id = 0;
    enum ag_err err = rotation_rules_of(db_tx_read(tx), t->secret.id, &rule);

    if (err != AG_OK) {
        return err;
    }
    err = rotation_plan_read(rule.plan, &t->plan);
    if (err == AG_OK && !t->forced && !is_time(t, tx, &rule)) {
        return wait_on(t, tx, &rule);
    }
    if (err == AG_OK) {
        err = rotation_can_act(core, t->plan.rotator);
    }
    if (err == AG_OK) {
        err = rotation_suits(t->plan.rotator, &t->secret);
    }
    t->row = (struct rotation_row){.secret_id = t->secret.id,
                                   .old_version = t->secret.current_version};
    t->row.plan = AG_TAKE(rule.plan);
    if (err == AG_OK) {
        err = make_new(t, tx, &value);
    }
    if (err == AG_OK && value != NULL) {
        err = turn_keep(t, tx, value, &version_id);
    }
    if (err == AG_OK) {
        err = rotations_write(tx, &t->row);
    }
    if (err == AG_OK) {
        err = turn_note(t, tx, AUDIT_ROTATION_STARTED, t->plan.rotator->name);
    }
    if (err != AG_OK) {
        return err;
    }
    t->fresh = true;
    return value != NULL ? redaction_add(core, &t->secret, version_id, value)
                         : AG_OK;
}

enum ag_err
turn_set_next(struct turn *t, struct db_tx *tx, bool undone)
{
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    struct due due = {0};
    int64_t retry_ms = db_tx_now_ms(tx) + ROTATION_RETRY_MS;
    enum ag_err err = rotation_rules_of(db_tx_read(tx), t->secret.id, &rule);

    if (err == AG_ENOTFOUND) {
        return AG_OK; /* it was removed meanwhile */
    }
    if (err == AG_OK) {
        err = rotation_plan_read(rule.plan, &plan);
    }
    if (err == AG_OK) {
        err = schedule_next(&plan.schedule, db_tx_now_ms(tx),
                            randombytes_random(), &due);
    }
    if (err != AG_OK) {
        return err;
    }
    rule.next_ms = undone && retry_ms < due.next_ms ? retry_ms : due.next_ms;
    rule.reach_ms = due.reach_ms;
    return rotation_rules_write(tx, &rule);
}
