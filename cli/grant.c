#include "grant.h"

#include <string.h>

#include "args.h"
#include "base/parse.h"
#include "base/span.h"

static const char *const VERBS[] = {"proxy", "sign", "file", "env", "read"};

static bool
is_verb(struct span text)
{
    for (size_t i = 0; i < AG_COUNT(VERBS); i++) {
        if (span_is(text, VERBS[i])) {
            return true;
        }
    }
    return false;
}

static enum ag_err
parse_one(const char *text, json_t **ret)
{
    struct span all = span_str(text);
    size_t colon = span_find(all, ':');
    struct span secret = span_sub(all, 0, colon);
    struct span rest = span_sub(all, colon + 1, all.len);
    size_t second = span_find(rest, ':');
    struct span verb = span_sub(rest, 0, second);
    struct span field = span_sub(rest, second + 1, rest.len);

    if (!is_verb(verb)) {
        return err_why(AG_EUSAGE,
                       "--grant needs SECRET:VERB[:FIELD] with a "
                       "verb of proxy, sign, file, env, read, not '%s'",
                       text);
    }
    if (parse_name_pattern(secret) != AG_OK) {
        return err_why(AG_EUSAGE, "--grant: '%.*s' is no name of a secret",
                       (int)secret.len, text);
    }
    *ret = json_pack("{s:s%,s:s%}", "secret", secret.ptr, secret.len, "verb",
                     verb.ptr, verb.len);
    if (*ret != NULL && field.len > 0 &&
        json_object_set_new(*ret, "field",
                            json_stringn((const char *)field.ptr, field.len)) !=
            0) {
        json_decref(*ret);
        *ret = NULL;
    }
    return *ret == NULL ? AG_ENOMEM : AG_OK;
}

enum ag_err
grant_list(const struct arg_list *texts, json_t **ret)
{
    json_auto_t *list = json_array();
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < texts->count; i++) {
        json_t *one = NULL;

        err = parse_one(texts->items[i], &one);
        if (err == AG_OK && json_array_append_new(list, one) != 0) {
            err = AG_ENOMEM;
        }
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(list);
    }
    return err;
}
