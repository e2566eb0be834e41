/* Handlers: tasks, leases, tickets of streams, redaction, moves of files. */
#include <string.h>

#include "base/secret.h"
#include "core/handout.h"
#include "core/lead.h"
#include "core/moves.h"
#include "core/preview.h"
#include "core/prints.h"
#include "core/record.h"
#include "core/stray.h"
#include "core/tasks.h"
#include "core/tokens.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum {
    MS_PER_S = 1000,
};

static struct task_request
task_request_of(const struct request *rq)
{
    const struct msg_task *body = rq->body;

    return (struct task_request){
        .name = body->name,
        .purpose = body->purpose,
        .repository = body->repository,
        .ttl_ms = body->ttl_s * MS_PER_S,
        .profiles = body->profiles.items,
        .profile_count = body->profiles.count,
        .grade = (enum task_grade)body->grade,
        .grants = body->grants.items,
        .grant_count = body->grants.count,
        .env = body->env.items,
        .env_count = body->env.count,
        .files = body->files.items,
        .file_count = body->files.count,
        .proxies = body->proxy.items,
        .proxy_count = body->proxy.count,
        .allow = body->allow.items,
        .allow_count = body->allow.count,
        .stream_count = (size_t)body->streams,
        .isolation = body->isolation,
        .keys = rq->keys,
    };
}

enum ag_err
h_task_prepare(struct request *rq)
{
    const struct task_request request = task_request_of(rq);
    enum ag_err err = lead_keys(&request, &rq->keys);

    return err == AG_OK ? AG_EBUSY : err;
}

enum ag_err
h_task_start(struct request *rq)
{
    const struct task_request request = task_request_of(rq);
    json_t *tree = NULL;

    return reply_with(
        rq, core_task_start(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_task_preview(struct request *rq)
{
    const struct task_request request = task_request_of(rq);
    json_t *tree = NULL;

    return reply_with(
        rq, core_task_preview(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_task_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_tasks_list(rq->core, &rq->call, &tree), &tree);
}

enum ag_err
h_task_show(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(
        rq, core_task_show(rq->core, &rq->call, rq->param[0], &tree), &tree);
}

enum ag_err
h_task_end(struct request *rq)
{
    return reply_none(rq,
                      core_task_end(rq->core, rq->tx, &rq->call, rq->param[0]));
}

enum ag_err
h_lease_list(struct request *rq)
{
    const struct query_task *query = rq->query;
    json_t *tree = NULL;

    return reply_with(
        rq, core_leases_list(rq->core, &rq->call, query->task, &tree), &tree);
}

enum ag_err
h_lease_revoke(struct request *rq)
{
    return reply_none(
        rq, core_lease_revoke(rq->core, rq->tx, &rq->call, rq->param[0]));
}

enum ag_err
h_streams(struct request *rq)
{
    const struct msg_streams *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, handout_streams(rq->core, &rq->call, (size_t)body->count, &tree),
        &tree);
}

enum ag_err
h_redact(struct request *rq)
{
    const struct msg_redact *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, record_redact(rq->core, &rq->call, secret_view(body->text), &tree),
        &tree);
}

enum ag_err
h_redaction_set(struct request *rq)
{
    const struct msg_redaction_set *body = rq->body;
    const struct prints_request request = {.prefix = body->prefix,
                                           .names = body->names};
    json_t *tree = NULL;

    return reply_with(
        rq, core_redaction_set(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_placeholders(struct request *rq)
{
    const struct msg_redact *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, stray_on_disk(rq->core, &rq->call, secret_view(body->text), &tree),
        &tree);
}

enum ag_err
h_move_begin(struct request *rq)
{
    const struct msg_move *body = rq->body;
    const struct move_request request = {
        .kind = body->kind,
        .name = body->name,
        .profile = body->profile,
        .path = body->path,
        .dev = body->dev,
        .ino = body->ino,
        .mode = body->mode,
        .uid = body->uid,
        .gid = body->gid,
        .mtime_ns = body->mtime_ns,
        .atime_ns = body->atime_ns,
        .size_bytes = body->size_bytes,
    };
    json_t *tree = NULL;

    if (body->path == NULL && strcmp(body->kind, "adopt") == 0) {
        return err_why(AG_EINVAL, "path: is missing");
    }
    return reply_with(
        rq, core_move_begin(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_move_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_moves_open(rq->core, &rq->call, &tree), &tree);
}

enum ag_err
h_move_commit(struct request *rq)
{
    return reply_none(
        rq, core_move_commit(rq->core, rq->tx, &rq->call, rq->param[0]));
}

enum ag_err
h_move_done(struct request *rq)
{
    const struct msg_outcome *body = rq->body;

    return reply_none(rq, core_move_done(rq->core, rq->tx, &rq->call,
                                         rq->param[0], body->outcome));
}

enum ag_err
h_move_undo(struct request *rq)
{
    return reply_none(
        rq, core_move_undo(rq->core, rq->tx, &rq->call, rq->param[0]));
}
