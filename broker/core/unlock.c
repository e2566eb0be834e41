/* From locked to open (vault.h): keys, record, redaction set, leftovers. */
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "core/holds.h"
#include "core/incident_impl.h"
#include "core/intake.h"
#include "core/issue.h"
#include "core/mint.h"
#include "core/redaction.h"
#include "core/rotation.h"
#include "core/slots.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/vault.h"
#include "core/vault_impl.h"
#include "store/audit_check.h"
#include "store/moves.h"
#include "store/rotations.h"
#include "store/tasks.h"

static enum ag_err
say(json_t *found, uint64_t number, const char *what)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%llu %s", (unsigned long long)number,
                   what);
    return json_array_append_new(found, json_string(text)) == 0 ? AG_OK
                                                                : AG_ENOMEM;
}

/* Tasks whose broker died: their line broke, so their processes are gone. */
struct leftovers {
    struct core_job job;
    int64_t ids[TREE_TASKS_MAX_COUNT];
    size_t count;
};

static enum ag_err
collect(const struct task_row *row, void *arg)
{
    struct leftovers *l = arg;

    if (l->count < AG_COUNT(l->ids)) {
        l->ids[l->count++] = row->id;
    }
    return AG_OK;
}

static enum ag_err
run_leftovers(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct leftovers *l = (struct leftovers *)job;
    enum ag_err err = tasks_live_each(db_tx_read(tx), collect, l);

    for (size_t i = 0; i < l->count && err == AG_OK; i++) {
        err = core_end_task(core, tx, l->ids[i], END_BROKER, -1);
    }
    return err;
}

static enum ag_err
end_leftovers(struct core *core, json_t *found)
{
    struct leftovers *l = calloc(1, sizeof(*l));
    enum ag_err err = AG_OK;
    size_t count = 0;

    if (l == NULL) {
        return AG_ENOMEM;
    }
    l->job.run = run_leftovers;
    err = core_write_wait(core, &l->job);
    count = l->count;
    free(l);
    if (err == AG_OK && count > 0) {
        err = say(found, count, "task(s) of a broker that died were ended");
    }
    return err;
}

static enum ag_err
say_found(struct core *core, const struct store_found *what, json_t *found)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    uint64_t moves = 0;
    uint64_t rotations = 0;
    uint64_t incidents = 0;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = moves_open_count(r, &moves);
    }
    if (err == AG_OK && moves > 0) {
        err =
            say(found, moves, "move(s) between file and vault are unfinished");
    }
    if (err == AG_OK) {
        err = rotations_open_count(r, &rotations);
    }
    if (err == AG_OK && rotations > 0) {
        err = say(found, rotations,
                  "rotation(s) are under way; see: auth-guard rotate log");
    }
    if (err == AG_OK) {
        err = incidents_open_count(r, &incidents);
    }
    if (err == AG_OK && incidents > 0) {
        err = say(found, incidents,
                  "incident(s) are open; see: auth-guard incident list");
    }
    if (err == AG_OK && what->uses_folded > 0) {
        err = say(found, what->uses_folded,
                  "use(s) were put on the record after a crash");
    }
    if (err == AG_OK && what->uses_torn_count + what->uses_lost_count > 0) {
        err = say(found, what->uses_torn_count + what->uses_lost_count,
                  "record(s) of the use journal were cut or changed; see "
                  "uses.lost in: auth-guard audit tail");
    }
    return err;
}

/* Everything that makes a vault ready but for the keys. */
static enum ag_err
settle(struct core *core, const struct store_found *what, json_t *found)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = audit_verify_small(core->store);

    /* A secret or version that was put back is noticed before it is used. */
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK) {
        err = trust_load(core, r);
    }
    if (err == AG_OK) {
        err = redaction_fill(core, r);
    }
    db_read_close(AG_TAKE(r));
    if (err == AG_OK) {
        err = end_leftovers(core, found);
    }
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK) {
        err = issue_load(core, r);
    }
    if (err == AG_OK) {
        err = holds_load(core->holds, r);
    }
    db_read_close(AG_TAKE(r));
    if (err == AG_OK) {
        err = intake_spilled(core, found);
    }
    return err == AG_OK ? say_found(core, what, found) : err;
}

