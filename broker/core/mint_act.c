/* One piece of work of a minter's: its beginning and its end are jobs of the
 * writer, the act between them is the provider's time (mint.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/mint_impl.h"
#include "core/redaction.h"
#include "core/state.h"
#include "store/tasks.h"
#include "store/versions.h"

enum {
    HANDLE_OWN_BYTES = 8, /* of a handle: no two are alike */
};

/* ag_, of the vault's id 8 digits, _, a number of up to 19, _, and its own. */
_Static_assert(3 + 8 + 1 + 19 + 1 + 2 * HANDLE_OWN_BYTES < MINTED_HANDLE_BYTES,
               "a handle is cut off");

static struct minting *
minting_of(struct core_job *job)
{
    return (struct minting *)job;
}

void
minting_free(struct minting *m)
{
    if (m != NULL) {
        AG_ASSERT(TAILQ_EMPTY(&m->waits));
        minted_row_done(&m->row);
        secret_row_done(&m->secret);
        mint_rule_done(&m->rule);
        secret_free(m->source);
        secret_free(m->value);
        minter_answer_done(&m->answer);
        free(m);
    }
}

/* ---- the record ---- */

static enum ag_err
note(const struct minting *m, struct db_tx *tx, enum audit_kind kind,
     const char *what)
{
    return core_note(tx, NULL, kind, m->row.task_id, m->row.secret_id,
                     json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:s, s:I}",
                               "minted", (json_int_t)m->row.id, "name",
                               m->secret.name, "handle", m->row.handle, "what",
                               what, "version", (json_int_t)m->row.version,
                               "state", minted_state_text(m->row.state), "code",
                               m->row.code, "attempts",
                               (json_int_t)m->row.attempts));
}

static void
set_code(struct minting *m, const char *code)
{
    (void)snprintf(m->row.code, sizeof(m->row.code), "%s", code);
}

/* ---- made ---- */

static enum ag_err
living_task(struct db_tx *tx, int64_t id, struct task_row *ret)
{
    enum ag_err err = tasks_get(db_tx_read(tx), id, ret);

    return err == AG_OK && ret->ended_ms != 0 ? AG_EREVOKED : err;
}

/* The number is made again by a copy of the vault and by a backup that was put
 * back: what they make must not have the name of another's. */
static void
make_handle(struct core *core, struct minted_row *row)
{
    uint8_t vault[VAULT_ID_BYTES];
    uint8_t own[HANDLE_OWN_BYTES];
    char text[2 * HANDLE_OWN_BYTES + 1];

    store_vault_id(core->store, vault);
    randombytes_buf(own, sizeof(own));
    (void)snprintf(row->handle, sizeof(row->handle),
                   "ag_%02x%02x%02x%02x_%lld_%s", vault[0], vault[1], vault[2],
                   vault[3], (long long)row->id,
                   sodium_bin2hex(text, sizeof(text), own, sizeof(own)));
}

static enum ag_err
new_row(struct core *core, struct minting *m, struct db_tx *tx,
        const struct task_row *task)
{
    enum ag_err err = minted_next_id(tx, &m->row.id);

    m->row.secret_id = m->secret_id;
    m->row.task_id = m->task_id;
    m->row.state = MINTED_MINTING;
    m->row.expires_ms = mint_expiry(m, task, db_tx_now_ms(tx));
    if (m->row.expires_ms - db_tx_now_ms(tx) < m->rule.minter->life_least_ms) {
        m->row.expires_ms = db_tx_now_ms(tx) + m->rule.minter->life_least_ms;
    }
    m->row.due_ms = INT64_MAX; /* its end sets it, or the task's */
    make_handle(core, &m->row);
    if (err == AG_OK) {
        err = core_dump(m->rule.tree, &m->row.plan);
    }
    return err == AG_OK ? minted_write(tx, &m->row) : err;
}

