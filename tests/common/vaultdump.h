/*
 * vaultdump.h - all a vault holds, as one text, so that two states can be
 * compared; and a row of steps that change everything that can be changed.
 */
#ifndef AG_TESTS_VAULTDUMP_H
#define AG_TESTS_VAULTDUMP_H

#include "base/buf.h"
#include "common/vault.h"
#include "store/exposure.h"
#include "store/grants.h"
#include "store/leases.h"
#include "store/moves.h"
#include "store/roles.h"
#include "store/rotations.h"
#include "store/wraps.h"

enum {
    DUMP_MAX_BYTES = 256 * 1024,
    DUMP_IDS = 64, /* of each table, those below this are looked at */
};

struct dump {
    struct db_read *r;
    struct buf *out;
};

static inline enum ag_err
dump_version(const struct version_row *v, void *arg)
{
    struct dump *d = arg;
    AG_AUTO(secret) struct secret *value = NULL;
    struct span text = span_str("-");
    enum ag_err err = AG_OK;

    if (v->state <= VERSION_RETAINED) {
        err = versions_value(d->r, v->secret_id, v->number, NULL, &value);
    }
    if (value != NULL) {
        text = secret_view(value);
    }
    return err != AG_OK
               ? err
               : buf_fmt(d->out, "  v%lld %s %.*s\n", (long long)v->number,
                         version_state_text(v->state), (int)text.len,
                         (const char *)text.ptr);
}

static inline enum ag_err
dump_secrets(struct dump *d)
{
    enum ag_err err = AG_OK;

    for (int64_t id = 1; id < DUMP_IDS && err == AG_OK; id++) {
        AG_AUTO(secret_row) struct secret_row s = {0};

        err = secrets_get(d->r, id, &s);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = buf_fmt(d->out, "secret %lld %s current %lld removed %d\n",
                          (long long)id, s.name, (long long)s.current_version,
                          s.removed_ms != 0);
        }
        if (err == AG_OK) {
            err = versions_each(d->r, id, dump_version, d);
        }
    }
    return err;
}

static inline enum ag_err
dump_tasks(struct dump *d)
{
    enum ag_err err = AG_OK;

    for (int64_t id = 1; id < DUMP_IDS && err == AG_OK; id++) {
        AG_AUTO(task_row) struct task_row t = {0};

        err = tasks_get(d->r, id, &t);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = buf_fmt(d->out, "task %lld %s %s\n", (long long)id, t.name,
                          end_reason_text(t.end_reason));
        }
    }
    return err;
}

static inline enum ag_err
dump_tokens(struct dump *d)
{
    enum ag_err err = AG_OK;

    for (int64_t id = 1; id < DUMP_IDS && err == AG_OK; id++) {
        AG_AUTO(token_row) struct token_row t = {0};

        err = tokens_get(d->r, id, &t);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = buf_fmt(d->out, "token %lld %s %s\n", (long long)id,
                          t.accessor, end_reason_text(t.end_reason));
        }
    }
    return err;
}

static inline enum ag_err
dump_leases(struct dump *d)
{
    enum ag_err err = AG_OK;

    for (int64_t id = 1; id < DUMP_IDS && err == AG_OK; id++) {
        AG_AUTO(lease_row) struct lease_row l = {0};

        err = leases_get(d->r, id, &l);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = buf_fmt(d->out, "lease %lld v%lld %s\n", (long long)id,
                          (long long)l.version, end_reason_text(l.end_reason));
        }
    }
    return err;
}

static inline enum ag_err
dump_moves(struct dump *d)
{
    enum ag_err err = AG_OK;

    for (int64_t id = 1; id < DUMP_IDS && err == AG_OK; id++) {
        AG_AUTO(move_row) struct move_row m = {0};

        err = moves_get(d->r, id, &m);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = buf_fmt(d->out, "move %lld %s v%lld %s\n", (long long)id,
                          move_state_text(m.state), (long long)m.version,
                          m.detail);
        }
    }
    return err;
}

static inline enum ag_err
dump_exposure(const struct exposure_row *e, void *arg)
{
    struct dump *d = arg;

    return buf_fmt(d->out, "exposed %lld v%lld %s x%lld\n",
                   (long long)e->secret_id, (long long)e->version,
                   verb_text(e->verb), (long long)e->times_count);
}

static inline enum ag_err
dump_rotation(const struct rotation_row *row, void *arg)
{
    struct dump *d = arg;

    return buf_fmt(d->out, "rotation %lld %s\n", (long long)row->id,
                   rotation_state_text(row->state));
}

