/* Rotations of what leaked (rotation.h): at once, and without grace. */
#include <string.h>

#include "core/mint_impl.h"
#include "core/rotation_impl.h"
#include "core/state.h"

/* Nothing was to be done, or nothing can be. */
static enum ag_err
add_other(struct run *run, const struct secret_row *secret, const char *result,
          const char *code)
{
    json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "secret", secret->name,
                             "result", result, "state", "none", "code", code);

    run->person_count += strcmp(result, "needs_person") == 0 ? 1 : 0;
    return item != NULL && json_array_append_new(run->items, item) == 0
               ? AG_OK
               : AG_ENOMEM;
}

/* What is known before; *ret_times: how often its rotation is gone on with. Of
 * one that is the new version of a rotation under way this ends first. */
static enum ag_err
find_leaked(struct run *run, const struct rotation_leaked *leaked,
            int *ret_times)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(rotation_rule_row) struct rotation_rule_row rule = {0};
    AG_AUTO(rotation_row) struct rotation_row open = {0};
    bool is_open = false;
    enum ag_err err = store_read(run->core->store, &r);

    *ret_times = 0;
    if (err == AG_OK) {
        err = secrets_get(r, leaked->secret_id, &secret);
    }
    if (err == AG_OK) {
        err = rotations_open_of(r, secret.id, &open);
        is_open = err == AG_OK;
        err = err == AG_ENOTFOUND ? AG_OK : err;
    }
    if (err != AG_OK) {
        return err;
    }
    if (is_open && (open.old_version == leaked->version ||
                    open.new_version == leaked->version)) {
        *ret_times = open.new_version == leaked->version ? 2 : 1;
        return AG_OK;
    }
    if (secret.current_version != leaked->version) {
        return add_other(run, &secret, "not_current", "not_current");
    }
    err = rotation_rules_of(r, secret.id, &rule);
    if (err == AG_ENOTFOUND && !is_open) {
        return add_other(run, &secret, "needs_person", "no_rule");
    }
    *ret_times = 1;
    return err == AG_ENOTFOUND ? AG_OK : err;
}

/* ---- minted: there is nothing to rotate, and something to revoke ---- */

/* Where the provider revokes none, or not this one, only its end helps. */
static const char *
result_of_revoke(struct run *run, const struct minted_row *row)
{
    if (row->state == MINTED_ENDED || row->state == MINTED_LOST) {
        return "revoked";
    }
    if (strcmp(row->code, MINTED_ENDS_ALONE) == 0 ||
        strcmp(row->code, MINTED_NEVER_KNOWN) == 0) {
        run->person_count++;
        return "needs_person";
    }
    run->failed_count++;
    return "failed";
}

static enum ag_err
add_revoked(struct run *run, const struct minted_row *row)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    json_t *item = NULL;
    enum ag_err err = store_read(run->core->store, &r);

    if (err == AG_OK) {
        err = secrets_get(r, row->secret_id, &secret);
    }
    if (err != AG_OK) {
        return err;
    }
    item = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "secret", secret.name,
                     "result", result_of_revoke(run, row), "state",
                     minted_state_text(row->state), "code", row->code,
                     "old_version", (json_int_t)row->version, "attempts",
                     (json_int_t)row->attempts);
    return item != NULL && json_array_append_new(run->items, item) == 0
               ? AG_OK
               : AG_ENOMEM;
}

/* Errors: AG_ENOTFOUND it is not one that was minted. */
static enum ag_err
revoke_minted(struct run *run, const struct rotation_leaked *leaked)
{
    AG_AUTO(minted_row) struct minted_row row = {0};
    enum ag_err err = mint_leaked(run->core, run->call, leaked->secret_id,
                                  leaked->version, &row);

    return err == AG_OK ? add_revoked(run, &row) : err;
}

static enum ag_err
rotate_leaked(struct run *run, const struct rotation_leaked *leaked)
{
    int times = 0;
    enum ag_err err = find_leaked(run, leaked, &times);

    for (int n = 0; err == AG_OK && n < times; n++) {
        err = run_one(run, leaked->secret_id);
    }
    return err;
}

enum ag_err
core_rotate_leaked(struct core *core, const struct call *call,
                   const struct rotation_leaked *leaked, size_t count,
                   json_t **ret)
{
    static const struct rotate_request by_name = {.due = false};
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "items");
    struct run run = {.core = core,
                      .call = call,
                      .request = &by_name,
                      .leaked = true,
                      .notices_from = rotation_notices_from(core),
                      .items = json_object_get(answer, "items")};
    enum ag_err err = answer != NULL ? AG_OK : AG_ENOMEM;

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = revoke_minted(&run, &leaked[i]);
        err = err == AG_ENOTFOUND ? rotate_leaked(&run, &leaked[i]) : err;
    }
    if (err == AG_OK) {
        err = run_sum_up(&run, answer);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