static enum ag_err
begin_make(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct minting *m = minting_of(job);
    AG_AUTO(task_row) struct task_row task = {0};
    AG_AUTO(minted_row) struct minted_row there = {0};
    struct db_read *r = db_tx_read(tx);
    enum ag_err err = living_task(tx, m->task_id, &task);

    if (err == AG_OK) {
        err = secrets_get(r, m->secret_id, &m->secret);
    }
    if (err == AG_OK) {
        err = m->secret.removed_ms == 0 ? mint_rule_of(&m->secret, &m->rule)
                                        : AG_ENOTFOUND;
    }
    if (err == AG_OK &&
        minted_live_of(r, m->task_id, m->secret_id, &there) == AG_OK &&
        minted_is_good(&there, &m->rule, db_tx_now_ms(tx))) {
        return AG_OK; /* it came a moment ago */
    }
    if (err == AG_OK) {
        err = mint_source_held(core, r, &m->secret, &m->rule);
    }
    if (err == AG_OK) {
        err = mint_source(core, r, &m->rule, &m->source);
    }
    if (err == AG_OK) {
        err = new_row(core, m, tx, &task);
    }
    m->act = MINTER_MINT;
    m->has_act = err == AG_OK;
    return err == AG_OK ? note(m, tx, AUDIT_MINT_STARTED, m->rule.minter->name)
                        : err;
}

/* The row as it is now: its task may have ended meanwhile. */
static enum ag_err
read_again(struct minting *m, struct db_tx *tx)
{
    struct minted_row now = {0};
    enum ag_err err = minted_get(db_tx_read(tx), m->row.id, &now);

    if (err == AG_OK) {
        minted_row_done(&m->row);
        m->row = now;
    }
    return err;
}

static enum ag_err
keep_value(struct minting *m, struct db_tx *tx, int64_t *ret_version_id)
{
    const struct version_new add = {.secret_id = m->row.secret_id,
                                    .value = m->answer.value,
                                    .state = VERSION_PENDING,
                                    .if_version = -1,
                                    .maker = MAKER_MINT};
    struct version_row version = {0};
    enum ag_err err = redaction_fits(m->answer.value);

    if (err == AG_OK) {
        err = versions_add(tx, &add, &version);
    }
    if (err == AG_OK) {
        m->row.version = version.number;
        *ret_version_id = version.id;
    }
    return err;
}

/* There, and with its value: its task's if that still runs. One whose end is at
 * hand is none, or each use would make another: a clock is wrong, or the provider
 * took its time. */
static enum ag_err
enter_live(struct minting *m, struct db_tx *tx)
{
    AG_AUTO(task_row) struct task_row task = {0};
    enum ag_err err = tasks_get(db_tx_read(tx), m->row.task_id, &task);

    m->row.expires_ms = m->answer.expires_ms;
    if (m->row.state == MINTED_MINTING) {
        m->row.state = MINTED_LIVE;
        m->row.due_ms = mint_due(m, &task, db_tx_now_ms(tx));
        m->too_soon =
            m->too_soon || !minted_is_good(&m->row, &m->rule, db_tx_now_ms(tx));
    }
    if (m->too_soon) {
        m->row.state = MINTED_REVOKING;
        m->row.due_ms = 0;
        set_code(m, MINTED_ENDS_SOON);
    }
    return err;
}

static enum ag_err
end_make(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct minting *m = minting_of(job);
    bool made = m->answer.outcome == ROTATOR_DONE && m->answer.value != NULL;
    bool nothing = m->answer.outcome == ROTATOR_REFUSED ||
                   m->answer.outcome == ROTATOR_LATER;
    int64_t version_id = 0;
    enum ag_err err = read_again(m, tx);

    set_code(m, m->answer.code);
    if (err == AG_OK && made) {
        err = keep_value(m, tx, &version_id);
        if (err == AG_ELIMIT) {
            set_code(m, "value_too_long");
            made = false;
            err = AG_OK;
        }
    }
    if (err == AG_OK && made) {
        err = enter_live(m, tx);
    } else {
        m->row.state = nothing ? MINTED_ENDED : MINTED_REVOKING;
        m->row.due_ms = 0;
    }
    if (err == AG_OK) {
        err = minted_write(tx, &m->row);
    }
    if (err == AG_OK) {
        err =
            note(m, tx, made && !m->too_soon ? AUDIT_MINTED : AUDIT_MINT_FAILED,
                 "mint");
    }
    return err == AG_OK && version_id != 0
               ? redaction_add(core, &m->secret, version_id, m->answer.value)
               : err;
}

