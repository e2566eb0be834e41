/* Handlers: exposure, audit, profiles. */
#include "core/record.h"
#include "core/trust.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum ag_err
h_exposure(struct request *rq)
{
    const struct query_exposure *query = rq->query;
    json_t *tree = NULL;

    if ((query->secret != NULL) == (query->task != NULL)) {
        return err_why(AG_EINVAL, "give one of ?secret= and ?task=");
    }
    return reply_with(
        rq, record_exposure(rq->core, query->secret, query->task, &tree),
        &tree);
}

enum ag_err
h_audit(struct request *rq)
{
    const struct query_audit *query = rq->query;
    json_t *tree = NULL;

    return reply_with(
        rq, record_audit(rq->core, query->after, query->limit, &tree), &tree);
}

enum ag_err
h_audit_verify(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, record_verify(rq->core, &tree), &tree);
}

enum ag_err
h_audit_export(struct request *rq)
{
    const struct query_after *query = rq->query;

    rq->reply.type = "application/jsonl";
    return record_export(rq->core, query->after, &rq->reply.body);
}

enum ag_err
h_profile_list(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, record_profiles(rq->core, &tree), &tree);
}

enum ag_err
h_profile_show(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, record_profile(rq->core, rq->param[0], &tree), &tree);
}

enum ag_err
h_profile_trust(struct request *rq)
{
    return reply_none(
        rq, core_profile_trust(rq->core, rq->tx, &rq->call, rq->param[0]));
}
