#include "rotate/github_params.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "rotate/rotator.h"
#include "rotate/service.h"
#include "wire/json.h"

enum {
    APP_MAX_BYTES = 64,
    NAMES_MAX_COUNT = 32,     /* repositories, permissions */
    ONE_NAME_MAX_BYTES = 100, /* GitHub's limit of a repository's name */
};

#define API "https://api.github.com"

static bool
is_of(const char *text, const char *letters)
{
    return text[0] != '\0' && strspn(text, letters) == strlen(text);
}

#define LETTERS                                                                \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static const char *
text_at(const json_t *list, size_t at)
{
    return json_is_array(list) ? json_string_value(json_array_get(list, at))
                               : json_string_value(list);
}

static size_t
count_of(const json_t *list)
{
    if (list == NULL) {
        return 0;
    }
    return json_is_array(list) ? json_array_size(list) : 1;
}

/* "contents:read" */
static bool
is_permission(const char *text)
{
    const char *colon = strchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    return len > 0 && len < ONE_NAME_MAX_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz_") == len &&
           (strcmp(colon, ":read") == 0 || strcmp(colon, ":write") == 0 ||
            strcmp(colon, ":admin") == 0);
}

static bool
is_repository(const char *text)
{
    return is_of(text, LETTERS) && strlen(text) <= ONE_NAME_MAX_BYTES;
}

static bool
are_names(const json_t *list, bool (*is_one)(const char *))
{
    size_t count = count_of(list);

    for (size_t i = 0; i < count; i++) {
        const char *text = text_at(list, i);

        if (text == NULL || !is_one(text)) {
            return false;
        }
    }
    return count <= NAMES_MAX_COUNT && (list == NULL || count > 0);
}

bool
github_installation(const json_t *params, char out[GITHUB_INSTALLATION_BYTES])
{
    const json_t *given = json_object_get(params, "installation");
    const char *text = json_string_value(given);

    if (json_is_integer(given)) {
        (void)snprintf(out, GITHUB_INSTALLATION_BYTES, "%lld",
                       (long long)json_integer_value(given));
        text = out;
    }
    if (text == NULL || strlen(text) >= GITHUB_INSTALLATION_BYTES ||
        !is_of(text, "0123456789")) {
        return false;
    }
    if (text != out) {
        (void)snprintf(out, GITHUB_INSTALLATION_BYTES, "%s", text);
    }
    return true;
}

static bool
is_app(const json_t *app)
{
    const char *text = json_string_value(app);

    return json_is_integer(app) ? json_integer_value(app) > 0
                                : text != NULL && is_of(text, LETTERS) &&
                                      strlen(text) <= APP_MAX_BYTES;
}

enum ag_err
github_base(const json_t *params, struct service_base *ret)
{
    const json_t *endpoint = json_object_get(params, "endpoint");

    if (endpoint == NULL) {
        return service_base_read(API, false, ret);
    }
    return service_base_read(
        json_is_string(endpoint) ? json_string_value(endpoint) : "", true, ret);
}

enum ag_err
github_check(const json_t *params)
{
    static const char *const TAKES[] = {
        "app", "installation", "repositories", "permissions", "endpoint", NULL};
    char installation[GITHUB_INSTALLATION_BYTES];
    struct service_base base = {.plain = false};

    if (!params_only(params, TAKES)) {
        return err_why(AG_EINVAL, "github-app: takes app, installation, "
                                  "repositories, permissions, endpoint");
    }
    if (!is_app(json_object_get(params, "app"))) {
        return err_why(AG_EINVAL,
                       "app: the client id or the app id, like app=Iv23li…");
    }
    if (!github_installation(params, installation)) {
        return err_why(AG_EINVAL, "installation: its number, the last part of "
                                  "its settings' address");
    }
    if (!are_names(json_object_get(params, "repositories"), is_repository)) {
        return err_why(AG_EINVAL,
                       "repositories: up to %d names, without their owner",
                       NAMES_MAX_COUNT);
    }
    if (!are_names(json_object_get(params, "permissions"), is_permission)) {
        return err_why(AG_EINVAL,
                       "permissions: up to %d like contents:read, issues:write",
                       NAMES_MAX_COUNT);
    }
    return github_base(params, &base);
}

static json_t *
permissions_of(const json_t *list)
{
    json_t *tree = list != NULL ? json_object() : NULL;

    for (size_t i = 0; tree != NULL && i < count_of(list); i++) {
        const char *text = text_at(list, i);
        size_t len = strcspn(text, ":");

        if (json_object_setn_new(tree, text, len,
                                 json_string(text + len + 1)) != 0) {
            json_decref(tree);
            return NULL;
        }
    }
    return tree;
}

static json_t *
repositories_of(const json_t *list)
{
    if (list == NULL || json_is_array(list)) {
        return json_deep_copy(list);
    }
    return json_pack("[s]", json_string_value(list));
}

enum ag_err
github_body(const json_t *params, struct buf *out)
{
    const json_t *permissions = json_object_get(params, "permissions");
    const json_t *repositories = json_object_get(params, "repositories");
    AG_AUTO(wjson)
    json_t *body =
        json_pack("{s:o*, s:o*}", "permissions", permissions_of(permissions),
                  "repositories", repositories_of(repositories));

    /* What ran out of memory must not be left out: it narrows. */
    if (body == NULL ||
        json_object_size(body) != (permissions != NULL ? 1U : 0U) +
                                      (repositories != NULL ? 1U : 0U)) {
        return AG_ENOMEM;
    }
    return wjson_dump(body, out);
}