/* Appends the state; the result is the first row that does not verify. */
static inline enum ag_err
vault_dump(struct buf *out)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct dump d = {.out = out};
    enum ag_err err = store_read(vault.s, &r);

    d.r = r;
    if (err == AG_OK) {
        err = dump_secrets(&d);
    }
    if (err == AG_OK) {
        err = dump_tasks(&d);
    }
    if (err == AG_OK) {
        err = dump_tokens(&d);
    }
    if (err == AG_OK) {
        err = dump_leases(&d);
    }
    if (err == AG_OK) {
        err = dump_moves(&d);
    }
    if (err == AG_OK) {
        err = rotations_each(r, 0, DUMP_IDS, dump_rotation, &d);
    }
    for (int64_t id = 1; id < DUMP_IDS && err == AG_OK; id++) {
        err = exposure_of_secret_each(r, id, 100, dump_exposure, &d);
    }
    return err;
}

/* ---- steps, each a job ---- */

static inline enum ag_err
dump_step_adopt(struct db_tx *tx, void *arg)
{
    char detail[] = "{\"path\":\"/home/x/.codex/auth.json\"}";
    struct move_row move = {.kind = MOVE_ADOPT, .detail = detail};

    (void)arg;
    return moves_add(tx, &move);
}

/* The file was read: a pending version, the move taken. */
static inline enum ag_err
dump_step_take(struct db_tx *tx, void *arg)
{
    AG_AUTO(move_row) struct move_row move = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    struct secret_row row = {.name = "codex/default",
                             .kind = SECRET_LOGIN,
                             .min_grade = GRADE_FILE,
                             .retain_count = 1};
    struct version_new add = {
        .state = VERSION_PENDING, .if_version = -1, .maker = MAKER_OPERATOR};
    struct version_row version;
    enum ag_err err = moves_get(db_tx_read(tx), 1, &move);

    (void)arg;
    if (err == AG_OK) {
        err = secret_from(span_str("{\"tokens\":1}"), &value);
    }
    if (err == AG_OK) {
        err = secrets_add(tx, &row);
    }
    add.secret_id = row.id;
    add.value = value;
    if (err == AG_OK) {
        err = versions_add(tx, &add, &version);
    }
    move.secret_id = row.id;
    move.version = 1;
    return err != AG_OK ? err : moves_step(tx, &move, MOVE_TAKEN);
}

static inline enum ag_err
dump_step_commit(struct db_tx *tx, void *arg)
{
    AG_AUTO(move_row) struct move_row move = {0};
    enum ag_err err = moves_get(db_tx_read(tx), 1, &move);

    (void)arg;
    if (err == AG_OK) {
        err = versions_promote(tx, move.secret_id, move.version);
    }
    return err != AG_OK ? err : moves_step(tx, &move, MOVE_ERASING);
}

static inline enum ag_err
dump_step_erased(struct db_tx *tx, void *arg)
{
    AG_AUTO(move_row) struct move_row move = {0};
    enum ag_err err = moves_get(db_tx_read(tx), 1, &move);

    (void)arg;
    return err != AG_OK ? err : moves_step(tx, &move, MOVE_DONE);
}

static inline enum ag_err
dump_step_task(struct db_tx *tx, void *arg)
{
    struct task_row task = {.name = "build",
                            .deadline_ms = db_tx_now_ms(tx) + 3600000};
    struct token_row token = vault_token(0, 0);
    struct token_row child;
    struct grant_row grant = {.secret = "codex/*", .verb = VERB_FILE};
    enum ag_err err = tasks_add(tx, &task);

    (void)arg;
    /* The same at each run, whatever ran before. */
    memset(token.hash, 1, sizeof(token.hash));
    (void)snprintf(token.accessor, sizeof(token.accessor), "aga_root");
    token.task_id = task.id;
    grant.task_id = task.id;
    child = token;
    memset(child.hash, 2, sizeof(child.hash));
    (void)snprintf(child.accessor, sizeof(child.accessor), "aga_child");
    if (err == AG_OK) {
        err = grants_add(tx, &grant);
    }
    if (err == AG_OK) {
        err = tokens_add(tx, &token);
    }
    child.parent_id = token.id;
    return err != AG_OK ? err : tokens_add(tx, &child);
}

static inline enum ag_err
dump_step_deliver(struct db_tx *tx, void *arg)
{
    struct lease_row lease = {.task_id = 1,
                              .token_id = 1,
                              .secret_id = 1,
                              .version = 1,
                              .verb = VERB_FILE,
                              .expires_ms = db_tx_now_ms(tx) + 60000};
    struct exposure_row seen = {
        .secret_id = 1, .version = 1, .task_id = 1, .verb = VERB_FILE};
    enum ag_err err = leases_add(tx, &lease);

    (void)arg;
    return err != AG_OK ? err : exposure_note(tx, &seen, NULL);
}

