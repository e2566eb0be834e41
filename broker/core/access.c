#include "core/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/state.h"
#include "crypt/memo.h"
#include "crypt/token.h"
#include "store/tokens.h"

/* ---- refusals are on the record before they are answered ---- */

struct refusal {
    struct core_job job;
    const struct call *call;
    enum ag_err why;
    int64_t task_id; /* AG_EPROCESS: the task whose tokens go */
};

static enum ag_err
run_refusal(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct refusal *r = (struct refusal *)job;
    enum ag_err err = AG_OK;

    if (r->task_id != 0) {
        err = core_end_task(core, tx, r->task_id, END_ALARM, -1);
    }
    if (err != AG_OK) {
        return err;
    }
    return core_note(
        tx, r->call, r->task_id != 0 ? AUDIT_TOKEN_ALARM : AUDIT_TOKEN_REFUSED,
        r->task_id, 0, json_pack("{s:s}", "code", err_code(r->why)));
}

/* What ends a task always has one. */
static bool
has_row(struct core *core, const struct refusal *r)
{
    return r->task_id != 0 ||
           folds_note(core->folds, fold_caller(r->call), FOLD_TOKEN,
                      err_code(r->why), clock_steady_ms()) != FOLD_COUNTED;
}

/* Gives `why` back, its sentence kept over the writing. */
static enum ag_err
refuse(struct core *core, const struct call *call, enum ag_err why,
       int64_t alarm_task_id)
{
    struct refusal refusal = {.job.run = run_refusal,
                              .call = call,
                              .why = why,
                              .task_id = alarm_task_id};
    char text[STORE_WHY_BYTES];

    (void)atomic_fetch_add(&core->refused_count, 1);
    (void)snprintf(text, sizeof(text), "%s", err_text(why));
    /* A record that can't be written must not turn into an answer other than
     * the refusal: both say no. */
    if (core_need_open(core) == AG_OK && has_row(core, &refusal) &&
        core_write_wait(core, &refusal.job) != AG_OK && alarm_task_id != 0) {
        core_cut_task(core, alarm_task_id, end_reason_text(END_ALARM));
    }
    return err_why(why, "%s", text);
}

/* ---- the token itself ---- */

/* Tokens that left the table long ago are told apart by their rows. */
static enum ag_err
why_unknown(struct core *core, const uint8_t hash[TOKEN_HASH_BYTES])
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(token_row) struct token_row row = {0};

    if (store_read(core->store, &r) != AG_OK ||
        tokens_by_hash(r, hash, &row) != AG_OK) {
        return AG_ENOTOKEN;
    }
    return row.revoked_ms != 0 ? AG_EREVOKED : AG_EEXPIRED;
}

/* The token shown again on its connection, if it still is a live one: all that
 * can change about it is looked at each time, in the table. */
static struct live_token *
find_again(struct core *core, struct peer *peer, struct span text)
{
    uint8_t hash[TOKEN_HASH_BYTES];

    return token_memo_find(peer_memo(peer), text, hash)
               ? live_find(core->live, hash)
               : NULL;
}

static enum ag_err
find_token(struct core *core, struct peer *peer, struct span text,
           struct live_token **ret)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    struct live_token *token = find_again(core, peer, text);
    enum ag_err err = AG_OK;

    if (token != NULL) {
        *ret = token;
        return AG_OK;
    }
    err = core_token_hash(core, TOKEN_TASK, text, hash);
    if (err != AG_OK) {
        return err;
    }
    token = live_find(core->live, hash);
    if (token == NULL) {
        return why_unknown(core, hash);
    }
    token_memo_keep(peer_memo(peer), text, hash);
    *ret = token;
    return AG_OK;
}

static enum ag_err
token_state(const struct live_token *token, int64_t wall_ms)
{
    if (atomic_load(&token->revoked)) {
        return AG_EREVOKED;
    }
    if (atomic_load(&token->expires_ms) <= wall_ms) {
        return AG_EEXPIRED;
    }
    return atomic_load(&token->uses_left) == 0 ? AG_EUSEDUP : AG_OK;
}