/* ---- tended ---- */

/* Not a job: what is read here is read again at the end. */
static enum ag_err
begin_tend(struct core *core, struct minting *m)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(core->store, &r);

    m->is_idle = true;
    if (err == AG_OK) {
        err = minted_get(r, m->row_id, &m->row);
    }
    if (err == AG_OK &&
        (m->row.state == MINTED_ENDED || m->row.state == MINTED_LOST ||
         mints_makes(m->all, m->row.task_id, m->row.secret_id))) {
        return AG_OK; /* whoever makes it will look again */
    }
    if (err == AG_OK) {
        err = secrets_get(r, m->row.secret_id, &m->secret);
    }
    if (err == AG_OK) {
        err = mint_rule_read(m->row.plan, &m->rule);
    }
    if (err == AG_OK) {
        err = minting_choose(core, m, r);
    }
    m->is_idle = err != AG_OK;
    return err;
}

static void
put_off(struct minting *m, struct db_tx *tx)
{
    m->row.attempts++;
    m->row.due_ms = db_tx_now_ms(tx) + mint_pause_ms(m->row.attempts);
}

/* Its task may have ended meanwhile: then the row is left as it is. One that the
 * provider knows no more is made anew at the next use. */
static enum ag_err
end_renewal(struct minting *m, struct db_tx *tx)
{
    AG_AUTO(task_row) struct task_row task = {0};
    bool done = m->answer.outcome == ROTATOR_DONE && !m->too_soon;
    enum ag_err err = tasks_get(db_tx_read(tx), m->row.task_id, &task);

    if (err != AG_OK || m->row.state != MINTED_LIVE) {
        return err;
    }
    if (done) {
        m->row.expires_ms = m->answer.expires_ms;
        m->row.attempts = 0;
        m->row.due_ms = mint_due(m, &task, db_tx_now_ms(tx));
    } else if (m->answer.outcome == ROTATOR_REFUSED) {
        m->row.state = MINTED_REVOKING;
        m->row.due_ms = 0;
    } else {
        put_off(m, tx);
    }
    err = minted_write(tx, &m->row);
    return err == AG_OK
               ? note(m, tx, done ? AUDIT_MINT_RENEWED : AUDIT_MINT_FAILED,
                      "renew")
               : err;
}

/* It is not done: when is it looked at again? */
static void
stays(struct minting *m, struct db_tx *tx, int64_t settled_ms)
{
    bool never_known = strcmp(m->answer.code, MINTED_NEVER_KNOWN) == 0;
    bool ends_alone = strcmp(m->answer.code, MINTED_ENDS_ALONE) == 0;

    m->row.state = MINTED_REVOKING;
    if (!ends_alone) {
        put_off(m, tx);
    }
    if (settled_ms != 0) {
        m->row.due_ms = settled_ms;
        set_code(m, MINTED_MAY_COME);
    } else if (never_known || ends_alone) {
        m->row.due_ms = m->row.expires_ms;
    }
}

/* That nothing is there is not the end while nobody heard what the making came
 * to: it may be under way at the provider, and is looked for once more when it
 * can't be. */
