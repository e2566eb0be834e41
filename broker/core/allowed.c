#include "core/allowed.h"

#include <stdlib.h>

#include "core/call.h"
#include "core/detail.h"
#include "core/proxied.h"
#include "core/state.h"
#include "core/tasks.h"
#include "store/tasks.h"

enum ag_err
allowed_take(const struct call *call, const struct task_request *request,
             struct proxied *set)
{
    enum ag_err err = AG_OK;

    if (request->allow_count > ALLOW_MAX_COUNT) {
        return err_why(AG_ELIMIT, "a task may be allowed %d hosts at most",
                       ALLOW_MAX_COUNT);
    }
    if (request->allow_count == 0) {
        return AG_OK;
    }
    set->allow = calloc(request->allow_count, sizeof(*set->allow));
    if (set->allow == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < request->allow_count && err == AG_OK; i++) {
        struct allow *allow = &set->allow[set->allow_count];

        err = allow_read(span_str(request->allow[i]), allow);
        if (err == AG_OK && allow->inner && call->who == CALLER_SERVICE) {
            return err_why(AG_EOPERATOR,
                           "allow: %s lies inside: only the operator gives it",
                           request->allow[i]);
        }
        set->allow_count++;
    }
    return err;
}

/* ---- on record ---- */

static enum ag_err
list_of(const char *const *texts, size_t count, json_t **ret)
{
    AG_AUTO(wjson) json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, json_string(texts[i])) != 0) {
            return AG_ENOMEM;
        }
    }
    *ret = AG_TAKE(list);
    return *ret != NULL ? AG_OK : AG_ENOMEM;
}

enum ag_err
allowed_keep(const struct task_request *request, struct task_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *list = NULL;
    enum ag_err err = AG_OK;

    if (request->allow_count == 0) {
        return AG_OK;
    }
    err = detail_of_task(row, &detail);
    if (err == AG_OK) {
        err = list_of(request->allow, request->allow_count, &list);
    }
    if (err == AG_OK && json_object_set_new(detail, "allow", list) != 0) {
        err = AG_ENOMEM;
    }
    return err == AG_OK ? detail_set_task(row, detail) : err;
}

enum ag_err
allowed_show(const struct task_row *row, json_t *object)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *list = NULL;
    enum ag_err err = detail_of_task(row, &detail);

    if (err != AG_OK) {
        return err;
    }
    list = json_object_get(detail, "allow");
    list = json_is_array(list) ? json_incref(list) : json_array();
    return json_object_set_new(object, "allow", list) == 0 ? AG_OK : AG_ENOMEM;
}
