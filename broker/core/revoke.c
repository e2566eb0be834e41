/* Revoking tokens (tokens.h): one with its family, a task, all under a name. */
#include "core/issue.h"
#include "core/renewal.h"
#include "core/state.h"
#include "core/tokens.h"
#include "store/tokens.h"

struct revoking {
    struct core *core;
    struct db_tx *tx;
    const struct call *call;
    uint64_t count;
};

/* A task without its first token is no task any more. */
static enum ag_err
revoke_whole_task(struct revoking *r, int64_t task_id)
{
    enum ag_err err = core_note(r->tx, r->call, AUDIT_TOKEN_REVOKED, task_id, 0,
                                json_object());

    if (err == AG_OK) {
        err = core_end_task(r->core, r->tx, task_id, END_REVOKED, -1);
    }
    r->count += err == AG_OK ? 1 : 0;
    return err;
}

static enum ag_err
revoke_family(struct revoking *r, const struct live_token *token)
{
    const struct revoke how = {.reason = END_REVOKED};
    uint64_t revoked = 0;
    enum ag_err err = AG_OK;

    if (token->task_id != 0 && token->parent_id == 0) {
        return revoke_whole_task(r, token->task_id);
    }
    err = tokens_revoke_tree(r->tx, token->id, &how, &revoked);
    if (err == AG_OK) {
        err = core_note(r->tx, r->call, AUDIT_TOKEN_REVOKED, token->task_id, 0,
                        json_pack("{s:s, s:I}", "accessor", token->accessor,
                                  "revoked", (json_int_t)revoked));
    }
    if (err == AG_OK) {
        err = live_revoke_family(r->core->live, token->task_id, token->id);
    }
    r->count += err == AG_OK ? revoked : 0;
    return err;
}

/* A token given as text, also an old one, by its owner who fears it leaked. */
static enum ag_err
revoke_text(struct revoking *r, const char *text)
{
    AG_AUTO(live_token) struct live_token *token = NULL;
    uint8_t hash[TOKEN_HASH_BYTES];
    struct live_seen seen = {0};
    enum ag_err err =
        renewal_find(r->core, span_str(text), hash, &seen, &token);

    if (err == AG_ENOTFOUND) {
        return err_why(AG_ENOTFOUND, "that token does not live");
    }
    return err == AG_OK ? revoke_family(r, token) : err;
}

static enum ag_err
revoke_accessor(struct revoking *r, const char *accessor)
{
    AG_AUTO(live_token) struct live_token *token = NULL;
    enum ag_err err = token_by_accessor(r->core, r->call, accessor, &token);

    return err == AG_OK ? revoke_family(r, token) : err;
}

static enum ag_err
revoke_task(struct revoking *r, const char *task)
{
    int64_t id = 0;
    enum ag_err err = core_parse_id(task, &id);

    return err == AG_OK ? revoke_whole_task(r, id) : err;
}

struct prefix_search {
    const char *prefix;
    int64_t tasks[TREE_TASKS_MAX_COUNT];
    size_t count;
};

static void
match_prefix(void *arg, const struct live_token *token)
{
    struct prefix_search *s = arg;
    bool covered = false;

    for (size_t i = 0; i < token->grants->count && !covered; i++) {
        covered = pattern_covers(s->prefix, token->grants->grants[i].secret) ||
                  pattern_covers(token->grants->grants[i].secret, s->prefix);
    }
    for (size_t i = 0; i < s->count && covered; i++) {
        covered = s->tasks[i] != token->task_id;
    }
    if (covered && token->task_id != 0 && s->count < TREE_TASKS_MAX_COUNT) {
        s->tasks[s->count++] = token->task_id;
    }
}

/* Tokens of a task share its grants: all of the task's go. */
static enum ag_err
revoke_prefix(struct revoking *r, const char *prefix)
{
    struct prefix_search search = {.prefix = prefix};
    enum ag_err err = parse_name_pattern(span_str(prefix));

    if (err == AG_OK) {
        live_each(r->core->live, match_prefix, &search);
    }
    for (size_t i = 0; i < search.count && err == AG_OK; i++) {
        err = revoke_whole_task(r, search.tasks[i]);
    }
    return err;
}

static enum ag_err
revoke_chosen(struct revoking *r, const struct revoke_request *request)
{
    if (request->self) {
        return r->call->token != NULL
                   ? revoke_family(r, r->call->token)
                   : err_why(AG_ENOTOKEN, "no token was shown");
    }
    if (request->accessor != NULL) {
        return revoke_accessor(r, request->accessor);
    }
    if (r->call->who == CALLER_TASK) {
        return err_why(AG_EDENIED, "a task revokes by accessor only");
    }
    if (request->token != NULL) {
        return revoke_text(r, request->token);
    }
    if (request->task != NULL) {
        return revoke_task(r, request->task);
    }
    if (request->prefix != NULL) {
        return revoke_prefix(r, request->prefix);
    }
    return err_why(AG_EINVAL, "give one of accessor, token, task or prefix");
}

enum ag_err
core_token_revoke(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct revoke_request *request, json_t **ret)
{
    struct revoking r = {.core = core, .tx = tx, .call = call};
    enum ag_err err = revoke_chosen(&r, request);
    json_t *answer = NULL;

    if (err != AG_OK) {
        return err;
    }
    answer = json_pack("{s:I}", "revoked", (json_int_t)r.count);
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    *ret = answer;
    return AG_OK;
}
