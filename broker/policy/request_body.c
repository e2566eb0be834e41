/* A value's place in a JSON body: request_look() for PLACE_FIELD. */
#include <string.h>

#include "base/secret.h"
#include "policy/request.h"
#include "profile/leaf.h"

struct looking {
    const char *pointer;
    struct span body;
    struct request_found *found;
};

static enum ag_err
on_leaf(void *arg, const struct leaf *leaf)
{
    AG_AUTO(secret) struct secret *text = NULL;
    struct looking *l = arg;
    enum ag_err err = AG_OK;

    if (strcmp(leaf->pointer, l->pointer) != 0) {
        return AG_OK;
    }
    if (l->found->there) {
        return err_why(AG_EPLACE, "the field %s comes twice", l->pointer);
    }
    l->found->there = true;
    if (leaf->kind != LEAF_STRING) {
        return AG_OK; /* a number is no placeholder: `value` stays empty */
    }
    l->found->at = (size_t)(leaf->raw.ptr - l->body.ptr);
    l->found->len = leaf->raw.len;
    err = leaf_value(leaf, &text);
    return err == AG_OK ? buf_add(&l->found->text, secret_view(text)) : err;
}

/* "application/json", whatever stands behind a ';', and not encoded: what the
 * service would make of an encoded body is not what is read here. */
static bool
is_json(const struct request_ask *ask)
{
    bool json = false;

    for (size_t i = 0; i < ask->field_count; i++) {
        const struct request_field *field = &ask->fields[i];
        struct span type =
            span_trim(span_sub(field->value, 0, span_find(field->value, ';')));

        if (request_name_is(field->name, "content-encoding")) {
            return false;
        }
        if (request_name_is(field->name, "content-type")) {
            if (!request_name_is(type, "application/json")) {
                return false;
            }
            json = true;
        }
    }
    return json;
}

enum ag_err
request_look_body(const struct place *place, const struct request_ask *ask,
                  struct request_found *ret)
{
    struct looking l = {
        .pointer = place->name, .body = ask->body, .found = ret};
    enum ag_err err = AG_OK;

    if (!is_json(ask)) {
        return AG_OK;
    }
    err = leaf_walk(ask->body, FORMAT_JSON, on_leaf, &l);
    if (err != AG_OK) {
        ret->there = false;
        return err == AG_EINVAL ? AG_OK : err; /* not JSON: no field is there */
    }
    /* Without the field the text is empty, which is of no format. */
    ret->there =
        request_unwrap(place->format, buf_view(&ret->text), &ret->value);
    return AG_OK;
}
