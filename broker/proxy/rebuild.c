#include "proxy/rebuild.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/secret.h"

/* ---- the target ---- */

static bool
next_segment(struct span *rest, struct span *ret)
{
    size_t len = 0;

    if (rest->len == 0 || rest->ptr[0] != '/') {
        return false;
    }
    *rest = span_sub(*rest, 1, rest->len);
    len = span_find(*rest, '/');
    *ret = span_sub(*rest, 0, len);
    *rest = span_sub(*rest, len, rest->len);
    return ret->len > 0;
}

enum ag_err
target_read(struct span text, struct target *ret)
{
    size_t mark = span_find(text, '?');
    struct span rest = span_sub(text, 0, mark);
    struct span word = {0};
    uint64_t task = 0;
    bool ok = next_segment(&rest, &word);

    *ret = (struct target){.query = span_sub(text, mark + 1, text.len)};
    if (ok && span_is(word, "t")) {
        ok = next_segment(&rest, &word) &&
             parse_u64(word, INT64_MAX, &task) == AG_OK && task > 0;
    } else {
        ok = ok && span_is(word, "p");
    }
    if (!ok || !next_segment(&rest, &ret->service)) {
        return err_why(AG_EINVAL, "the path must be /p/SERVICE/… or "
                                  "/t/TASK/SERVICE/…");
    }
    ret->task_id = (int64_t)task;
    ret->path = rest.len > 0 ? rest : span_str("/");
    return AG_OK;
}

/* ---- which fields go out ---- */

/* What does not go out: of a row whose name ends in '-' all that begin so. */
static const char *const LEFT_OUT[] = {
    /* of one connection */
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Transfer-Encoding",
    "Expect",
    "HTTP2-Settings",
    "Proxy-",
    /* made anew */
    "Host",
    "Content-Length",
    /* where the request came from is nobody's business */
    "Forwarded",
    "X-Forwarded-",
    "X-Real-IP",
    "Via",
    /* an answer that is encoded can't be searched */
    "Accept-Encoding",
    "Sec-WebSocket-Extensions",
    /* nor one that is a part: by parts a value would pass */
    "Range",
    "If-Range",
    "Request-Range", /* an old name that servers still read */
    "X-Ms-Range",    /* Azure storage: goes before Range */
    "A-IM",          /* RFC 3229: differences, and ranges too */
    /* would have the service do another method than was decided on */
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    /* or another path or host */
    "X-Original-", /* -URL: IIS, Symfony; -URI, -Host, -Method: gateways */
    "X-Rewrite-",  /* -URL: IIS, Zend */
    "X-Envoy-Original-",
    "X-Host",
    "X-HTTP-Host-Override",
    "Destination", /* WebDAV: what COPY and MOVE write */
    /* CGI makes it HTTP_PROXY: where the service's own calls go */
    "Proxy",
};

/* Some servers take '_' for '-'. */
static int
folded(uint8_t c)
{
    c = c == '_' ? '-' : c;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool
is_same_name(struct span name, const char *row)
{
    size_t len = strlen(row);

    if (name.len != len && (row[len - 1] != '-' || name.len < len)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (folded(name.ptr[i]) != folded((uint8_t)row[i])) {
            return false;
        }
    }
    return true;
}

static bool
is_left_out(struct span name)
{
    for (size_t i = 0; i < AG_COUNT(LEFT_OUT); i++) {
        if (is_same_name(name, LEFT_OUT[i])) {
            return true;
        }
    }
    return false;
}

static bool
is_of_connection(const struct request_ask *ask, struct span name)
{
    for (size_t i = 0; i < ask->field_count; i++) {
        if (request_name_is(ask->fields[i].name, "connection") &&
            request_list_names(ask->fields[i].value, name)) {
            return true;
        }
    }
    return false;
}

static const struct permit_edit *
edit_of(const struct permit *permit, size_t field)
{
    for (size_t i = 0; i < permit->edit_count; i++) {
        if (permit->edits[i].kind == PERMIT_FIELD &&
            permit->edits[i].field == field) {
            return &permit->edits[i];
        }
    }
    return NULL;
}

static bool
is_set_anew(const struct permit *permit, struct span name)
{
    for (size_t i = 0; i < permit->edit_count; i++) {
        if (permit->edits[i].kind == PERMIT_ADD &&
            is_same_name(name, permit->edits[i].name)) {
            return true;
        }
    }
    return false;
}

static enum ag_err
add(struct rebuilt *r, struct span name, struct span value, bool secret)
{
    if (r->field_count == UPSTREAM_FIELDS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d headers",
                       UPSTREAM_FIELDS_MAX_COUNT);
    }
    r->fields[r->field_count++] =
        (struct upstream_field){.name = name, .value = value, .secret = secret};
    return AG_OK;
}

