#include "core/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/paths.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/intake.h"
#include "core/issue.h"
#include "core/redaction.h"
#include "core/slots.h"
#include "core/state.h"
#include "privsep/filter.h"
#include "store/moves.h"
#include "store/tasks.h"

enum {
    LOCK_WAIT_MS = 1000, /* for tasks to be gone (P9) */
    LOCK_POLL_MS = 10,
};

/* ---- sessions and proofs ---- */

static enum ag_err
approve(struct core *core, const struct call *call, json_t *answer)
{
    const struct core_settings settings = core_settings_of(core);
    const struct proc_facts *facts = peer_facts(call->peer);
    int64_t now_ms = clock_steady_ms();
    enum ag_err err = AG_EUNTRACED;

    if (call->who == CALLER_TASK) {
        return err_why(AG_EDENIED, "a task can't become the operator");
    }
    if (facts != NULL) {
        err = sessions_approve(core->sessions, facts, now_ms,
                               now_ms + settings.session_ms);
    }
    if (err == AG_OK) {
        err = sessions_prove(core->sessions, facts, now_ms,
                             now_ms + settings.proof_ms);
    }
    if (err != AG_OK) {
        return err;
    }
    return core_set_time(answer, "until",
                         clock_wall_ms() + settings.session_ms);
}

struct note_job {
    struct core_job job;
    const struct call *call;
    enum audit_kind kind;
    json_t *body; /* stolen */
};

static enum ag_err
run_note(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct note_job *n = (struct note_job *)job;

    (void)core;
    return core_note(tx, n->call, n->kind, 0, 0, AG_TAKE(n->body));
}

static enum ag_err
note(struct core *core, const struct call *call, enum audit_kind kind,
     json_t *body)
{
    struct note_job n = {
        .job.run = run_note, .call = call, .kind = kind, .body = body};
    enum ag_err err = core_write_wait(core, &n.job);

    json_decref(n.body);
    return err;
}

enum ag_err
vault_prove(struct core *core, const struct call *call,
            const struct secret *passphrase, json_t **ret)
{
    AG_AUTO(secret) struct secret *root = NULL;
    AG_AUTO(wjson) json_t *answer = json_object();
    enum ag_err err = core_need_open(core);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    err = slots_try(core, SLOT_FACTOR_PASSPHRASE, passphrase, &root);
    if (err == AG_EPASSPHRASE) {
        /* The refusal is the answer, whether or not the disk takes the row. */
        (void)!note(core, call, AUDIT_PROOF_FAILED, NULL);
        return AG_EPASSPHRASE;
    }
    if (err == AG_OK) {
        err = approve(core, call, answer);
    }
    if (err == AG_OK) {
        err = note(core, call, AUDIT_PROOF_GIVEN, NULL);
    }
    if (err == AG_OK) {
        err = core_set_time(answer, "until",
                            clock_wall_ms() + core_settings_of(core).proof_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- init ---- */

static enum ag_err
set_vault_id(struct core *core, json_t *answer)
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
    core_set_keyring(core, AG_TAKE(keyring));
    atomic_store(&core->state, VAULT_OPEN);
    return redaction_commit(core);
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
    err = set_vault_id(core, answer);
    if (err == AG_OK) {
        err = approve(core, call, answer);
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

/* ---- unlock ---- */

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
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = moves_open_count(r, &moves);
    }
    if (err == AG_OK && moves > 0) {
        err =
            say(found, moves, "move(s) between file and vault are unfinished");
    }
    if (err == AG_OK && what->uses_folded > 0) {
        err = say(found, what->uses_folded,
                  "use(s) were put on the record after a crash");
    }
    return err;
}

/* Everything that makes a vault ready but for the keys. */
static enum ag_err
settle(struct core *core, const struct store_found *what, json_t *found)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(core->store, &r);

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
    db_read_close(AG_TAKE(r));
    if (err == AG_OK) {
        err = intake_spilled(core, found);
    }
    return err == AG_OK ? say_found(core, what, found) : err;
}

static void
close_keys(struct core *core)
{
    (void)!filter_wipe(core->parts.filter); /* gone with the filter otherwise */
    store_lock(core->store);
    core_set_keyring(core, NULL);
    live_clear(core->live);
}

static enum ag_err
open_with(struct core *core, const struct secret *root, json_t *found)
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
    if (err != AG_OK) {
        return err;
    }
    core_set_keyring(core, AG_TAKE(keyring));
    err = settle(core, &what, found);
    if (err != AG_OK) {
        close_keys(core);
        return err;
    }
    atomic_store(&core->busy_ms, clock_steady_ms());
    atomic_store(&core->state, VAULT_OPEN);
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
    enum ag_err err = factor_of(request, &factor, &given);

    if (err == AG_OK && core->store == NULL) {
        err = AG_ENOVAULT;
    }
    if (err == AG_OK) {
        err = slots_try(core, factor, given, &root);
    }
    if (err == AG_EPASSPHRASE && was_open) {
        (void)!note(core, call, AUDIT_PROOF_FAILED, NULL);
        return AG_EPASSPHRASE;
    }
    if (err == AG_OK && !was_open) {
        err = open_with(core, root, json_object_get(answer, "found"));
    }
    if (err == AG_OK && factor == SLOT_FACTOR_PASSPHRASE) {
        err = approve(core, call, answer);
    }
    if (err != AG_OK) {
        return err;
    }
    return note(core, call, was_open ? AUDIT_PROOF_GIVEN : AUDIT_VAULT_UNLOCKED,
                json_pack("{s:i}", "failed_before", misses));
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
        err = set_vault_id(core, answer);
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

/* ---- lock ---- */

struct end_all {
    struct core_job job;
    const struct call *call;
    enum end_reason reason;
    enum audit_kind kind; /* what is put on the record beside it */
};

static enum ag_err
run_end_all(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct end_all *e = (const struct end_all *)job;
    int64_t ids[TREE_TASKS_MAX_COUNT];
    size_t count = running_ids(core->running, ids, AG_COUNT(ids));
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < count && err == AG_OK; i++) {
        err = core_end_task(core, tx, ids[i], e->reason, -1);
    }
    return err == AG_OK ? core_note(tx, e->call, e->kind, 0, 0, NULL) : err;
}

