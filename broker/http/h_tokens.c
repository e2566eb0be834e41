/* Handlers: tokens, wraps, role tokens. */
#include "base/secret.h"
#include "core/tokens.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum {
    MS_PER_S = 1000,
};

enum ag_err
h_token_create(struct request *rq)
{
    const struct msg_token *body = rq->body;
    const struct token_request request = {
        .task = body->task,
        .grants = body->grants.items,
        .grant_count = body->grants.count,
        .ttl_ms = body->ttl_s * MS_PER_S,
        .max_ttl_ms = body->max_ttl_s * MS_PER_S,
        .uses = body->uses,
        .unbound = body->unbound,
    };
    json_t *tree = NULL;

    return reply_with(
        rq, core_token_create(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_token_list(struct request *rq)
{
    const struct query_task *query = rq->query;
    json_t *tree = NULL;

    return reply_with(
        rq, core_tokens_list(rq->core, &rq->call, query->task, &tree), &tree);
}

enum ag_err
h_token_self(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_token_self(rq->core, &rq->call, &tree), &tree);
}

static enum ag_err
revoke(struct request *rq, const struct revoke_request *request)
{
    json_t *tree = NULL;

    return reply_with(
        rq, core_token_revoke(rq->core, rq->tx, &rq->call, request, &tree),
        &tree);
}

enum ag_err
h_token_self_revoke(struct request *rq)
{
    const struct revoke_request request = {.self = true};

    return revoke(rq, &request);
}

enum ag_err
h_token_revoke(struct request *rq)
{
    const struct msg_revoke *body = rq->body;
    const struct revoke_request request = {
        .accessor = body->accessor,
        .token = body->token,
        .task = body->task,
        .prefix = body->prefix,
    };
    int given = (body->accessor != NULL ? 1 : 0) +
                (body->token != NULL ? 1 : 0) + (body->task != NULL ? 1 : 0) +
                (body->prefix != NULL ? 1 : 0);

    if (given != 1) {
        return err_why(AG_EINVAL,
                       "give one of accessor, token, task and prefix");
    }
    return revoke(rq, &request);
}

enum ag_err
h_token_renew(struct request *rq)
{
    const struct msg_ttl *body = rq->body;
    json_t *tree = NULL;

    return reply_with(rq,
                      core_token_renew(rq->core, rq->tx, &rq->call,
                                       body->ttl_s * MS_PER_S, &tree),
                      &tree);
}

enum ag_err
h_token_lookup(struct request *rq)
{
    const struct msg_accessor *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, core_token_lookup(rq->core, &rq->call, body->accessor, &tree),
        &tree);
}

enum ag_err
h_wrap(struct request *rq)
{
    const struct msg_wrap *body = rq->body;
    const struct wrap_request wrap = {.ref = body->ref,
                                      .value = body->text,
                                      .ttl_ms = body->ttl_s * MS_PER_S};
    json_t *tree = NULL;

    return reply_with(
        rq, core_wrap_make(rq->core, rq->tx, &rq->call, &wrap, &tree), &tree);
}

/* A second opening must stay on the record: the job succeeds, the answer is a
 * refusal. */
enum ag_err
h_unwrap(struct request *rq)
{
    const struct msg_unwrap *body = rq->body;
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err outcome = AG_OK;
    enum ag_err err = core_wrap_open(rq->core, rq->tx, &rq->call, body->token,
                                     &value, &outcome);

    if (err == AG_OK && outcome != AG_OK) {
        reply_problem(rq, outcome, err_text(outcome));
        return AG_OK;
    }
    return err == AG_OK ? reply_value(rq, NULL, 0, value) : err;
}

enum ag_err
h_role_create(struct request *rq)
{
    const struct msg_role *body = rq->body;
    const struct role_request role = {.name = body->name,
                                      .kind = body->kind,
                                      .ttl_ms = body->ttl_s * MS_PER_S};
    json_t *tree = NULL;

    return reply_with(
        rq, core_role_create(rq->core, rq->tx, &rq->call, &role, &tree), &tree);
}

enum ag_err
h_role_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_roles_list(rq->core, &tree), &tree);
}

enum ag_err
h_role_remove(struct request *rq)
{
    return reply_none(
        rq, core_role_remove(rq->core, rq->tx, &rq->call, rq->param[0]));
}
