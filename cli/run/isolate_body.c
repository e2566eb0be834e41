/* What the broker is told of a task's isolation (isolate.h). */
#include <jansson.h>

#include "run/fence.h"
#include "run/isolate.h"

enum ag_err
isolation_allow(const struct isolation *is, json_t *body)
{
    const struct view *v = isolation_shown(is);
    json_t *list = json_object_get(body, "allow");

    if (v == NULL || v->preset->allow.count == 0) {
        return AG_OK;
    }
    if (list == NULL) {
        list = json_array();
        if (json_object_set_new(body, "allow", list) != 0) {
            return AG_ENOMEM;
        }
    }
    for (size_t i = 0; i < v->preset->allow.count; i++) {
        if (json_array_append_new(
                list, json_string(v->preset->allow.items[i])) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

static enum ag_err
put_lacks(json_t *body)
{
    const char *lacks[FENCE_LACKS_MAX_COUNT];
    json_t *list = json_array();

    fence_lacks(lacks);
    for (size_t i = 0; list != NULL && lacks[i] != NULL; i++) {
        if (json_array_append_new(list, json_string(lacks[i])) != 0) {
            json_decref(list);
            return AG_ENOMEM;
        }
    }
    return json_object_set_new(body, "lacks", list) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
put_given(const struct view *v, const char *key, enum view_access access,
          json_t *body)
{
    json_t *list = json_array();
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < v->given_count; i++) {
        if (v->given[i].access == access) {
            ok =
                json_array_append_new(list, json_string(v->given[i].path)) == 0;
        }
    }
    if (!ok) {
        json_decref(list);
        return err_why(AG_EUSAGE, "--%s: a path is not UTF-8 text", key);
    }
    return json_object_set_new(body, key, list) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
isolation_body(const struct isolation *is, json_t **ret)
{
    const struct view *v = isolation_shown(is);
    json_auto_t *body = NULL;
    enum ag_err err = AG_OK;

    if (v == NULL) {
        *ret = json_pack("{s:s}", "preset", "none");
        return *ret == NULL ? AG_ENOMEM : AG_OK;
    }
    body = json_pack(
        "{s:s, s:s, s:s}", "preset", v->preset->name, "network",
        preset_network_word((enum preset_network)v->preset->network), "home",
        v->keep != NULL ? "kept"
                        : preset_home_word((enum preset_home)v->preset->home));
    if (body == NULL) {
        return AG_ENOMEM;
    }
    err = put_given(v, "ro", VIEW_READ, body);
    if (err == AG_OK) {
        err = put_given(v, "rw", VIEW_WRITE, body);
    }
    if (err == AG_OK && is->fence != NULL) {
        err = put_lacks(body);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(body);
    }
    return err;
}
