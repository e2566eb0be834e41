#include "wire/msg.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "wire/json.h"

/* Keys of the caller's are quoted in sentences only as far as this. */
enum {
    QUOTED_KEY_MAX_BYTES = 40,
};

/* Recursion through lists and objects is bounded by the tables, which are
 * constants and not recursive, and by WJSON_DEPTH_MAX. */
static enum ag_err decode_object(const struct msg_spec *spec, json_t *tree,
                                 void *out);

static void *
field_at(const struct msg_field *field, void *out)
{
    return (uint8_t *)out + field->offset;
}

static enum ag_err
wrong_type(const struct msg_field *field, const char *wanted)
{
    return err_why(AG_EINVAL, "%s: must be %s", field->name, wanted);
}

static enum ag_err
check_length(const struct msg_field *field, size_t len)
{
    if ((int64_t)len < field->min) {
        if (len == 0) {
            return err_why(AG_EINVAL, "%s: must not be empty", field->name);
        }
        return err_why(AG_EINVAL, "%s: shorter than %lld bytes", field->name,
                       (long long)field->min);
    }
    if ((int64_t)len > field->max) {
        return err_why(AG_ELIMIT, "%s: longer than %lld bytes", field->name,
                       (long long)field->max);
    }
    return AG_OK;
}

