/* Handlers: receipts of redaction. */
#include "core/receipts.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum ag_err
h_receipt_key(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, receipts_key(rq->core, &tree), &tree);
}

enum ag_err
h_receipt_check(struct request *rq)
{
    const struct msg_receipt *body = rq->body;
    json_t *tree = NULL;

    return reply_with(rq, receipts_check(rq->core, body->receipt, &tree),
                      &tree);
}
