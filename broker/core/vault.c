#include "core/vault.h"

#include <sodium.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/paths.h"
#include "base/secret.h"
#include "core/redaction.h"
#include "core/slots.h"
#include "core/state.h"
#include "core/vault_impl.h"
#include "store/moves.h"

enum ag_err
vault_set_id(struct core *core, json_t *answer)
{
    AG_AUTO(buf) struct buf text = {0};
    uint8_t id[VAULT_ID_BYTES];
    enum ag_err err = AG_OK;

    store_vault_id(core->store, id);
    buf_init(&text, 64, BUF_PLAIN);
    err = encode_hex(span_of(id, sizeof(id)), &text);
    if (err != AG_OK) {
        return err;
    }
    return json_object_set_new(
               answer, "vault_id",
               json_stringn((const char *)text.ptr, text.len)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static void
rebuild(void *arg)
{
    core_reload(arg);
}

static enum ag_err
make_slots(struct keyring *keyring, const struct secret *root,
           const struct secret *passphrase, const struct secret *code,
           int64_t first_id, struct slot_row rows[2])
{
    const uint8_t *id = keyring_vault_id(keyring);
    enum ag_err err = slot_row_make(id, first_id, SLOT_FACTOR_PASSPHRASE,
                                    passphrase, root, &rows[0]);

    return err == AG_OK ? slot_row_make(id, first_id + 1, SLOT_FACTOR_RECOVERY,
                                        code, root, &rows[1])
                        : err;
}

/* A keyring open under a new root key, and slots that lead to it. */
static enum ag_err
fresh_keys(const uint8_t *vault_id, int64_t first_slot,
           const struct secret *passphrase, const struct secret *code,
           struct slot_row rows[2], struct keyring **ret)
{
    AG_AUTO(secret) struct secret *root = NULL;
    AG_AUTO(keyring) struct keyring *keyring = NULL;
    enum ag_err err = kdf_root_new(&root);

    if (err == AG_OK) {
        err = keyring_new(vault_id, &keyring);
    }
    if (err == AG_OK) {
        err = keyring_open(keyring, root);
    }
    if (err == AG_OK) {
        err = make_slots(keyring, root, passphrase, code, first_slot, rows);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(keyring);
    }
    return err;
}

static enum ag_err
create(struct core *core, const struct secret *passphrase,
       const struct secret *code)
{
    AG_AUTO(keyring) struct keyring *keyring = NULL;
    struct slot_row rows[2];
    uint8_t vault_id[VAULT_ID_BYTES];
    enum ag_err err = AG_OK;

    randombytes_buf(vault_id, sizeof(vault_id));
    err = fresh_keys(vault_id, 1, passphrase, code, rows, &keyring);
    if (err == AG_OK) {
        err = store_create(core->parts.paths->home, keyring, rows,
                           AG_COUNT(rows), &core->store);
    }
    if (err != AG_OK) {
        return err;
    }
    store_on_rebuild(core->store, rebuild, core);
    store_on_gone(core->store, redaction_gone, core);
    core_set_keyring(core, AG_TAKE(keyring));
    core_used(core);
    atomic_store(&core->state, VAULT_OPEN);
    (void)pthread_mutex_lock(&core->set_lock);
    core->set_waits = true; /* an empty set is a set too */
    (void)pthread_mutex_unlock(&core->set_lock);
    err = shelf_open(core->shelf);
    if (err == AG_OK) {
        err = redaction_know(core);
    }
    return err == AG_OK ? redaction_commit(core) : err;
}

static enum ag_err
init(struct core *core, const struct call *call,
     const struct secret *passphrase, json_t **ret)
{
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(wjson) json_t *answer = NULL;
    enum ag_err err = AG_OK;

    if (atomic_load(&core->state) != VAULT_ABSENT) {
        return err_why(AG_EEXISTS, "there is a vault already in %s",
                       core->parts.paths->home);
    }
    if (secret_len(passphrase) < VAULT_PASSPHRASE_MIN_BYTES) {
        return err_why(AG_EINVAL, "the passphrase is shorter than %d bytes",
                       VAULT_PASSPHRASE_MIN_BYTES);
    }
    err = slot_recovery_new(&code);
    if (err == AG_OK) {
        err = create(core, passphrase, code);
    }
    if (err != AG_OK) {
        return err;
    }
    answer = json_pack("{s:s%}", "recovery_code",
                       (const char *)secret_view(code).ptr, secret_len(code));
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    err = vault_set_id(core, answer);
    if (err == AG_OK) {
        err = proof_approve(core, call, answer);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

enum ag_err
vault_init(struct core *core, const struct call *call,
           const struct secret *passphrase, json_t **ret)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->vault_lock);
    err = init(core, call, passphrase, ret);
    (void)pthread_mutex_unlock(&core->vault_lock);
    return err;
}

/* ---- rekey ---- */

/* Looked at again by store_rekey(); here before every task is ended for it. */
static enum ag_err
check_moves(struct core *core)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    uint64_t open = 0;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = moves_open_count(r, &open);
    }
    return err == AG_OK && open > 0
               ? err_why(AG_ECONFLICT, "%llu moves are unfinished",
                         (unsigned long long)open)
               : err;
}

static enum ag_err
rekey(struct core *core, const struct call *call,
      const struct secret *passphrase, json_t **ret)
{
    AG_AUTO(secret) struct secret *root = NULL;
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(keyring) struct keyring *fresh = NULL;
    struct slot_row rows[2];
    int64_t first = 0;
    enum ag_err err = proof_try(core, call, passphrase, NULL, &root);

    if (err == AG_OK) {
        err = check_moves(core);
    }
    if (err == AG_OK) {
        err = slot_recovery_new(&code);
    }
    if (err == AG_OK) {
        err = slots_next_id(core->store, &first);
    }
    if (err == AG_OK) {
        err = fresh_keys(keyring_vault_id(core->keyring), first, passphrase,
                         code, rows, &fresh);
    }
    if (err == AG_OK) {
        err = vault_end_all(core, call, END_REKEY, AUDIT_REKEY_STARTED);
    }
    if (err == AG_OK) {
        err = store_rekey(core->store, fresh, rows, AG_COUNT(rows));
    }
    if (err != AG_OK) {
        return err;
    }
    core_set_keyring(core, AG_TAKE(fresh));
    /* Failing, the filter takes placeholders out: no harm. */
    (void)!redaction_know(core);
    *ret = json_pack("{s:s%}", "recovery_code",
                     (const char *)secret_view(code).ptr, secret_len(code));
    core_reload(core);
    return *ret != NULL ? AG_OK : AG_ENOMEM;
}

enum ag_err
vault_rekey(struct core *core, const struct call *call,
            const struct secret *passphrase, json_t **ret)
{
    json_t *answer = NULL;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->vault_lock);
    err = core_need_open(core);
    if (err == AG_OK) {
        err = rekey(core, call, passphrase, &answer);
    }
    (void)pthread_mutex_unlock(&core->vault_lock);
    if (err != AG_OK) {
        json_decref(answer);
        return err;
    }
    *ret = answer;
    return AG_OK;
}
