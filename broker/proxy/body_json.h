/*
 * body_json.h - a request whose value stands in its JSON body: kept until the
 * body is whole, decided then, sent with the value in it.
 * Floor: proxy. Depends on: core/permit.
 */
#ifndef AG_PROXY_BODY_JSON_H
#define AG_PROXY_BODY_JSON_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/permit.h"

struct body_json;

enum {
    BODY_JSON_MAX_BYTES = 64 * 1024, /* one that is kept whole */
};

/* `ask` is copied; what its spans point to outlives *ret, the broker's own
 * tokens are left out. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err body_json_new(const struct permit_ask *ask,
                                              struct body_json **ret);
void body_json_free(struct body_json *body); /* wiped */
AG_DEFINE_CLEANUP(body_json, body_json_free)

/* Errors: AG_ELIMIT with a sentence. */
AG_CHECK AG_NONNULL enum ag_err body_json_add(struct body_json *body,
                                              struct span part);

/*
 * It is whole: permit_decide() with it. On AG_OK it is what is to be sent, but
 * for ret->mint_id.
 * Blocks for the record. Errors: those of permit_decide(); AG_ELIMIT.
 */
AG_CHECK AG_NONNULL enum ag_err
body_json_decide(struct core *core, struct body_json *body, struct permit *ret);

/* The request that was decided, and how long its body is now. */
AG_NONNULL const struct request_ask *body_json_ask(const struct body_json *b);
AG_NONNULL size_t body_json_len(const struct body_json *body);

/* The next bytes of it, 0 at the end. */
AG_NONNULL size_t body_json_give(struct body_json *body, uint8_t *into,
                                 size_t room);

#endif
