#include "core/downgrade.h"

#include <stdlib.h>
#include <string.h>

#include "core/state.h"
#include "store/tasks.h"
#include "wire/json.h"

static enum ag_err
detail_of(const struct task_row *row, json_t **ret)
{
    return wjson_parse(span_str(row->detail != NULL ? row->detail : "{}"),
                       TASK_DETAIL_MAX_BYTES, ret);
}

enum ag_err
downgrades_keep(json_t *downgraded, struct task_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    char *text = NULL;
    enum ag_err err = AG_OK;

    if (json_object_size(downgraded) == 0) {
        return AG_OK;
    }
    err = detail_of(row, &detail);
    if (err == AG_OK &&
        json_object_set(detail, "downgraded", downgraded) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = core_dump(detail, &text);
    }
    if (err == AG_OK) {
        free(row->detail);
        row->detail = text;
    }
    return err;
}

enum ag_err
downgrades_show(const struct task_row *row, const char *secret, json_t *item)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *best = NULL;
    enum ag_err err = detail_of(row, &detail);

    best = json_object_get(json_object_get(detail, "downgraded"), secret);
    if (err != AG_OK || best == NULL) {
        return err;
    }
    return json_object_set(item, "instead_of", best) == 0 ? AG_OK : AG_ENOMEM;
}
