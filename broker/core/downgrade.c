#include "core/downgrade.h"

#include "core/detail.h"
#include "store/tasks.h"
#include "wire/json.h"

enum ag_err
downgrades_keep(json_t *downgraded, struct task_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = AG_OK;

    if (json_object_size(downgraded) == 0) {
        return AG_OK;
    }
    err = detail_of_task(row, &detail);
    if (err == AG_OK &&
        json_object_set(detail, "downgraded", downgraded) != 0) {
        err = AG_ENOMEM;
    }
    return err == AG_OK ? detail_set_task(row, detail) : err;
}

enum ag_err
downgrades_has(const struct task_row *row, const char *secret, bool *ret)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_task(row, &detail);

    if (err == AG_OK) {
        *ret = json_object_get(json_object_get(detail, "downgraded"), secret) !=
               NULL;
    }
    return err;
}

enum ag_err
downgrades_show(const struct task_row *row, const char *secret, json_t *item)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *best = NULL;
    enum ag_err err = detail_of_task(row, &detail);

    best = json_object_get(json_object_get(detail, "downgraded"), secret);
    if (err != AG_OK || best == NULL) {
        return err;
    }
    return json_object_set(item, "instead_of", best) == 0 ? AG_OK : AG_ENOMEM;
}
