/* What a run would do to a secret, for `rotate --dry-run`. */
#include "core/rotation_impl.h"

static json_t *
steps_from(enum rotation_state state, const struct rotation_plan *plan)
{
    json_t *steps = json_array();

    if (plan->rotator->refreshes) { /* all of it is one answer */
        json_decref(steps);
        return json_pack("[{s:s, s:s}]", "act", "refresh", "by",
                         plan->rotator->name);
    }
    for (int at = (int)state; steps != NULL && at <= (int)ROTATION_RETIRING;
         at++) {
        enum step_act act = step_act_of((enum rotation_state)at);
        bool ours = act == STEP_PROMOTE || act == STEP_OBSERVE ||
                    plan->rotator->act == NULL;

        if (json_array_append_new(
                steps, json_pack("{s:s, s:s}", "act", step_act_text(act), "by",
                                 ours ? "vault" : plan->rotator->name)) != 0) {
            json_decref(steps);
            return NULL;
        }
    }
    if (state == ROTATION_UNDOING && steps != NULL &&
        json_array_append_new(steps,
                              json_pack("{s:s, s:s}", "act", "undo", "by",
                                        plan->rotator->act == NULL
                                            ? "vault"
                                            : plan->rotator->name)) != 0) {
        json_decref(steps);
        return NULL;
    }
    return steps;
}

/* The open rotation, or one that would begin. Errors: AG_ENOTFOUND. */
static enum ag_err
find(struct db_read *r, const struct secret_row *secret,
     struct rotation_row *open, struct rotation_rule_row *rule)
{
    enum ag_err err = rotations_open_of(r, secret->id, open);

    if (err != AG_ENOTFOUND) {
        return err;
    }
    open->state = ROTATION_PREPARING;
    open->old_version = secret->current_version;
    return secret->removed_ms == 0 && secret->current_version != 0
               ? rotation_rules_of(r, secret->id, rule)
               : AG_ENOTFOUND;
}

static enum ag_err
add_item(const struct secret_row *secret, const struct rotation_row *open,
         const struct rotation_plan *plan, json_t *items)
{
    json_t *item = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:o}", "secret", secret->name,
        "result", "would", "rotation", (json_int_t)open->id, "state",
        open->id != 0 ? rotation_state_text(open->state) : "none", "rotator",
        plan->rotator->name, "old_version", (json_int_t)open->old_version,
        "new_version", (json_int_t)open->new_version, "grace_s",
        (json_int_t)(plan->grace_ms / 1000), "steps",
        steps_from(open->state, plan));

    return item != NULL && json_array_append_new(items, item) == 0 ? AG_OK
                                                                   : AG_ENOMEM;
}

enum ag_err
rotation_preview(struct db_read *r, int64_t secret_id, json_t *items)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_row) struct rotation_row open = {0};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    const char *text = NULL;
    enum ag_err err = secrets_get(r, secret_id, &secret);

    if (err == AG_OK) {
        err = find(r, &secret, &open, &rule);
    }
    if (err != AG_OK) {
        /* It went, or its rule did, since it was found due: a run would find
         * nothing to do either. */
        return err == AG_ENOTFOUND ? AG_OK : err;
    }
    text = open.plan != NULL ? open.plan : rule.plan;
    err = text != NULL ? rotation_plan_read(text, &plan) : AG_ECORRUPT;
    return err == AG_OK ? add_item(&secret, &open, &plan, items) : err;
}
