#include "core/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "core/state.h"
#include "core/vault.h"
#include "core/vault_impl.h"

enum {
    MISSES_FREE_COUNT = 3, /* slips of the finger */
    MISS_WAIT_MS = 1000,   /* doubled with each miss after those */
    MISS_WAIT_MAX_MS = 60000,
};

static enum slot_kind
kind_of(enum slot_factor factor)
{
    switch (factor) {
    case SLOT_FACTOR_PASSPHRASE:
        return SLOT_PASSPHRASE;
    case SLOT_FACTOR_KEY:
        return SLOT_KEY;
    case SLOT_FACTOR_RECOVERY:
        return SLOT_RECOVERY;
    }
    return SLOT_PASSPHRASE;
}

enum ag_err
slot_row_make(const uint8_t *vault_id, int64_t id, enum slot_factor factor,
              const struct secret *secret, const struct secret *root,
              struct slot_row *ret)
{
    const struct slot_at at = {
        .vault_id = vault_id, .slot_id = id, .factor = factor};
    const struct slot_cost cost = slot_cost_default();
    AG_AUTO(buf) struct buf blob = {0};
    enum ag_err err = AG_OK;

    buf_init(&blob, SLOT_BLOB_MAX_BYTES, BUF_PLAIN);
    err = slot_make(&at, &cost, secret, root, &blob);
    if (err != AG_OK) {
        return err;
    }
    *ret = (struct slot_row){.id = id, .kind = kind_of(factor)};
    memcpy(ret->blob, blob.ptr, blob.len);
    ret->blob_len = blob.len;
    return AG_OK;
}

/* What was given is not right for any slot of its kind. */
static enum ag_err
opens_nothing(enum slot_factor factor)
{
    switch (factor) {
    case SLOT_FACTOR_PASSPHRASE:
        break; /* its row says it */
    case SLOT_FACTOR_KEY:
        return err_why(AG_EPASSPHRASE,
                       "the key file opens nothing here (rekey ends the keys "
                       "of before); unlock with the passphrase");
    case SLOT_FACTOR_RECOVERY:
        return err_why(AG_EPASSPHRASE,
                       "the recovery code is not right (rekey makes a new one, "
                       "and the old one opens nothing)");
    }
    return AG_EPASSPHRASE;
}

static enum ag_err
open_one(struct core *core, enum slot_factor factor,
         const struct secret *secret, struct slot_row *ret_slot,
         struct secret **ret_root)
{
    struct slot_row *rows = calloc(SLOTS_MAX_COUNT, sizeof(*rows));
    uint8_t vault_id[VAULT_ID_BYTES];
    size_t count = 0;
    enum ag_err err =
        rows != NULL ? slots_list(core->store, rows, &count) : AG_ENOMEM;

    store_vault_id(core->store, vault_id);
    if (err == AG_OK) {
        err = AG_EPASSPHRASE;
    }
    for (size_t i = 0; i < count && err == AG_EPASSPHRASE; i++) {
        const struct slot_at at = {
            .vault_id = vault_id, .slot_id = rows[i].id, .factor = factor};

        if (rows[i].kind != kind_of(factor)) {
            continue;
        }
        err = slot_open(&at, span_of(rows[i].blob, rows[i].blob_len), secret,
                        ret_root);
        if (err == AG_OK && ret_slot != NULL) {
            *ret_slot = rows[i];
        }
    }
    free(rows);
    return err == AG_EPASSPHRASE ? opens_nothing(factor) : err;
}

static void
missed(struct core *core)
{
    int misses = atomic_fetch_add(&core->passphrase_misses, 1) + 1;
    int over = misses - MISSES_FREE_COUNT;
    int64_t wait_ms = 0;

    if (over > 0) {
        wait_ms = over > 6 ? MISS_WAIT_MAX_MS : (int64_t)MISS_WAIT_MS << over;
    }
    atomic_store(&core->passphrase_wait_ms, clock_steady_ms() + wait_ms);
}

enum ag_err
slots_try(struct core *core, enum slot_factor factor,
          const struct secret *secret, struct slot_row *ret_slot,
          struct secret **ret_root)
{
    int64_t left_ms =
        atomic_load(&core->passphrase_wait_ms) - clock_steady_ms();
    enum ag_err err = AG_OK;

    if (left_ms > 0) {
        return err_why(AG_ERATE, "too many wrong tries; wait %lld s",
                       (long long)((left_ms + 999) / 1000));
    }
    err = open_one(core, factor, secret, ret_slot, ret_root);
    if (err == AG_EPASSPHRASE) {
        missed(core);
    } else if (err == AG_OK) {
        atomic_store(&core->passphrase_misses, 0);
    }
    return err;
}

/* ---- the use cases (vault.h) ---- */

enum ag_err
vault_slots(struct core *core, json_t **ret)
{
    struct slot_row *rows = calloc(SLOTS_MAX_COUNT, sizeof(*rows));
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "slots");
    size_t count = 0;
    enum ag_err err = core->store != NULL ? AG_OK : AG_ENOVAULT;

    if (rows == NULL) {
        return AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = slots_list(core->store, rows, &count);
    }
    for (size_t i = 0; i < count && err == AG_OK; i++) {
        char id[24];
        json_t *item = NULL;

        (void)snprintf(id, sizeof(id), "%lld", (long long)rows[i].id);
        item = json_pack("{s:s, s:s}", "id", id, "kind",
                         slot_kind_text(rows[i].kind));
        err = item != NULL ? core_set_time(item, "created", rows[i].created_ms)
                           : AG_ENOMEM;
        if (json_array_append_new(json_object_get(answer, "slots"), item) !=
            0) {
            err = AG_ENOMEM;
        }
    }
    free(rows);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