static enum ag_err
end_revoke(struct minting *m, struct db_tx *tx)
{
    bool done = m->answer.outcome == ROTATOR_DONE;
    int64_t settled_ms = done ? mint_settled(m, db_tx_now_ms(tx)) : 0;
    enum ag_err err = AG_OK;

    if (settled_ms != 0) {
        done = false;
    }
    if (done) {
        m->row.state = strcmp(m->answer.code, MINTED_NEVER_KNOWN) == 0
                           ? MINTED_LOST
                           : MINTED_ENDED;
    } else {
        stays(m, tx, settled_ms);
    }
    if (done && m->row.version != 0) {
        err = versions_destroy(tx, m->row.secret_id, m->row.version);
        err = err == AG_ENOTFOUND ? AG_OK : err;
    }
    if (err == AG_OK) {
        err = minted_write(tx, &m->row);
    }
    return err == AG_OK
               ? note(m, tx, done ? AUDIT_MINT_ENDED : AUDIT_MINT_FAILED,
                      "revoke")
               : err;
}

static enum ag_err
end_tend(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct minting *m = minting_of(job);
    enum ag_err err = read_again(m, tx);

    (void)core;
    if (err != AG_OK || m->row.state == MINTED_ENDED ||
        m->row.state == MINTED_LOST) {
        return err;
    }
    set_code(m, m->answer.code);
    return m->act == MINTER_RENEW ? end_renewal(m, tx) : end_revoke(m, tx);
}

/* ---- the act ---- */

static enum ag_err
act(struct core *core, struct minting *m)
{
    AG_AUTO(task_row) struct task_row task = {0};
    int64_t now_ms = clock_wall_ms();
    struct minter_call call = {.act = m->act,
                               .handle = m->row.handle,
                               .params = m->rule.params,
                               .source = m->source,
                               .value = m->value,
                               .expires_ms = m->row.expires_ms,
                               .begun_ms = m->row.created_ms,
                               .now_ms = now_ms,
                               .upstream = core->parts.upstream};
    enum ag_err err = AG_OK;

    if (m->act == MINTER_RENEW) {
        AG_AUTO(db_read) struct db_read *r = NULL;

        err = store_read(core->store, &r);
        if (err == AG_OK) {
            err = tasks_get(r, m->row.task_id, &task);
        }
        call.expires_ms = mint_expiry(m, &task, now_ms);
    }
    if (err != AG_OK) {
        return err;
    }
    m->asked_ms = call.expires_ms;
    m->answer = (struct minter_answer){.outcome = ROTATOR_UNSURE};
    err = m->rule.minter->act(&call, &m->answer);
    if (err != AG_OK) {
        minter_answer_done(&m->answer);
        m->answer = (struct minter_answer){.outcome = ROTATOR_UNSURE};
        (void)snprintf(m->answer.code, sizeof(m->answer.code), "%s",
                       err_code(err));
    } else if (m->act != MINTER_REVOKE) {
        mint_believe(m, clock_wall_ms());
    }
    return AG_OK;
}

static enum ag_err
write_by(struct core *core, struct minting *m,
         enum ag_err (*run)(struct core *, struct db_tx *, struct core_job *))
{
    m->job = (struct core_job){.run = run};
    return core_write_wait(core, &m->job);
}

static enum ag_err
make(struct core *core, struct minting *m)
{
    enum ag_err err = write_by(core, m, begin_make);

    if (err != AG_OK || !m->has_act) {
        return err;
    }
    err = act(core, m);
    if (err == AG_OK) {
        err = write_by(core, m, end_make);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)!core_hide(core); /* who gives it away asks again */
    if (m->row.state == MINTED_LIVE) {
        return AG_OK;
    }
    return m->row.version != 0 && !m->too_soon
               ? AG_EREVOKED /* the task ended meanwhile */
               : err_why(AG_EMINT, "%s could not be made by %s: %s",
                         m->secret.name, m->rule.minter->name, m->row.code);
}

static enum ag_err
tend(struct core *core, struct minting *m)
{
    enum ag_err err = begin_tend(core, m);

    if (err == AG_OK && !m->is_idle && m->has_act) {
        err = act(core, m);
    }
    return err == AG_OK && !m->is_idle ? write_by(core, m, end_tend) : err;
}

enum ag_err
minting_run(struct minting *m)
{
    return m->kind == MINTING_MAKE ? make(m->all->core, m)
                                   : tend(m->all->core, m);
}