/* The tool rewrote its file: a new version, the lease follows. */
static inline enum ag_err
dump_step_write_back(struct db_tx *tx, void *arg)
{
    AG_AUTO(lease_row) struct lease_row lease = {0};
    AG_AUTO(secret) struct secret *value = NULL;
    struct version_new add = {.secret_id = 1,
                              .state = VERSION_CURRENT,
                              .if_version = -1,
                              .maker = MAKER_OPERATOR};
    struct version_row version;
    enum ag_err err = secret_from(span_str("{\"tokens\":2}"), &value);

    (void)arg;
    add.value = value;
    if (err == AG_OK) {
        err = versions_add(tx, &add, &version);
    }
    if (err == AG_OK) {
        err = leases_get(db_tx_read(tx), 1, &lease);
    }
    lease.version = version.number;
    return err != AG_OK ? err : leases_update(tx, &lease);
}

static inline enum ag_err
dump_step_revoke(struct db_tx *tx, void *arg)
{
    struct revoke how = {.reason = END_REVOKED};
    uint64_t count = 0;

    (void)arg;
    return tokens_revoke_tree(tx, 1, &how, &count);
}

static inline enum ag_err
dump_step_end(struct db_tx *tx, void *arg)
{
    (void)arg;
    return tasks_end(tx, 1, END_DONE, 0);
}

static inline enum ag_err
dump_step_rollback(struct db_tx *tx, void *arg)
{
    (void)arg;
    return versions_rollback(tx, 1, 1);
}

/* So many that old ones leave. */
static inline enum ag_err
dump_step_journal(struct db_tx *tx, void *arg)
{
    char plan[] = "{}";
    enum ag_err err = AG_OK;

    (void)arg;
    for (int i = 0; i < ROTATION_ENDED_MAX_COUNT + 9 && err == AG_OK; i++) {
        struct rotation_row row = {
            .secret_id = 1, .old_version = 1, .plan = plan};

        err = rotations_write(tx, &row);
        row.state = ROTATION_DONE;
        err = err == AG_OK ? rotations_write(tx, &row) : err;
    }
    return err;
}

static inline enum ag_err
dump_step_remove(struct db_tx *tx, void *arg)
{
    (void)arg;
    return secrets_remove(tx, 1);
}

struct dump_step {
    const char *name;
    enum ag_err (*step)(struct db_tx *tx, void *arg); /* NULL: see name */
};

static const struct dump_step DUMP_STEPS[] = {
    {"adopt: journal", dump_step_adopt},
    {"adopt: taken", dump_step_take},
    {"adopt: committed", dump_step_commit},
    {"adopt: erased", dump_step_erased},
    {"put", NULL},
    {"task and tokens", dump_step_task},
    {"deliver", dump_step_deliver},
    {"write-back", dump_step_write_back},
    {"put again", NULL},
    {"revoke", dump_step_revoke},
    {"end of task", dump_step_end},
    {"rollback", dump_step_rollback},
    {"journal", dump_step_journal},
    {"rekey", NULL},
    {"put after rekey", NULL},
    {"remove", dump_step_remove},
};

enum {
    DUMP_STEPS_COUNT = sizeof(DUMP_STEPS) / sizeof(DUMP_STEPS[0]),
};

/* Does step `i`; `fresh` is the keyring a rekey turns to. */
static inline enum ag_err
vault_dump_step(size_t i, struct keyring *fresh)
{
    struct vault_put put = {.name = "github/bot",
                            .value = DUMP_STEPS[i].name,
                            .state = VERSION_CURRENT,
                            .if_version = -1,
                            .retain_count = 1};
    struct slot_row slot = vault_slot(2);

    if (DUMP_STEPS[i].step != NULL) {
        return vault_do(DUMP_STEPS[i].step, NULL);
    }
    if (strcmp(DUMP_STEPS[i].name, "rekey") == 0) {
        return store_rekey(vault.s, fresh, &slot, 1);
    }
    return store_do(vault.s, vault_put_job, &put);
}

/* Opens the vault in vault.home with whichever keyring its slot belongs to, as
 * the right passphrase would. */
static inline enum ag_err
vault_open_either(struct keyring *fresh, struct store_found *found)
{
    struct slot_row slots[SLOTS_MAX_COUNT];
    size_t count = 0;
    enum ag_err err = store_open(vault.home, &vault.s);

    if (err == AG_OK && vault.s == NULL) {
        err = AG_EINTERNAL;
    }
    if (err == AG_OK) {
        err = slots_list(vault.s, slots, &count);
    }
    return err != AG_OK
               ? err
               : store_unlock(vault.s, slots[0].id == 1 ? vault.ring : fresh,
                              found);
}

#endif