static enum ag_err
add_field(const struct request_ask *ask, const struct permit *permit, size_t i,
          struct rebuilt *r)
{
    const struct request_field *field = &ask->fields[i];
    const struct permit_edit *edit = edit_of(permit, i);

    if (edit != NULL) {
        return add(r, field->name, secret_view(edit->text), true);
    }
    if (is_left_out(field->name) || request_is_own_token(field) ||
        is_of_connection(ask, field->name) ||
        is_set_anew(permit, field->name)) {
        return AG_OK;
    }
    return add(r, field->name, field->value, false);
}

/* ---- the target anew ---- */

static const struct permit_edit *
next_query_edit(const struct permit *permit, size_t from)
{
    const struct permit_edit *next = NULL;

    for (size_t i = 0; i < permit->edit_count; i++) {
        const struct permit_edit *edit = &permit->edits[i];

        if (edit->kind == PERMIT_QUERY && edit->at >= from &&
            (next == NULL || edit->at < next->at)) {
            next = edit;
        }
    }
    return next;
}

static enum ag_err
add_query(const struct request_ask *ask, const struct permit *permit,
          struct buf *out)
{
    size_t at = 0;
    const struct permit_edit *edit = next_query_edit(permit, 0);
    enum ag_err err = buf_add_byte(out, '?');

    while (err == AG_OK && edit != NULL) {
        err = buf_add(out, span_sub(ask->query, at, edit->at - at));
        if (err == AG_OK) {
            err = buf_add(out, secret_view(edit->text));
        }
        at = edit->at + edit->len;
        edit = next_query_edit(permit, at);
    }
    return err == AG_OK ? buf_add(out, span_sub(ask->query, at, ask->query.len))
                        : err;
}

void
rebuilt_done(struct rebuilt *rebuilt)
{
    buf_done(&rebuilt->target);
    free(rebuilt->fields);
    rebuilt->fields = NULL;
    rebuilt->field_count = 0;
}

/* For all fields there can be. */
static enum ag_err
take_room(const struct request_ask *ask, const struct permit *permit,
          struct rebuilt *ret)
{
    size_t count = ask->field_count + permit->edit_count + REBUILT_SPARE_COUNT;

    count =
        count < UPSTREAM_FIELDS_MAX_COUNT ? count : UPSTREAM_FIELDS_MAX_COUNT;
    ret->fields = malloc(count * sizeof(*ret->fields));
    return ret->fields != NULL ? AG_OK : AG_ENOMEM;
}

enum ag_err
rebuild(const struct request_ask *ask, const struct permit *permit,
        struct rebuilt *ret)
{
    enum ag_err err = AG_OK;

    buf_init(&ret->target, UPSTREAM_TARGET_MAX_BYTES, BUF_WIPE);
    err = take_room(ask, permit, ret);
    if (err == AG_OK) {
        err = buf_add(&ret->target, ask->path);
    }
    if (err == AG_OK && ask->query.len > 0) {
        err = add_query(ask, permit, &ret->target);
    }
    for (size_t i = 0; err == AG_OK && i < ask->field_count; i++) {
        err = add_field(ask, permit, i, ret);
    }
    for (size_t i = 0; err == AG_OK && i < permit->edit_count; i++) {
        const struct permit_edit *edit = &permit->edits[i];

        if (edit->kind == PERMIT_ADD) {
            err = add(ret, span_str(edit->name), secret_view(edit->text), true);
        }
    }
    return err;
}