static enum ag_err
open_with(struct core *core, const struct secret *root, bool accept_rollback,
          json_t *found)
{
    AG_AUTO(keyring) struct keyring *keyring = NULL;
    struct store_found what = {0};
    uint8_t vault_id[VAULT_ID_BYTES];
    enum ag_err err = AG_OK;

    store_vault_id(core->store, vault_id);
    err = keyring_new(vault_id, &keyring);
    if (err == AG_OK) {
        err = keyring_open(keyring, root);
    }
    if (err == AG_OK) {
        err = store_unlock(core->store, keyring, &what);
    }
    if (err == AG_EROLLBACK && !accept_rollback) {
        char why[STORE_WHY_BYTES];

        (void)snprintf(why, sizeof(why), "%s", err_text(err));
        return err_why(err,
                       "%s; if you restored it: auth-guard unlock "
                       "--accept-rollback",
                       why);
    }
    if (err == AG_EROLLBACK) {
        err = store_accept_rollback(core->store, keyring);
        if (err == AG_OK) {
            err = store_unlock(core->store, keyring, &what);
        }
    }
    if (err != AG_OK) {
        return err;
    }
    core_set_keyring(core, AG_TAKE(keyring));
    err = settle(core, &what, found);
    if (err == AG_OK) {
        err = shelf_open(core->shelf);
    }
    if (err != AG_OK) {
        vault_close_keys(core);
        return err;
    }
    return AG_OK;
}

/* Open for others only once it is on the record. */
static enum ag_err
open_on_record(struct core *core, const struct call *call,
               const struct secret *root, const struct unlock_request *request,
               json_t *found, json_t *body)
{
    AG_AUTO(wjson) json_t *note = body;
    enum ag_err err = open_with(core, root, request->accept_rollback, found);

    if (err != AG_OK) {
        return err;
    }
    err = proof_note(core, call, AUDIT_VAULT_UNLOCKED, AG_TAKE(note));
    if (err != AG_OK) {
        vault_close_keys(core);
        return err;
    }
    atomic_store(&core->state, VAULT_OPEN);
    rotation_resume(core);
    incident_follow(core);
    mints_open(core->mints);
    return AG_OK;
}

static enum ag_err
factor_of(const struct unlock_request *request, enum slot_factor *ret,
          const struct secret **ret_secret)
{
    int given = (request->passphrase != NULL) +
                (request->recovery_code != NULL) + (request->key != NULL);

    if (given != 1) {
        return err_why(AG_EINVAL,
                       "give one of passphrase, recovery_code or key");
    }
    if (request->passphrase != NULL) {
        *ret = SLOT_FACTOR_PASSPHRASE;
        *ret_secret = request->passphrase;
    } else if (request->recovery_code != NULL) {
        *ret = SLOT_FACTOR_RECOVERY;
        *ret_secret = request->recovery_code;
    } else {
        *ret = SLOT_FACTOR_KEY;
        *ret_secret = request->key;
    }
    return AG_OK;
}

static enum ag_err
unlock(struct core *core, const struct call *call,
       const struct unlock_request *request, json_t *answer)
{
    AG_AUTO(secret) struct secret *root = NULL;
    const struct secret *given = NULL;
    enum slot_factor factor = SLOT_FACTOR_PASSPHRASE;
    int misses = atomic_load(&core->passphrase_misses);
    bool was_open = atomic_load(&core->state) == VAULT_OPEN;
    json_t *body = NULL;
    enum ag_err err = factor_of(request, &factor, &given);

    if (err == AG_OK && request->accept_rollback &&
        factor != SLOT_FACTOR_PASSPHRASE) {
        err = err_why(AG_EINVAL, "accept_rollback: only with the passphrase");
    }
    if (err == AG_OK && core->store == NULL) {
        err = AG_ENOVAULT;
    }
    if (err == AG_OK) {
        err = slots_try(core, factor, given, NULL, &root);
    }
    if (err == AG_EPASSPHRASE && was_open) {
        (void)!proof_note(core, call, AUDIT_PROOF_FAILED, NULL);
        return AG_EPASSPHRASE;
    }
    if (err != AG_OK) {
        return err;
    }
    core_used(core);
    body = json_pack("{s:i}", "failed_before", misses);
    err = was_open ? proof_note(core, call, AUDIT_PROOF_GIVEN, body)
                   : open_on_record(core, call, root, request,
                                    json_object_get(answer, "found"), body);
    return err == AG_OK && factor == SLOT_FACTOR_PASSPHRASE
               ? proof_approve(core, call, answer)
               : err;
}

enum ag_err
vault_unlock(struct core *core, const struct call *call,
             const struct unlock_request *request, json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "found");
    enum ag_err err = AG_OK;

    if (answer == NULL) {
        return AG_ENOMEM;
    }
    if (call->who == CALLER_TASK) {
        return err_why(AG_EDENIED, "a task can't unlock the vault");
    }
    (void)pthread_mutex_lock(&core->vault_lock);
    err = unlock(core, call, request, answer);
    if (err == AG_OK) {
        err = vault_set_id(core, answer);
    }
    (void)pthread_mutex_unlock(&core->vault_lock);
    if (err == AG_OK &&
        json_object_set_new(answer, "operator",
                            json_boolean(request->passphrase != NULL)) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
