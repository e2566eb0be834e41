/* Handlers: rotations, their rules, programs on record. */
#include "core/rotation.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum ag_err
h_rotation_rule_set(struct request *rq)
{
    static const struct msg_rotator_params none = {0};
    const struct msg_rotation_rule *body = rq->body;
    const struct msg_rotator_params *params =
        body->params != NULL ? body->params : &none;
    const struct rotation_rule_request request = {
        .name = rq->param[0],
        .every_s = body->every_s,
        .cron = body->cron,
        .jitter_s = body->jitter_s,
        .windows = body->windows.items,
        .window_count = body->windows.count,
        .grace_s = body->grace_s,
        .notify = body->notify,
        .rotator = body->rotator,
        .length = params->length,
        .alphabet = params->alphabet,
        .require = params->require.items,
        .require_count = params->require.count,
        .program = params->program,
        .generate = params->generate,
        .region = params->region,
        .section = params->section,
        .endpoint = params->endpoint,
        .users = params->users,
        .source = params->source,
    };
    json_t *tree = NULL;

    return reply_with(
        rq,
        core_rotation_rule_set(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_rotation_rule_show(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(
        rq, core_rotation_rule_show(rq->core, rq->param[0], &tree), &tree);
}

enum ag_err
h_rotation_rule_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_rotation_rule_list(rq->core, &tree), &tree);
}

enum ag_err
h_rotation_rule_remove(struct request *rq)
{
    return reply_none(rq, core_rotation_rule_remove(rq->core, rq->tx, &rq->call,
                                                    rq->param[0]));
}

enum ag_err
h_rotate(struct request *rq)
{
    const struct msg_rotate *body = rq->body;
    const struct rotate_request request = {.names = body->names.items,
                                           .name_count = body->names.count,
                                           .due = body->due,
                                           .dry_run = body->dry_run};
    json_t *tree = NULL;

    return reply_with(rq, core_rotate(rq->core, &rq->call, &request, &tree),
                      &tree);
}

enum ag_err
h_rotation_list(struct request *rq)
{
    const struct query_rotations *query = rq->query;
    json_t *tree = NULL;

    return reply_with(rq, core_rotation_list(rq->core, query->secret, &tree),
                      &tree);
}

enum ag_err
h_program_set(struct request *rq)
{
    const struct msg_program *body = rq->body;
    const struct program_request request = {.name = rq->param[0],
                                            .path = body->path,
                                            .sha256 = body->sha256,
                                            .limit_s = body->limit_s};

    return reply_none(rq,
                      core_program_set(rq->core, rq->tx, &rq->call, &request));
}

enum ag_err
h_program_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_program_list(rq->core, &tree), &tree);
}

enum ag_err
h_program_remove(struct request *rq)
{
    return reply_none(
        rq, core_program_remove(rq->core, rq->tx, &rq->call, rq->param[0]));
}
