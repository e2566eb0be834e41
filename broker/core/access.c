#include "core/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/renewal.h"
#include "core/state.h"
#include "crypt/memo.h"
#include "crypt/token.h"
#include "store/tokens.h"

/* ---- refusals are on the record before they are answered ---- */

struct refusal {
    struct core_job job;
    const struct call *call;
    enum ag_err why;
    int64_t task_id;                 /* AG_EPROCESS: the task whose tokens go */
    const struct live_token *cloned; /* AG_ECLONED: what goes whole */
};

static enum ag_err
run_refusal(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct refusal *r = (struct refusal *)job;
    enum ag_err err = AG_OK;

    if (r->cloned != NULL) {
        return renewal_cloned(core, tx, r->call, r->cloned);
    }
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
    return r->task_id != 0 || r->cloned != NULL ||
           folds_note(core->folds, fold_caller(r->call), FOLD_TOKEN,
                      err_code(r->why), clock_steady_ms()) != FOLD_COUNTED;
}

/* Gives `why` back, its sentence kept over the writing. */
static enum ag_err
refuse_as(struct core *core, struct refusal *refusal)
{
    enum ag_err why = refusal->why;
    char text[STORE_WHY_BYTES];

    (void)atomic_fetch_add(&core->refused_count, 1);
    (void)snprintf(text, sizeof(text), "%s", err_text(why));
    /* A record that can't be written must not turn into an answer other than
     * the refusal: both say no. */
    if (core_need_open(core) == AG_OK && has_row(core, refusal) &&
        core_write_wait(core, &refusal->job) != AG_OK &&
        refusal->task_id != 0) {
        core_cut_task(core, refusal->task_id, end_reason_text(END_ALARM));
    }
    return err_why(why, "%s", text);
}

static enum ag_err
refuse(struct core *core, const struct call *call, enum ag_err why,
       int64_t alarm_task_id)
{
    struct refusal refusal = {.job.run = run_refusal,
                              .call = call,
                              .why = why,
                              .task_id = alarm_task_id};

    return refuse_as(core, &refusal);
}

/* Of two that show texts of one token, one has a copy: nobody can tell who. */
static enum ag_err
refuse_clone(struct core *core, const struct call *call,
             const struct live_token *token)
{
    struct refusal refusal = {.job.run = run_refusal,
                              .call = call,
                              .why = AG_ECLONED,
                              .task_id = token->task_id,
                              .cloned = token};

    return refuse_as(core, &refusal);
}

/* ---- the token itself ---- */

/* Tokens that left the table long ago are told apart by their rows: by the first
 * text, or by what all texts share. */
static enum ag_err
why_unknown(struct core *core, struct span text,
            const uint8_t hash[TOKEN_HASH_BYTES])
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(token_row) struct token_row row = {0};
    uint8_t line[TOKEN_HASH_BYTES];
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = tokens_by_hash(r, hash, &row);
    }
    if (err == AG_ENOTFOUND) {
        err = core_token_line(core, TOKEN_TASK, text, line);
        err = err == AG_OK ? tokens_by_line(r, line, &row) : err;
    }
    if (err != AG_OK) {
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
           struct live_seen *seen, struct live_token **ret)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    struct live_token *token = find_again(core, peer, text);
    enum ag_err err = AG_OK;

    if (token != NULL) {
        *seen = (struct live_seen){.used = true,
                                   .generation = LIVE_FIRST_GENERATION,
                                   .in_force = LIVE_FIRST_GENERATION};
        *ret = token;
        return AG_OK;
    }
    err = renewal_find(core, text, hash, seen, &token);
    if (err == AG_ENOTFOUND) {
        return why_unknown(core, text, hash);
    }
    if (err == AG_OK) {
        token_memo_keep(peer_memo(peer), text, hash);
        *ret = token;
    }
    return err;
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

/* Which of its texts was shown. */
static enum ag_err
check_text(struct core *core, const struct live_token *token,
           const struct live_seen *seen, bool renews, const struct call *call)
{
    enum ag_err err = renewal_check(core, seen, renews, call->now_ms);

    if (err == AG_ECLONED) {
        return refuse_clone(core, call, token);
    }
    return err != AG_OK ? refuse(core, call, err, 0) : AG_OK;
}

struct showing {
    struct live_token *token;
    struct live_seen seen;
    bool renews;
};

static void
showing_done(struct showing *s)
{
    live_release(AG_TAKE(s->token));
}

AG_DEFINE_CLEANUP_INPLACE(showing, showing_done)

static enum ag_err
with_token(struct core *core, struct peer *peer, const struct showing *s,
           struct call *call)
{
    struct live_token *token = s->token;
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
    err = check_text(core, token, &s->seen, s->renews, call);
    if (err != AG_OK) {
        return err;
    }
    if (traced == AG_EPROCESS && token->role == 0) {
        return refuse(core, call, AG_EPROCESS, token->task_id);
    }
    if (traced != AG_OK || call->who == CALLER_OTHER) {
        return refuse(core, call, traced != AG_OK ? traced : why, 0);
    }
    return check_binding(core, peer, token, call);
}

/* What follows from a token that may be used. */
static enum ag_err
take_token(struct core *core, struct showing *s, struct span text,
           struct call *call)
{
    enum ag_err err = AG_OK;

    call->token = s->token;
    call->shown_generation = s->seen.generation;
    call->seen_generation = s->seen.in_force;
    if (s->seen.text == LIVE_NOW && !s->seen.used) {
        err = renewal_first_use(core, call);
    }
    if (err == AG_OK && s->renews) {
        err = token_next(TOKEN_TASK, text, &call->next);
    }
    if (err == AG_OK) {
        s->token = NULL; /* the call's */
    }
    return err;
}

static enum ag_err
check(struct core *core, struct peer *peer, struct span text, bool renews,
      struct call *ret)
{
    struct call call = {.peer = peer, .now_ms = clock_wall_ms()};
    AG_AUTO(showing) struct showing s = {.renews = renews};
    enum ag_err why = AG_OK;
    enum ag_err err = AG_OK;

    if (text.len == 0) {
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
    err = find_token(core, peer, text, &s.seen, &s.token);
    if (err != AG_OK) {
        classify(core, peer, NULL, &call, &why);
        return refuse(core, &call, err, 0);
    }
    err = with_token(core, peer, &s, &call);
    if (err == AG_OK) {
        err = take_token(core, &s, text, &call);
    }
    if (err == AG_OK) {
        *ret = call;
    }
    return err;
}

enum ag_err
access_check(struct core *core, struct peer *peer, struct span token_text,
             struct call *ret)
{
    return check(core, peer, token_text, false, ret);
}

enum ag_err
access_renewal(struct core *core, struct peer *peer, struct span token_text,
               struct call *ret)
{
    return check(core, peer, token_text, true, ret);
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
    secret_free(AG_TAKE(call->next));
}
