#include "http/request.h"

#include <stdlib.h>

#include "base/parse.h"
#include "base/secret.h"
#include "http/limits.h"
#include "http/route.h"
#include "tls/authority.h"
#include "wire/emit.h"
#include "wire/json.h"
#include "wire/msg.h"

enum ag_err
request_new(struct server *server, struct request **ret)
{
    struct request *rq = calloc(1, sizeof(*rq));

    if (rq == NULL) {
        return AG_ENOMEM;
    }
    rq->server = server;
    rq->reply.status = err_http(AG_OK);
    rq->reply.type = "application/json";
    buf_init(&rq->raw_body, HTTP_BODY_MAX_BYTES, BUF_WIPE);
    buf_init(&rq->reply.body, HTTP_REPLY_MAX_BYTES, BUF_WIPE);
    request_id_next(rq->id);
    *ret = rq;
    return AG_OK;
}

static void
free_message(const struct msg_spec *spec, void *message)
{
    if (message != NULL) {
        msg_done(spec, message);
        free(message);
    }
}

void
request_free(struct request *rq)
{
    if (rq == NULL) {
        return;
    }
    if (rq->route != NULL) {
        free_message(rq->route->query, rq->query);
        free_message(rq->route->body, rq->body);
    }
    authority_keys_free(rq->keys);
    buf_done(&rq->raw_body);
    buf_done(&rq->reply.body);
    free(rq);
}

enum ag_err
reply_json(struct request *rq, json_t *tree)
{
    AG_AUTO(wjson) json_t *dropped = tree;

    return dropped != NULL ? wjson_dump(dropped, &rq->reply.body)
                           : buf_add_str(&rq->reply.body, "{}");
}

enum ag_err
reply_with(struct request *rq, enum ag_err err, json_t **tree)
{
    if (err != AG_OK) {
        json_decref(AG_TAKE(*tree));
        return err;
    }
    return reply_json(rq, AG_TAKE(*tree));
}

enum ag_err
reply_value(struct request *rq, const char *name, int64_t version,
            const struct secret *value)
{
    struct span bytes = secret_view(value);
    bool is_text = parse_is_utf8(bytes);
    struct emit e;

    emit_start(&e, &rq->reply.body);
    emit_open(&e, NULL, '{');
    if (name != NULL) {
        emit_str(&e, "name", name);
        emit_int(&e, "version", version);
    }
    if (is_text) {
        emit_span(&e, "value", bytes);
    } else {
        emit_base64(&e, "value", bytes);
    }
    emit_str(&e, "encoding", is_text ? "text" : "base64");
    emit_close(&e, '}');
    return emit_end(&e);
}

enum ag_err
reply_none(struct request *rq, enum ag_err err)
{
    if (err == AG_OK) {
        rq->reply.status = 204;
    }
    return err;
}

void
reply_problem(struct request *rq, enum ag_err err, const char *detail)
{
    struct reply *reply = &rq->reply;

    buf_clear(&reply->body);
    reply->status = err_http(err);
    reply->type = "application/problem+json";
    /* Without memory the status alone must do. */
    if (problem_body(&reply->body, err, detail, rq->id) != AG_OK) {
        buf_clear(&reply->body);
    }
}
