/* Sessions, proofs, and rows of the record by themselves. */
#include "base/clock.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/slots.h"
#include "core/state.h"
#include "core/vault.h"
#include "core/vault_impl.h"

enum ag_err
proof_approve(struct core *core, const struct call *call, json_t *answer)
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
    return core_note(tx, n->call, n->kind, 0, 0,
                     n->body != NULL ? AG_TAKE(n->body) : json_object());
}

enum ag_err
proof_note(struct core *core, const struct call *call, enum audit_kind kind,
           json_t *body)
{
    struct note_job n = {
        .job.run = run_note, .call = call, .kind = kind, .body = body};
    enum ag_err err = core_write_wait(core, &n.job);

    json_decref(n.body);
    return err;
}

enum ag_err
proof_try(struct core *core, const struct call *call,
          const struct secret *passphrase, struct slot_row *ret_slot,
          struct secret **ret_root)
{
    enum ag_err err =
        slots_try(core, SLOT_FACTOR_PASSPHRASE, passphrase, ret_slot, ret_root);

    if (err == AG_EPASSPHRASE) {
        /* The refusal is the answer, whether or not the disk takes the row. */
        (void)!proof_note(core, call, AUDIT_PROOF_FAILED, NULL);
        return AG_EPASSPHRASE;
    }
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
    err = proof_try(core, call, passphrase, NULL, &root);
    if (err == AG_OK) {
        err = proof_note(core, call, AUDIT_PROOF_GIVEN, NULL);
    }
    if (err == AG_OK) {
        err = proof_approve(core, call, answer);
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
