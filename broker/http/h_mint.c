/* Handlers: mint rules, and what was made by them. */
#include "core/mint.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum ag_err
h_mint_rule_set(struct request *rq)
{
    const struct msg_mint_rule *body = rq->body;
    const struct mint_rule_request request = {.name = rq->param[0],
                                              .minter = body->minter,
                                              .source = body->source,
                                              .ttl_s = body->ttl_s,
                                              .params = body->params};
    json_t *tree = NULL;

    return reply_with(
        rq, core_mint_rule_set(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_mint_rule_show(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_mint_rule_show(rq->core, rq->param[0], &tree),
                      &tree);
}

enum ag_err
h_mint_rule_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_mint_rule_list(rq->core, &tree), &tree);
}

enum ag_err
h_mint_rule_remove(struct request *rq)
{
    return reply_none(
        rq, core_mint_rule_remove(rq->core, rq->tx, &rq->call, rq->param[0]));
}

enum ag_err
h_mint_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_mint_list(rq->core, &tree), &tree);
}