struct slot_job {
    struct core_job job;
    const struct call *call;
    struct slot_row *row;
    int64_t id;
    enum audit_kind kind;
};

static enum ag_err
note_slot(struct db_tx *tx, const struct slot_job *s)
{
    return core_note(
        tx, s->call, s->kind, 0, 0,
        json_pack("{s:I}", "slot",
                  (json_int_t)(s->row != NULL ? s->row->id : s->id)));
}

static enum ag_err
run_add(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct slot_job *s = (struct slot_job *)job;
    enum ag_err err = slots_add(tx, s->row);

    (void)core;
    return err == AG_OK ? note_slot(tx, s) : err;
}

static enum ag_err
run_remove(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct slot_job *s = (struct slot_job *)job;
    enum ag_err err = slots_remove(tx, s->id);

    (void)core;
    if (err == AG_ENOTFOUND) {
        return err_why(AG_ENOTFOUND,
                       "there is no slot %lld; see: auth-guard slot list",
                       (long long)s->id);
    }
    return err == AG_OK ? note_slot(tx, s) : err;
}

static enum ag_err
run_replace(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct slot_job *s = (struct slot_job *)job;
    enum ag_err err = slots_replace(tx, s->row);

    (void)core;
    return err == AG_OK ? note_slot(tx, s) : err;
}

static enum ag_err
add_slot(struct core *core, const struct call *call, enum slot_factor factor,
         const struct secret *secret, int64_t *ret_id)
{
    struct slot_row row = {0};
    struct slot_job job = {.job.run = run_add,
                           .call = call,
                           .row = &row,
                           .kind = AUDIT_SLOT_ADDED};
    const struct secret *root = NULL;
    int64_t id = 0;
    enum ag_err err = AG_OK;

    /* Under the lock: the keyring stays where it is. */
    (void)pthread_mutex_lock(&core->vault_lock);
    err = core_need_open(core);
    if (err == AG_OK) {
        err = keyring_root(core->keyring, &root);
    }
    if (err == AG_OK) {
        err = slots_next_id(core->store, &id);
    }
    if (err == AG_OK) {
        err = slot_row_make(keyring_vault_id(core->keyring), id, factor, secret,
                            root, &row);
    }
    if (err == AG_OK) {
        err = core_write_wait(core, &job.job);
    }
    (void)pthread_mutex_unlock(&core->vault_lock);
    if (err == AG_OK) {
        *ret_id = id;
    }
    return err;
}

static enum ag_err
slot_answer(int64_t id, const struct secret *code, json_t **ret)
{
    char text[24];
    json_t *answer = NULL;

    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    answer =
        code == NULL
            ? json_pack("{s:s}", "id", text)
            : json_pack("{s:s, s:s%}", "id", text, "recovery_code",
                        (const char *)secret_view(code).ptr, secret_len(code));
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    *ret = answer;
    return AG_OK;
}

enum ag_err
vault_slot_add(struct core *core, const struct call *call, const char *kind,
               const struct secret *key, json_t **ret)
{
    AG_AUTO(secret) struct secret *code = NULL;
    int64_t id = 0;
    enum ag_err err = AG_OK;

    if (span_is(span_str(kind), "recovery")) {
        err = slot_recovery_new(&code);
        if (err == AG_OK) {
            err = add_slot(core, call, SLOT_FACTOR_RECOVERY, code, &id);
        }
    } else if (span_is(span_str(kind), "key") && key != NULL) {
        err = add_slot(core, call, SLOT_FACTOR_KEY, key, &id);
    } else {
        err = err_why(AG_EINVAL, "kind: recovery, or key with a key");
    }
    return err == AG_OK ? slot_answer(id, code, ret) : err;
}

enum ag_err
vault_slot_remove(struct core *core, const struct call *call, int64_t id)
{
    struct slot_job job = {.job.run = run_remove,
                           .call = call,
                           .id = id,
                           .kind = AUDIT_SLOT_REMOVED};

    return core_write_wait(core, &job.job);
}

enum ag_err
vault_change_passphrase(struct core *core, const struct call *call,
                        const struct secret *old_passphrase,
                        const struct secret *new_passphrase)
{
    AG_AUTO(secret) struct secret *root = NULL;
    struct slot_row row = {0};
    struct slot_row fresh = {0};
    struct slot_job job = {.job.run = run_replace,
                           .call = call,
                           .row = &fresh,
                           .kind = AUDIT_PASSPHRASE_SET};
    enum ag_err err = AG_OK;

    if (secret_len(new_passphrase) < VAULT_PASSPHRASE_MIN_BYTES) {
        return err_why(AG_EINVAL, "the new passphrase is shorter than %d bytes",
                       VAULT_PASSPHRASE_MIN_BYTES);
    }
    (void)pthread_mutex_lock(&core->vault_lock);
    err = core_need_open(core);
    if (err == AG_OK) {
        err = proof_try(core, call, old_passphrase, &row, &root);
    }
    if (err == AG_OK) {
        err =
            slot_row_make(keyring_vault_id(core->keyring), row.id,
                          SLOT_FACTOR_PASSPHRASE, new_passphrase, root, &fresh);
    }
    if (err == AG_OK) {
        err = core_write_wait(core, &job.job);
    }
    (void)pthread_mutex_unlock(&core->vault_lock);
    return err;
}
