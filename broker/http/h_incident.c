/* Handlers: what leaked, and how much is at stake. */
#include "core/danger.h"
#include "core/incident.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum ag_err
h_leaked(struct request *rq)
{
    const struct msg_leaked *body = rq->body;
    const struct leaked_request request = {.names = body->names.items,
                                           .name_count = body->names.count,
                                           .version = body->version,
                                           .is_report = body->report,
                                           .note = body->note,
                                           .receipt = body->receipt,
                                           .fingerprint = body->fingerprint};
    json_t *tree = NULL;

    return reply_with(rq, core_leaked(rq->core, &rq->call, &request, &tree),
                      &tree);
}

enum ag_err
h_incident_list(struct request *rq)
{
    const struct query_incidents *query = rq->query;
    json_t *tree = NULL;

    return reply_with(rq, core_incident_list(rq->core, query->all != 0, &tree),
                      &tree);
}

enum ag_err
h_incident_show(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_incident_show(rq->core, rq->param[0], &tree),
                      &tree);
}

enum ag_err
h_incident_close(struct request *rq)
{
    const struct msg_note *body = rq->body;

    return reply_none(
        rq, core_incident_close(rq->core, &rq->call, rq->param[0], body->note));
}

enum ag_err
h_incident_rotate(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(
        rq, core_incident_rotate(rq->core, &rq->call, rq->param[0], &tree),
        &tree);
}

enum ag_err
h_dangers(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_dangers(rq->core, &tree), &tree);
}
