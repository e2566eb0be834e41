#include <string.h>

#include "crypt/keyring.h"
#include "store/audit.h"
#include "store/ends.h"
#include "store/keys.h"
#include "store/meta_row.h"
#include "store/moves.h"
#include "store/roles.h"
#include "store/secrets_row.h"
#include "store/store_impl.h"
#include "store/tokens.h"
#include "store/tx.h"
#include "store/writer.h"

static const char SQL_SECRETS[] =
    "SELECT id FROM secret WHERE id >= ?1 AND id > ?2 ORDER BY id LIMIT ?3";
static const char SQL_ROLES[] =
    "SELECT id FROM role WHERE ended_ms = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

struct rekey {
    struct store *s;
    struct keyring *fresh;
    struct keyring *old_ring;
    struct keys *old_keys; /* taken out of use, for the way back */
    struct slot_row *slots;
    size_t slot_count;
};

static enum ag_err
reseal_secret(struct db_tx *tx, int64_t id, void *arg)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err = secrets_get(db_tx_read(tx), id, &secret);

    (void)arg;
    return err != AG_OK ? err : secret_row_write(tx, &secret);
}

static enum ag_err
end_role(struct db_tx *tx, int64_t id, void *arg)
{
    (void)arg;
    return roles_end(tx, id, END_REKEY);
}

/* Roles and tokens hang on the hash key that goes. */
static enum ag_err
end_tokens(struct db_tx *tx)
{
    struct ends_walk roles = {.sql = SQL_ROLES, .each = end_role};
    struct revoke how = {.reason = END_REKEY};
    uint64_t count = 0;
    enum ag_err err = ends_each(tx, &roles);

    return err != AG_OK ? err : tokens_revoke_all(tx, &how, &count);
}

/* From here on the transaction writes with the fresh keys. */
static enum ag_err
turn_keys(struct db_tx *tx, struct rekey *job)
{
    AG_AUTO(keys) struct keys *grown = NULL;
    struct db_read *r = db_tx_read(tx);
    enum ag_err err = keys_copy(db_keys(r), &grown);

    if (err == AG_OK) {
        err = key_rows_renew(tx, job->fresh, grown);
    }
    if (err != AG_OK) {
        return err;
    }
    job->old_keys = db_keys_swap(job->s->db, AG_TAKE(grown), job->fresh);
    return key_rows_put(tx, job->fresh, db_keys(r));
}

static enum ag_err
reseal(struct db_tx *tx, struct rekey *job)
{
    struct ends_walk secrets = {.sql = SQL_SECRETS, .each = reseal_secret};
    struct vault_row vault;
    enum ag_err err = ends_each(tx, &secrets);

    if (err == AG_OK) {
        err = versions_rewrap_all(tx, job->old_ring, job->fresh);
    }
    if (err == AG_OK) {
        err = wraps_rewrap_all(tx, job->old_ring, job->fresh);
    }
    if (err == AG_OK) {
        err = slots_replace_all(tx, job->slots, job->slot_count);
    }
    if (err == AG_OK) {
        err = vault_row_get(db_tx_read(tx), &vault);
    }
    return err != AG_OK ? err : vault_row_put(tx, &vault);
}

static enum ag_err
run_rekey(struct db_tx *tx, void *arg)
{
    struct rekey *job = arg;
    uint64_t open = 0;
    enum ag_err err = moves_open_count(db_tx_read(tx), &open);

    if (err == AG_OK && open > 0) {
        err = err_why(AG_ECONFLICT, "%llu moves are unfinished",
                      (unsigned long long)open);
    }
    if (err == AG_OK) {
        err = end_tokens(tx);
    }
    if (err == AG_OK) {
        err = turn_keys(tx, job);
    }
    if (err == AG_OK) {
        err = reseal(tx, job);
    }
    tx->wiped = true; /* no old slot stays in the WAL */
    return err != AG_OK ? err : audit_note(tx, AUDIT_VAULT_REKEYED, 0, 0, NULL);
}

/* The writer is held, no reader is in. */
static enum ag_err
rekey_held(struct store *s, struct rekey *job)
{
    enum ag_err err = store_is_open(s) ? store_settle(s) : AG_ELOCKED;

    if (err != AG_OK) {
        return err;
    }
    job->old_ring = db_ring(db_tx_read(db_writer(s->db)));
    err = writer_run_held(s->writer, run_rekey, job);
    if (err != AG_OK && job->old_keys != NULL) {
        keys_free(db_keys_swap(s->db, AG_TAKE(job->old_keys), job->old_ring));
    }
    keys_free(AG_TAKE(job->old_keys));
    return err;
}

enum ag_err
store_rekey(struct store *s, struct keyring *fresh, struct slot_row *slots,
            size_t slot_count)
{
    struct rekey job = {
        .s = s, .fresh = fresh, .slots = slots, .slot_count = slot_count};
    enum ag_err err;

    if (slot_count == 0 || slot_count > SLOTS_MAX_COUNT) {
        return err_why(AG_EINVAL, "a vault needs 1 to %d slots",
                       SLOTS_MAX_COUNT);
    }
    writer_hold(s->writer);
    db_readers_pause(s->db);
    err = rekey_held(s, &job);
    db_readers_resume(s->db);
    writer_release(s->writer);
    writer_wake(s->writer); /* empties the WAL, syncs the head */
    return err;
}
