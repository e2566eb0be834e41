#include "run/plan_proxy.h"

#include <stdbool.h>
#include <string.h>

#include "base/parse.h"
#include "base/span.h"

/* The words of the option, and of the broker. */
static const struct {
    const char *option;
    const char *member;
} KEYS[] = {
    {"secret", "ref"},      {"upstream", "upstream"}, {"url-env", "url_env"},
    {"key-env", "key_env"}, {"header", "header"},     {"query", "query"},
    {"basic", "basic"},     {"format", "format"},     {"uses", "uses"},
    {"rate", "rate"},       {"bytes", "bytes"},       {"json", "json"},
};

/* Those without a value. */
static const char *const FLAGS[] = {"inner", "optional"};

static const char *
member_of(struct span key)
{
    for (size_t i = 0; i < AG_COUNT(KEYS); i++) {
        if (span_is(key, KEYS[i].option)) {
            return KEYS[i].member;
        }
    }
    return NULL;
}

static json_t *
value_of(const char *member, struct span text)
{
    uint64_t number = 0;

    if (strcmp(member, "uses") != 0 && strcmp(member, "bytes") != 0) {
        return json_stringn((const char *)text.ptr, text.len);
    }
    return parse_u64(text, member[0] == 'u' ? INT32_MAX : INT64_MAX, &number) ==
                       AG_OK &&
                   number > 0
               ? json_integer((json_int_t)number)
               : NULL;
}

static enum ag_err
add_part(struct span part, json_t *item)
{
    size_t at = span_find(part, '=');
    struct span key = span_sub(part, 0, at);
    struct span value = span_sub(part, at + 1, part.len);
    const char *member = member_of(key);

    for (size_t i = 0; i < AG_COUNT(FLAGS); i++) {
        if (span_is(part, FLAGS[i])) {
            return json_object_set_new(item, FLAGS[i], json_true()) == 0
                       ? AG_OK
                       : AG_ENOMEM;
        }
    }
    if (member == NULL || value.len == 0) {
        return err_why(AG_EUSAGE,
                       "--proxy: '%.*s' is none of secret=, upstream=, "
                       "url-env=, key-env=, header=, query=, basic=, json=, "
                       "format=, uses=, rate=, bytes=, inner, optional",
                       (int)part.len, (const char *)part.ptr);
    }
    if (json_object_get(item, member) != NULL) {
        return err_why(AG_EUSAGE, "--proxy: %.*s is given twice", (int)key.len,
                       (const char *)key.ptr);
    }
    return json_object_set_new(item, member, value_of(member, value)) == 0
               ? AG_OK
               : err_why(AG_EUSAGE, "--proxy: '%.*s' is no such value",
                         (int)part.len, (const char *)part.ptr);
}

static enum ag_err
check(const json_t *item)
{
    struct reference ref;
    const char *text = json_string_value(json_object_get(item, "ref"));
    int places = (json_object_get(item, "header") != NULL ? 1 : 0) +
                 (json_object_get(item, "query") != NULL ? 1 : 0) +
                 (json_object_get(item, "basic") != NULL ? 1 : 0) +
                 (json_object_get(item, "json") != NULL ? 1 : 0);

    if (text == NULL || parse_reference(span_str(text), &ref) != AG_OK) {
        return err_why(AG_EUSAGE, "--proxy needs secret=ag://NAME or "
                                  "secret=ag://NAME#/FIELD");
    }
    return places > 1 ? err_why(AG_EUSAGE, "--proxy: header=, query=, basic= "
                                           "and json= exclude each other")
                      : AG_OK;
}

enum ag_err
plan_proxy(const char *text, json_t *list)
{
    json_auto_t *item = json_object();
    struct span all = span_str(text);
    size_t at = 0;
    enum ag_err err = item != NULL ? AG_OK : AG_ENOMEM;

    while (err == AG_OK && at <= all.len) {
        struct span rest = span_sub(all, at, all.len);
        struct span part = span_sub(rest, 0, span_find(rest, ','));

        err = add_part(part, item);
        at += part.len + 1;
    }
    if (err == AG_OK) {
        err = check(item);
    }
    return err == AG_OK && json_array_append(list, item) != 0 ? AG_ENOMEM : err;
}
