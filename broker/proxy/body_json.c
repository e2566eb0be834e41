#include "proxy/body_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "proxy/kept_ask.h"

struct body_json {
    struct kept_ask kept;
    struct buf text;     /* as it came: placeholders at most */
    struct secret *sent; /* with the value */
    size_t given;
};

enum ag_err
body_json_new(const struct permit_ask *ask, struct body_json **ret)
{
    struct body_json *body = calloc(1, sizeof(*body));

    if (body == NULL) {
        return AG_ENOMEM;
    }
    kept_ask_init(&body->kept, ask);
    buf_init(&body->text, BODY_JSON_MAX_BYTES, BUF_WIPE);
    *ret = body;
    return AG_OK;
}

void
body_json_free(struct body_json *body)
{
    if (body != NULL) {
        buf_done(&body->text);
        secret_free(body->sent);
        free(body);
    }
}

enum ag_err
body_json_add(struct body_json *body, struct span part)
{
    enum ag_err err = buf_add(&body->text, part);

    return err == AG_ELIMIT
               ? err_why(AG_ELIMIT,
                         "a body with a value in it may have %d bytes",
                         BODY_JSON_MAX_BYTES)
               : err;
}

static const struct permit_edit *
next_edit(const struct permit *permit, size_t from)
{
    const struct permit_edit *next = NULL;

    for (size_t i = 0; i < permit->edit_count; i++) {
        const struct permit_edit *edit = &permit->edits[i];

        if (edit->kind == PERMIT_BODY && edit->at >= from &&
            (next == NULL || edit->at < next->at)) {
            next = edit;
        }
    }
    return next;
}

static size_t
len_with(const struct body_json *body, const struct permit *permit)
{
    size_t len = body->text.len;

    for (size_t i = 0; i < permit->edit_count; i++) {
        if (permit->edits[i].kind == PERMIT_BODY) {
            len += secret_len(permit->edits[i].text);
            len -= permit->edits[i].len;
        }
    }
    return len;
}

/* The body anew, in locked memory. */
static enum ag_err
swap(struct body_json *body, const struct permit *permit)
{
    const struct permit_edit *edit = next_edit(permit, 0);
    struct span text = buf_view(&body->text);
    uint8_t *out = NULL;
    size_t at = 0;
    size_t n = 0;
    enum ag_err err = secret_new(len_with(body, permit), &body->sent);

    if (err != AG_OK) {
        return err;
    }
    out = secret_bytes(body->sent);
    while (edit != NULL) {
        struct span value = secret_view(edit->text);

        memcpy(out + n, text.ptr + at, edit->at - at);
        n += edit->at - at;
        memcpy(out + n, value.ptr, value.len);
        n += value.len;
        at = edit->at + edit->len;
        edit = next_edit(permit, at);
    }
    memcpy(out + n, text.ptr + at, text.len - at);
    return AG_OK;
}

enum ag_err
body_json_decide(struct core *core, struct body_json *body, struct permit *ret)
{
    enum ag_err err = AG_OK;

    if (body->text.len == 0) {
        err = buf_add_byte(&body->text, ' '); /* of a chunked body: nothing */
    }
    body->kept.ask.request.body = buf_view(&body->text);
    body->kept.ask.request.body_follows = false;
    if (err == AG_OK) {
        err = permit_decide(core, &body->kept.ask, false, ret);
    }
    return err == AG_OK && ret->mint_id == 0 ? swap(body, ret) : err;
}

const struct request_ask *
body_json_ask(const struct body_json *body)
{
    return &body->kept.ask.request;
}

size_t
body_json_len(const struct body_json *body)
{
    return secret_len(body->sent);
}

size_t
body_json_give(struct body_json *body, uint8_t *into, size_t room)
{
    struct span all = secret_view(body->sent);
    size_t n = all.len - body->given;

    n = n < room ? n : room;
    if (n > 0) {
        memcpy(into, all.ptr + body->given, n);
        body->given += n;
    }
    return n;
}
