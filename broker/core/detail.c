#include "core/detail.h"

#include <stdlib.h>

#include "core/state.h"
#include "store/secrets.h"
#include "store/tasks.h"
#include "wire/json.h"

static enum ag_err
parse(const char *text, size_t max, json_t **ret)
{
    return wjson_parse(span_str(text != NULL ? text : "{}"), max, ret);
}

static enum ag_err
set(char **text, const json_t *detail)
{
    char *made = NULL;
    enum ag_err err = core_dump(detail, &made);

    if (err == AG_OK) {
        free(*text);
        *text = made;
    }
    return err;
}

enum ag_err
detail_of_secret(const struct secret_row *row, json_t **ret)
{
    return parse(row->detail, SECRET_DETAIL_MAX_BYTES, ret);
}

enum ag_err
detail_of_task(const struct task_row *row, json_t **ret)
{
    return parse(row->detail, TASK_DETAIL_MAX_BYTES, ret);
}

enum ag_err
detail_set_secret(struct secret_row *row, const json_t *detail)
{
    return set(&row->detail, detail);
}

enum ag_err
detail_set_task(struct task_row *row, const json_t *detail)
{
    return set(&row->detail, detail);
}
