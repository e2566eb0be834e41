/* Handlers: secrets and their versions. */
#include "base/encode.h"
#include "base/secret.h"
#include "core/secrets.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"

enum ag_err
h_secret_list(struct request *rq)
{
    const struct query_prefix *query = rq->query;
    json_t *tree = NULL;

    return reply_with(
        rq, core_secret_list(rq->core, &rq->call, query->prefix, &tree), &tree);
}

enum ag_err
h_secret_show(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(
        rq, core_secret_show(rq->core, &rq->call, rq->param[0], &tree), &tree);
}

enum ag_err
h_secret_put(struct request *rq)
{
    const struct msg_put *body = rq->body;
    AG_AUTO(secret) struct secret *decoded = NULL;
    struct put_request request = {
        .name = rq->param[0],
        .value = body->value,
        .kind = body->kind,
        .profile = body->profile,
        .min_grade = body->min_grade,
        .description = body->description,
        .if_version = body->if_version,
    };
    json_t *tree = NULL;

    if (body->encoding == ENCODING_BASE64) {
        enum ag_err err =
            decode_base64_secret(secret_view(body->value), &decoded);

        if (err != AG_OK) {
            return err;
        }
        request.value = decoded;
    }
    return reply_with(
        rq, core_secret_put(rq->core, rq->tx, &rq->call, &request, &tree),
        &tree);
}

enum ag_err
h_secret_patch(struct request *rq)
{
    const struct msg_patch *body = rq->body;
    const struct patch_request request = {
        .name = rq->param[0],
        .min_grade = body->min_grade,
        .description = body->description,
        .on_leak = body->on_leak,
    };

    return reply_none(rq,
                      core_secret_patch(rq->core, rq->tx, &rq->call, &request));
}

enum ag_err
h_secret_remove(struct request *rq)
{
    return reply_none(
        rq, core_secret_remove(rq->core, rq->tx, &rq->call, rq->param[0]));
}

static struct get_request
value_request(const struct request *rq)
{
    const struct query_value *query = rq->query;

    return (struct get_request){
        .name = rq->param[0],
        .field = query->field,
        .version = query->version,
    };
}

/* A credential that is made at its first use: by then it is there. */
static enum ag_err
await_mint(struct request *rq, bool *ret_waits)
{
    const struct get_request request = value_request(rq);
    enum mint_say say = MINT_GO;
    enum ag_err err =
        mint_ask_reading(rq->core, &rq->call, &request, &rq->mint, &say);

    *ret_waits = say == MINT_WAIT;
    return err;
}

enum ag_err
h_secret_value_quick(struct request *rq)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const struct get_request request = value_request(rq);
    int64_t version = 0;
    enum ag_err err =
        core_secret_get_quick(rq->core, &rq->call, &request, &version, &value);

    rq->await = await_mint;
    return err == AG_OK ? reply_value(rq, rq->param[0], version, value) : err;
}

enum ag_err
h_secret_value(struct request *rq)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const struct get_request request = value_request(rq);
    int64_t version = 0;
    enum ag_err err = core_secret_get(rq->core, rq->tx, &rq->call, &request,
                                      &version, &value);

    return err == AG_OK ? reply_value(rq, rq->param[0], version, value) : err;
}

enum ag_err
h_versions(struct request *rq)
{
    json_t *tree = NULL;

    return reply_with(
        rq, core_secret_versions(rq->core, &rq->call, rq->param[0], &tree),
        &tree);
}

enum ag_err
h_version_change(struct request *rq)
{
    const struct msg_version *body = rq->body;

    if ((body->rollback != 0) == (body->destroy != 0)) {
        return err_why(AG_EINVAL, "give one of rollback and destroy");
    }
    if (body->rollback != 0) {
        return reply_none(rq,
                          core_secret_rollback(rq->core, rq->tx, &rq->call,
                                               rq->param[0], body->rollback));
    }
    return reply_none(rq, core_secret_destroy(rq->core, rq->tx, &rq->call,
                                              rq->param[0], body->destroy));
}