static enum caller_token
token_kind_of(const struct live_token *token)
{
    if (token == NULL) {
        return CALLER_TOKEN_NONE;
    }
    if (token->role != 0) {
        return CALLER_TOKEN_ROLE;
    }
    return token->unbound ? CALLER_TOKEN_TASK_UNBOUND : CALLER_TOKEN_TASK;
}

static void
classify(struct core *core, struct peer *peer, const struct live_token *token,
         struct call *call, enum ag_err *why)
{
    const struct caller_question question = {
        .peer = peer,
        .tree = core->tree,
        .sessions = core->sessions,
        .own_uid = core->own_uid,
        .token = token_kind_of(token),
        .token_task_id = token != NULL ? token->task_id : 0,
        .now_ms = clock_steady_ms(),
    };
    struct caller_answer answer = caller_decide(&question);

    call->who = answer.class;
    call->task_id = answer.task_id;
    *why = answer.why;
}

/* A bound token is good in its own tree only. */
static enum ag_err
check_binding(struct core *core, struct peer *peer,
              const struct live_token *token, const struct call *call)
{
    if (token->role != 0 || token->unbound ||
        (call->who == CALLER_TASK && call->task_id == token->task_id)) {
        return AG_OK;
    }
    if (peer_check(peer) != AG_OK || peer_facts(peer) == NULL) {
        /* Gone, or not established: refused, but nobody is accused. */
        return refuse(core, call, AG_EUNTRACED, 0);
    }
    return refuse(core, call, AG_EPROCESS, token->task_id);
}

static enum ag_err
with_token(struct core *core, struct peer *peer, struct live_token *token,
           struct call *call)
{
    enum ag_err why = AG_OK;
    enum ag_err err = token_state(token, call->now_ms);
    enum ag_err traced = AG_OK;

    if (peer_transport(peer) == PEER_TCP && !token->unbound) {
        traced =
            peer_trace(peer, core->parts.source, core->tree, token->task_id);
    }
    classify(core, peer, token, call, &why);
    if (err != AG_OK) {
        return refuse(core, call, err, 0);
    }
    if (traced == AG_EPROCESS && token->role == 0) {
        return refuse(core, call, AG_EPROCESS, token->task_id);
    }
    if (traced != AG_OK || call->who == CALLER_OTHER) {
        return refuse(core, call, traced != AG_OK ? traced : why, 0);
    }
    return check_binding(core, peer, token, call);
}

enum ag_err
access_check(struct core *core, struct peer *peer, struct span token_text,
             struct call *ret)
{
    struct call call = {.peer = peer, .now_ms = clock_wall_ms()};
    AG_AUTO(live_token) struct live_token *token = NULL;
    enum ag_err why = AG_OK;
    enum ag_err err = AG_OK;

    if (token_text.len == 0) {
        classify(core, peer, NULL, &call, &why);
        if (call.who == CALLER_OTHER) {
            return why;
        }
        *ret = call;
        return AG_OK;
    }
    err = core_need_open(core);
    if (err != AG_OK) {
        return err;
    }
    err = find_token(core, peer, token_text, &token);
    if (err != AG_OK) {
        classify(core, peer, NULL, &call, &why);
        return refuse(core, &call, err, 0);
    }
    err = with_token(core, peer, token, &call);
    if (err != AG_OK) {
        return err;
    }
    call.token = AG_TAKE(token);
    *ret = call;
    return AG_OK;
}

enum ag_err
access_caller(struct core *core, struct peer *peer, struct call *ret)
{
    struct call call = {.peer = peer, .now_ms = clock_wall_ms()};
    enum ag_err why = AG_OK;
    enum ag_err err = core_need_open(core);

    if (err == AG_OK && peer_transport(peer) == PEER_TCP) {
        err = peer_trace(peer, core->parts.source, core->tree, 0);
    }
    if (err != AG_OK) {
        return err;
    }
    classify(core, peer, NULL, &call, &why);
    if (call.who == CALLER_OTHER) {
        return why;
    }
    *ret = call;
    return AG_OK;
}

void
access_done(struct core *core, struct call *call)
{
    (void)core;
    live_release(AG_TAKE(call->token));
}
