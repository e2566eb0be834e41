/*
 * schemas.h - a JSON schema says what a table of wire/msg says, row by row.
 */
#ifndef AG_COMMON_SCHEMAS_H
#define AG_COMMON_SCHEMAS_H

#include <jansson.h>

#include "common/check.h"
#include "wire/msg.h"

static const json_t *
resolve(const json_t *root, const json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));

    if (ref == NULL) {
        return schema;
    }
    assert_true(strncmp(ref, "#/$defs/", 8) == 0);
    schema = json_object_get(json_object_get(root, "$defs"), ref + 8);
    assert_non_null(schema);
    return schema;
}

static void
check_number(const json_t *schema, const char *key, int64_t want,
             const char *field)
{
    const json_t *value = json_object_get(schema, key);

    if (!json_is_integer(value) || json_integer_value(value) != want) {
        fail_msg("%s: %s is not %lld", field, key, (long long)want);
    }
}

static void
check_type(const json_t *schema, const char *want, const char *field)
{
    const char *type = json_string_value(json_object_get(schema, "type"));

    if (type == NULL || strcmp(type, want) != 0) {
        fail_msg("%s: type is not %s", field, want);
    }
}

static void check_spec(const json_t *root, const json_t *schema,
                       const struct msg_spec *spec);

static void
check_choices(const json_t *schema, const struct msg_field *f)
{
    const json_t *words = json_object_get(schema, "enum");
    size_t i = 0;

    for (; f->choices[i] != NULL; i++) {
        assert_string_equal(json_string_value(json_array_get(words, i)),
                            f->choices[i]);
    }
    assert_int_equal(json_array_size(words), i);
}

static void
check_list(const json_t *schema, const struct msg_field *f)
{
    check_type(schema, "array", f->name);
    check_number(schema, "minItems", f->min, f->name);
    check_number(schema, "maxItems", f->max, f->name);
}

static void
check_field(const json_t *root, const json_t *schema, const struct msg_field *f)
{
    switch (f->type) {
    case MSG_STRING:
        check_type(schema, "string", f->name);
        check_number(schema, "minLength", f->min, f->name);
        check_number(schema, "maxLength", f->max, f->name);
        return;
    case MSG_INT:
        check_type(schema, "integer", f->name);
        check_number(schema, "minimum", f->min, f->name);
        check_number(schema, "maximum", f->max, f->name);
        return;
    case MSG_BOOL:
        check_type(schema, "boolean", f->name);
        return;
    case MSG_CHOICE:
        check_choices(schema, f);
        return;
    case MSG_STRINGS:
        check_list(schema, f);
        check_type(json_object_get(schema, "items"), "string", f->name);
        return;
    case MSG_LIST:
        check_list(schema, f);
        check_spec(root, resolve(root, json_object_get(schema, "items")),
                   f->of);
        return;
    case MSG_OBJECT:
        check_spec(root, resolve(root, schema), f->of);
        return;
    case MSG_TREE:
        check_type(schema, "object", f->name);
        return;
    case MSG_SECRET:
        fail_msg("%s: a file holds no secret", f->name);
        return;
    }
}

static bool
is_required(const json_t *schema, const char *name)
{
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(schema, "required"), i, item)
    {
        if (strcmp(json_string_value(item), name) == 0) {
            return true;
        }
    }
    return false;
}

static void
check_spec(const json_t *root, const json_t *schema,
           const struct msg_spec *spec)
{
    const json_t *properties = json_object_get(schema, "properties");

    check_type(schema, "object", "object");
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    assert_int_equal(json_object_size(properties), spec->field_count);
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct msg_field *f = &spec->fields[i];
        const json_t *property = json_object_get(properties, f->name);

        if (property == NULL) {
            fail_msg("the schema has no %s", f->name);
        }
        assert_int_equal(is_required(schema, f->name),
                         (f->flags & MSG_REQUIRED) != 0);
        check_field(root,
                    f->type == MSG_OBJECT ? property : resolve(root, property),
                    f);
    }
}

/* The whole file `path` against `spec`. */
static void
schema_check(const char *path, const struct msg_spec *spec)
{
    json_error_t error;
    json_auto_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    assert_non_null(root);
    check_spec(root, root, spec);
}

#endif
