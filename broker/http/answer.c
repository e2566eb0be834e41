#include "http/answer.h"

#include <stdbool.h>
#include <stdlib.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "http/request.h"

static void
free_reply_body(void *cls)
{
    struct buf *body = cls;

    buf_done(body);
    free(body);
}

/* The body moves into the response and is wiped when MHD is done with it. */
static struct MHD_Response *
make_response(struct reply *reply)
{
    struct buf *body = malloc(sizeof(*body));
    struct MHD_Response *response;

    if (body == NULL) {
        return NULL;
    }
    *body = reply->body;
    buf_init(&reply->body, reply->body.max, BUF_WIPE);
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        body->len, body->ptr, free_reply_body, body);
    if (response == NULL) {
        free_reply_body(body);
    }
    return response;
}

static bool
add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool
add_headers(struct MHD_Response *response, const struct request *rq)
{
    const struct reply *reply = &rq->reply;
    bool ok = add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
              add_header(response, "X-Request-Id", rq->id);

    if (reply->status != MHD_HTTP_NO_CONTENT) {
        ok = ok &&
             add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    }
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        ok = ok &&
             add_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow_text);
    }
    if (reply->status == MHD_HTTP_UNAUTHORIZED) {
        ok = ok && add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                              "Bearer realm=\"auth-guard\"");
    }
    if (reply->close) {
        ok = ok && add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return ok;
}

enum ag_err
answer_queue(struct MHD_Connection *mhd, struct request *rq)
{
    struct MHD_Response *response = make_response(&rq->reply);
    enum MHD_Result result = MHD_NO;

    if (response == NULL) {
        return AG_ENOMEM;
    }
    if (add_headers(response, rq)) {
        result =
            MHD_queue_response(mhd, (unsigned int)rq->reply.status, response);
    }
    MHD_destroy_response(response);
    return result == MHD_YES ? AG_OK : AG_ENOMEM;
}