static enum ag_err
copy_string(const struct msg_field *field, const json_t *value, char **ret)
{
    struct span text = wjson_view(value);
    char *copy;

    if (field->check != NULL) {
        enum ag_err err = field->check(text);

        if (err != AG_OK) {
            return err;
        }
    }
    copy = malloc(text.len + 1);
    if (copy == NULL) {
        return AG_ENOMEM;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret = copy;
    return AG_OK;
}

static enum ag_err
decode_string(const struct msg_field *field, json_t *value, void *at)
{
    enum ag_err err;

    if (!json_is_string(value)) {
        return wrong_type(field, "a string");
    }
    err = check_length(field, json_string_length(value));
    return err == AG_OK ? copy_string(field, value, at) : err;
}

static enum ag_err
decode_int(const struct msg_field *field, json_t *value, void *at)
{
    int64_t number;

    if (!json_is_integer(value)) {
        return wrong_type(field, "a whole number");
    }
    number = json_integer_value(value);
    if (number < field->min) {
        return err_why(AG_EINVAL, "%s: %lld is below %lld", field->name,
                       (long long)number, (long long)field->min);
    }
    if (number > field->max) {
        return err_why(AG_EINVAL, "%s: %lld is above %lld", field->name,
                       (long long)number, (long long)field->max);
    }
    memcpy(at, &number, sizeof(number));
    return AG_OK;
}

static enum ag_err
decode_bool(const struct msg_field *field, json_t *value, void *at)
{
    bool is_true = json_is_true(value);

    if (!json_is_boolean(value)) {
        return wrong_type(field, "true or false");
    }
    memcpy(at, &is_true, sizeof(is_true));
    return AG_OK;
}

static enum ag_err
decode_secret(const struct msg_field *field, json_t *value, void *at)
{
    enum ag_err err;

    if (!json_is_string(value)) {
        return wrong_type(field, "a string");
    }
    err = check_length(field, json_string_length(value));
    return err == AG_OK ? secret_from(wjson_view(value), at) : err;
}

static enum ag_err
decode_choice(const struct msg_field *field, json_t *value, void *at)
{
    if (!json_is_string(value)) {
        return wrong_type(field, "a string");
    }
    for (int i = 0; field->choices[i] != NULL; i++) {
        if (span_is(wjson_view(value), field->choices[i])) {
            memcpy(at, &i, sizeof(i));
            return AG_OK;
        }
    }
    return err_why(AG_EINVAL, "%s: not one of those it may be (%s, ...)",
                   field->name, field->choices[0]);
}

static enum ag_err
check_count(const struct msg_field *field, json_t *value, size_t *ret)
{
    size_t count = json_array_size(value);

    if (!json_is_array(value)) {
        return wrong_type(field, "a list");
    }
    if ((int64_t)count < field->min) {
        return err_why(AG_EINVAL, "%s: fewer than %lld", field->name,
                       (long long)field->min);
    }
    if ((int64_t)count > field->max) {
        return err_why(AG_ELIMIT, "%s: more than %lld", field->name,
                       (long long)field->max);
    }
    *ret = count;
    return AG_OK;
}

static enum ag_err
list_room(struct msg_list *list, size_t count, size_t size)
{
    if (count == 0) {
        return AG_OK;
    }
    list->items = calloc(count, size);
    return list->items == NULL ? AG_ENOMEM : AG_OK;
}

/* The count grows with each item, so a half-made list can be freed. */
static enum ag_err
decode_strings(const struct msg_field *field, json_t *value, void *at)
{
    struct msg_list *list = at;
    size_t count = 0;
    enum ag_err err = check_count(field, value, &count);

    if (err == AG_OK) {
        err = list_room(list, count, sizeof(char *));
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        const json_t *item = json_array_get(value, i);

        if (!json_is_string(item) || json_string_length(item) == 0) {
            return wrong_type(field, "a list of strings, none empty");
        }
        err = copy_string(field, item, (char **)list->items + i);
        list->count += err == AG_OK ? 1 : 0;
    }
    return err;
}

static enum ag_err
decode_list(const struct msg_field *field, json_t *value, void *at)
{
    struct msg_list *list = at;
    size_t count = 0;
    enum ag_err err = check_count(field, value, &count);

    if (err == AG_OK) {
        err = list_room(list, count, field->of->size);
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = decode_object(field->of, json_array_get(value, i),
                            (uint8_t *)list->items + i * field->of->size);
        list->count += err == AG_OK ? 1 : 0;
    }
    return err;
}

static enum ag_err
decode_nested(const struct msg_field *field, json_t *value, void *at)
{
    void *nested = calloc(1, field->of->size);
    enum ag_err err;

    if (nested == NULL) {
        return AG_ENOMEM;
    }
    err = decode_object(field->of, value, nested);
    if (err != AG_OK) {
        free(nested);
        return err;
    }
    memcpy(at, &nested, sizeof(nested));
    return AG_OK;
}

static enum ag_err
decode_tree(const struct msg_field *field, json_t *value, void *at)
{
    if (!json_is_object(value)) {
        return wrong_type(field, "an object");
    }
    *(json_t **)at = json_incref(value);
    return AG_OK;
}

typedef enum ag_err (*decode_fn)(const struct msg_field *field, json_t *value,
                                 void *at);

static const decode_fn DECODERS[] = {
    [MSG_STRING] = decode_string, [MSG_INT] = decode_int,
    [MSG_BOOL] = decode_bool,     [MSG_SECRET] = decode_secret,
    [MSG_CHOICE] = decode_choice, [MSG_STRINGS] = decode_strings,
    [MSG_LIST] = decode_list,     [MSG_OBJECT] = decode_nested,
    [MSG_TREE] = decode_tree,
};

static void
put_absent(const struct msg_field *field, void *at)
{
    bool truth = field->absent != 0;
    int choice = (int)field->absent;

    switch (field->type) {
    case MSG_INT:
        memcpy(at, &field->absent, sizeof(field->absent));
        return;
    case MSG_BOOL:
        memcpy(at, &truth, sizeof(truth));
        return;
    case MSG_CHOICE:
        memcpy(at, &choice, sizeof(choice));
        return;
    case MSG_STRING:
    case MSG_SECRET:
    case MSG_STRINGS:
    case MSG_LIST:
    case MSG_OBJECT:
    case MSG_TREE:
        return; /* zeroed already */
    }
}

static enum ag_err
decode_field(const struct msg_field *field, json_t *tree, void *out)
{
    json_t *value = json_object_get(tree, field->name);

    if (value == NULL || json_is_null(value)) {
        if ((field->flags & MSG_REQUIRED) != 0) {
            return err_why(AG_EINVAL, "%s: is missing", field->name);
        }
        put_absent(field, field_at(field, out));
        return AG_OK;
    }
    return DECODERS[field->type](field, value, field_at(field, out));
}

static bool
is_known(const struct msg_spec *spec, const char *key)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        if (strcmp(spec->fields[i].name, key) == 0) {
            return true;
        }
    }
    return false;
}

