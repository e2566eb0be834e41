/* Handler: a template filled with values. */
#include "base/secret.h"
#include "core/render.h"
#include "http/handlers.h"
#include "http/messages.h"
#include "http/request.h"
#include "wire/emit.h"

static enum ag_err
reply(struct request *rq, const struct rendering *rendering)
{
    struct emit e;

    emit_start(&e, &rq->reply.body);
    emit_open(&e, NULL, '{');
    emit_str(&e, "state", rendering->state);
    emit_bool(&e, "changed", rendering->text != NULL);
    if (rendering->text != NULL) {
        emit_base64(&e, "value", secret_view(rendering->text));
    } else {
        emit_str(&e, "value", "");
    }
    emit_close(&e, '}');
    return emit_end(&e);
}

enum ag_err
h_render(struct request *rq)
{
    const struct msg_render *body = rq->body;
    const struct render_request request = {
        .text = body->template, .path = body->path, .unless = body->unless};
    AG_AUTO(rendering) struct rendering rendering = {0};
    enum ag_err err =
        core_render(rq->core, rq->tx, &rq->call, &request, &rendering);

    return err == AG_OK ? reply(rq, &rendering) : err;
}