static enum ag_err
end_all(struct core *core, const struct call *call, enum end_reason reason,
        enum audit_kind kind)
{
    struct end_all e = {
        .job.run = run_end_all, .call = call, .reason = reason, .kind = kind};
    int64_t id = 0;
    int64_t until_ms = clock_steady_ms() + LOCK_WAIT_MS;
    enum ag_err err = core_write_wait(core, &e.job);

    while (running_ids(core->running, &id, 1) > 0 &&
           clock_steady_ms() < until_ms) {
        const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

        (void)nanosleep(&pause, NULL);
    }
    return err;
}

static enum ag_err
lock(struct core *core, const struct call *call)
{
    enum ag_err err = AG_OK;

    if (atomic_load(&core->state) != VAULT_OPEN) {
        return AG_OK;
    }
    /* Nothing new begins; what runs is ended while the record is open. */
    atomic_store(&core->state, VAULT_LOCKED);
    sessions_forget(core->sessions);
    err = end_all(core, call, END_LOCKED, AUDIT_VAULT_LOCKED);
    tickets_drop_all(core->tickets);
    tree_clear(core->tree);
    close_keys(core);
    return err;
}

enum ag_err
vault_lock(struct core *core, const struct call *call)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->vault_lock);
    err = lock(core, call);
    (void)pthread_mutex_unlock(&core->vault_lock);
    return err;
}

void
vault_lock_idle(struct core *core)
{
    (void)pthread_mutex_lock(&core->vault_lock);
    (void)!lock(core, NULL); /* locked in every case; the row may be missing */
    (void)pthread_mutex_unlock(&core->vault_lock);
}

/* ---- rekey ---- */

static enum ag_err
rekey(struct core *core, const struct call *call,
      const struct secret *passphrase, json_t **ret)
{
    AG_AUTO(secret) struct secret *root = NULL;
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(keyring) struct keyring *fresh = NULL;
    struct slot_row rows[2];
    int64_t first = 0;
    enum ag_err err =
        slots_try(core, SLOT_FACTOR_PASSPHRASE, passphrase, &root);

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
        err = end_all(core, call, END_REKEY, AUDIT_VAULT_REKEYED);
    }
    if (err == AG_OK) {
        err = store_rekey(core->store, fresh, rows, AG_COUNT(rows));
    }
    if (err != AG_OK) {
        return err;
    }
    core_set_keyring(core, AG_TAKE(fresh));
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
    enum ag_err err = core_need_open(core);

    if (err != AG_OK) {
        return err;
    }
    (void)pthread_mutex_lock(&core->vault_lock);
    err = rekey(core, call, passphrase, &answer);
    (void)pthread_mutex_unlock(&core->vault_lock);
    if (err != AG_OK) {
        json_decref(answer);
        return err;
    }
    *ret = answer;
    return AG_OK;
}