/* A key is quoted only where it looks like a field's name: a caller that puts
 * a value in a key's place must not find it again in an error or a log. */
static bool
is_quotable(const char *key)
{
    size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz_");

    return len > 0 && len <= QUOTED_KEY_MAX_BYTES && key[len] == '\0';
}

static enum ag_err
refuse_unknown(const struct msg_spec *spec, json_t *tree)
{
    for (void *it = json_object_iter(tree); it != NULL;
         it = json_object_iter_next(tree, it)) {
        const char *key = json_object_iter_key(it);

        if (!is_known(spec, key)) {
            return err_why(AG_EINVAL, "%s: no such field",
                           is_quotable(key) ? key : "(a key)");
        }
    }
    return AG_OK;
}

/* Of a tree that is NULL every field is absent. */
static enum ag_err
decode_fields(const struct msg_spec *spec, json_t *tree, void *out)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < spec->field_count; i++) {
        err = decode_field(&spec->fields[i], tree, out);
    }
    if (err != AG_OK) {
        msg_done(spec, out);
    }
    return err;
}

static enum ag_err
decode_object(const struct msg_spec *spec, json_t *tree, void *out)
{
    enum ag_err err = AG_OK;

    memset(out, 0, spec->size);
    if (!json_is_object(tree)) {
        return err_why(AG_EINVAL, "JSON: an object was expected");
    }
    if ((spec->flags & MSG_TOLERANT) == 0) {
        err = refuse_unknown(spec, tree);
    }
    return err == AG_OK ? decode_fields(spec, tree, out) : err;
}

enum ag_err
msg_absent(const struct msg_spec *spec, void *out)
{
    memset(out, 0, spec->size);
    return decode_fields(spec, NULL, out);
}

enum ag_err
msg_from_tree(const struct msg_spec *spec, json_t *tree, void *out)
{
    return decode_object(spec, tree, out);
}

enum ag_err
msg_decode(const struct msg_spec *spec, struct span body, size_t max_bytes,
           void *out)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    enum ag_err err;

    memset(out, 0, spec->size);
    err = wjson_parse(body, max_bytes, &tree);
    return err == AG_OK ? decode_object(spec, tree, out) : err;
}

static void
free_text(char *text)
{
    if (text != NULL) {
        wipe(text, strlen(text));
        free(text);
    }
}

static void
free_list(const struct msg_field *field, struct msg_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (field->type == MSG_STRINGS) {
            free_text(((char **)list->items)[i]);
        } else {
            msg_done(field->of, (uint8_t *)list->items + i * field->of->size);
        }
    }
    free(list->items);
}

static void
free_nested(const struct msg_field *field, void *nested)
{
    if (nested != NULL) {
        msg_done(field->of, nested);
        free(nested);
    }
}

static void
free_field(const struct msg_field *field, void *at)
{
    switch (field->type) {
    case MSG_STRING:
        free_text(*(char **)at);
        return;
    case MSG_SECRET:
        secret_free(*(struct secret **)at);
        return;
    case MSG_STRINGS:
    case MSG_LIST:
        free_list(field, at);
        return;
    case MSG_OBJECT:
        free_nested(field, *(void **)at);
        return;
    case MSG_TREE:
        json_decref(*(json_t **)at);
        return;
    case MSG_INT:
    case MSG_BOOL:
    case MSG_CHOICE:
        return;
    }
}

void
msg_done(const struct msg_spec *spec, void *out)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        free_field(&spec->fields[i], field_at(&spec->fields[i], out));
    }
    memset(out, 0, spec->size);
}
