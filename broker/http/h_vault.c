/* Handlers: the broker's state and the life of the keys. */
#include "base/encode.h"
#include "base/parse.h"
#include "base/secret.h"
#include "core/core.h"
#include "core/vault.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"
#include "http/server.h"

enum ag_err
h_health(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_health(rq->core, &tree), &tree);
}

enum ag_err
h_status(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, core_status(rq->core, &rq->call, &tree), &tree);
}

enum ag_err
h_metrics(struct request *rq)
{
    enum ag_err err = core_metrics(rq->core, &rq->reply.body);

    rq->reply.type = "text/plain; version=0.0.4; charset=utf-8";
    return err == AG_OK ? server_metrics(rq->server, &rq->reply.body) : err;
}

enum ag_err
h_init(struct request *rq)
{
    const struct msg_passphrase *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, vault_init(rq->core, &rq->call, body->passphrase, &tree), &tree);
}

enum ag_err
h_unlock(struct request *rq)
{
    const struct msg_unlock *body = rq->body;
    AG_AUTO(secret) struct secret *key = NULL;
    struct unlock_request request = {
        .passphrase = body->passphrase,
        .recovery_code = body->recovery_code,
        .accept_rollback = body->accept_rollback,
    };
    int given = (body->passphrase != NULL ? 1 : 0) +
                (body->recovery_code != NULL ? 1 : 0) +
                (body->key != NULL ? 1 : 0);
    json_t *tree = NULL;

    if (given != 1) {
        return err_why(AG_EINVAL,
                       "give one of passphrase, recovery_code and key");
    }
    if (body->key != NULL) {
        enum ag_err err = decode_base64_secret(secret_view(body->key), &key);

        if (err != AG_OK) {
            return err;
        }
        request.key = key;
    }
    return reply_with(rq, vault_unlock(rq->core, &rq->call, &request, &tree),
                      &tree);
}

enum ag_err
h_proof(struct request *rq)
{
    const struct msg_passphrase *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, vault_prove(rq->core, &rq->call, body->passphrase, &tree), &tree);
}

enum ag_err
h_lock(struct request *rq)
{
    return reply_none(rq, vault_lock(rq->core, &rq->call));
}

/* While the vault is locked nobody is an operator, and there is nothing that
 * a neighbour could not end by a signal as well. */
enum ag_err
h_stop(struct request *rq)
{
    if (core_state(rq->core) == VAULT_OPEN &&
        !caller_may(rq->call.who, CALLER_MAY_OPERATOR)) {
        return AG_EOPERATOR;
    }
    server_stop_requested(rq->server);
    return reply_none(rq, AG_OK);
}

enum ag_err
h_passphrase(struct request *rq)
{
    const struct msg_new_passphrase *body = rq->body;

    return reply_none(rq,
                      vault_change_passphrase(rq->core, &rq->call,
                                              body->old_one, body->new_one));
}

enum ag_err
h_rekey(struct request *rq)
{
    const struct msg_passphrase *body = rq->body;
    json_t *tree = NULL;

    return reply_with(
        rq, vault_rekey(rq->core, &rq->call, body->passphrase, &tree), &tree);
}

enum ag_err
h_slots(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(rq, vault_slots(rq->core, &tree), &tree);
}

enum ag_err
h_slot_add(struct request *rq)
{
    const struct msg_slot *body = rq->body;
    AG_AUTO(secret) struct secret *key = NULL;
    json_t *tree = NULL;

    if (body->key != NULL) {
        enum ag_err err = decode_base64_secret(secret_view(body->key), &key);

        if (err != AG_OK) {
            return err;
        }
    }
    return reply_with(
        rq, vault_slot_add(rq->core, &rq->call, body->kind, key, &tree), &tree);
}

enum ag_err
h_slot_remove(struct request *rq)
{
    uint64_t id = 0;

    if (parse_u64(span_str(rq->param[0]), INT64_MAX, &id) != AG_OK) {
        return err_why(AG_ENOTFOUND,
                       "'%s' is no slot; see: auth-guard slot list",
                       rq->param[0]);
    }
    return reply_none(rq, vault_slot_remove(rq->core, &rq->call, (int64_t)id));
}
