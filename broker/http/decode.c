#include "http/decode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "http/limits.h"
#include "http/request.h"
#include "http/route.h"
#include "wire/json.h"
#include "wire/msg.h"

enum {
    QUERY_KEY_BYTES = 32,
    QUERY_VALUE_BYTES = 1024 + 1, /* a pointer into a value, with its NUL */
    QUERY_MAX_COUNT = 8,
};

enum ag_err
decode_query_add(json_t *query, struct span key, struct span value)
{
    char name[QUERY_KEY_BYTES];
    char text[QUERY_VALUE_BYTES];
    enum ag_err err = route_decode(key, sizeof(name), name);

    if (err == AG_OK) {
        err = route_decode(value, sizeof(text), text);
    }
    if (err != AG_OK) {
        return err;
    }
    if (json_object_get(query, name) != NULL) {
        return err_why(AG_EINVAL, "query: a parameter comes twice");
    }
    if (json_object_size(query) >= QUERY_MAX_COUNT) {
        return err_why(AG_EINVAL, "query: too many parameters");
    }
    if (!parse_is_utf8(span_str(name)) || !parse_is_utf8(span_str(text))) {
        return err_why(AG_EINVAL, "query: not UTF-8");
    }
    return json_object_set_new(query, name, json_string(text)) == 0 ? AG_OK
                                                                    : AG_ENOMEM;
}

/* A parameter whose field is a number comes as text. */
static enum ag_err
numbers_of_query(const struct msg_spec *spec, json_t *query)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct msg_field *field = &spec->fields[i];
        const json_t *text = json_object_get(query, field->name);
        uint64_t number = 0;
        enum ag_err err;

        if (field->type != MSG_INT || text == NULL) {
            continue;
        }
        err = parse_u64(wjson_view(text), INT64_MAX, &number);
        if (err != AG_OK) {
            return err_why(AG_EINVAL, "%s: must be a whole number",
                           field->name);
        }
        if (json_object_set_new(query, field->name,
                                json_integer((json_int_t)number)) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

enum ag_err
decode_query(struct request *rq, json_t *query, enum ag_err query_err)
{
    const struct msg_spec *spec = rq->route->query;
    enum ag_err err;

    if (query_err != AG_OK) {
        return query_err;
    }
    if (spec == NULL) {
        return query == NULL
                   ? AG_OK
                   : err_why(AG_EINVAL, "this resource takes no query");
    }
    rq->query = calloc(1, spec->size);
    if (rq->query == NULL) {
        return AG_ENOMEM;
    }
    if (query == NULL) {
        return msg_absent(spec, rq->query);
    }
    err = numbers_of_query(spec, query);
    return err == AG_OK ? msg_from_tree(spec, query, rq->query) : err;
}

/* application/json, with charset=utf-8 or without. */
static bool
is_json_type(const char *type)
{
    static const char NAME[] = "application/json";
    const char *rest;

    if (type == NULL || strncasecmp(type, NAME, sizeof(NAME) - 1) != 0) {
        return false;
    }
    rest = type + sizeof(NAME) - 1;
    rest += strspn(rest, " \t");
    if (*rest == ';') {
        rest++;
        rest += strspn(rest, " \t");
        return strcasecmp(rest, "charset=utf-8") == 0;
    }
    return *rest == '\0';
}

enum ag_err
decode_body(struct request *rq, const char *content_type)
{
    const struct msg_spec *spec = rq->route->body;
    enum ag_err err;

    if (spec == NULL) {
        return rq->raw_body.len == 0
                   ? AG_OK
                   : err_why(AG_EINVAL, "this resource takes no body");
    }
    if (rq->raw_body.len > 0 && !is_json_type(content_type)) {
        return AG_EMEDIA;
    }
    rq->body = calloc(1, spec->size);
    if (rq->body == NULL) {
        return AG_ENOMEM;
    }
    if (rq->raw_body.len == 0) {
        return msg_absent(spec, rq->body);
    }
    err = msg_decode(spec, buf_view(&rq->raw_body), HTTP_BODY_MAX_BYTES,
                     rq->body);
    buf_done(&rq->raw_body);
    return err;
}
