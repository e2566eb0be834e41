/* Tasks as they are told: the list, and one with its grants (tasks.h). */
#include "core/allowed.h"
#include "core/isolation.h"
#include "core/state.h"
#include "core/tasks.h"
#include "core/values.h"
#include "store/grants.h"
#include "store/tasks.h"

enum {
    TASKS_LIST_MAX_COUNT = 200, /* newest; older ones are in the audit record */
};

static enum ag_err
describe(struct core *core, const struct task_row *row, json_t **ret)
{
    enum ag_err err;
    AG_AUTO(wjson)
    json_t *item = json_pack(
        "{s:o, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:I}", "id",
        json_sprintf("%lld", (long long)row->id), "name", row->name, "purpose",
        row->purpose, "repository", row->repository, "running",
        row->ended_ms == 0, "reason", end_reason_text(row->end_reason), "exit",
        (json_int_t)row->exit_code, "pid", (json_int_t)row->root_pid, "hits",
        (json_int_t)running_hits(core->running, row->id));
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = isolation_show(row, item);
    if (err == AG_OK) {
        err = allowed_show(row, item);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "started", row->created_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "deadline", row->deadline_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "ended", row->ended_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

struct listing {
    struct core *core;
    json_t *items;
};

static enum ag_err
list_one(const struct task_row *row, void *arg)
{
    struct listing *listing = arg;
    json_t *item = NULL;
    enum ag_err err = describe(listing->core, row, &item);

    if (err != AG_OK) {
        return err;
    }
    return json_array_append_new(listing->items, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_tasks_list(struct core *core, const struct call *call, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "tasks");
    struct listing listing = {.core = core};
    enum ag_err err = store_read(core->store, &r);

    (void)call;
    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    listing.items = json_object_get(answer, "tasks");
    err = tasks_recent_each(r, TASKS_LIST_MAX_COUNT, list_one, &listing);
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

static enum ag_err
list_grant(const struct grant_row *row, void *arg)
{
    json_t *item = json_pack("{s:s, s:s, s:s, s:I, s:I}", "secret", row->secret,
                             "field", row->field, "verb", verb_text(row->verb),
                             "uses_max", (json_int_t)row->uses_max, "uses",
                             (json_int_t)row->uses_count);

    return json_array_append_new(arg, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
core_task_show(struct core *core, const struct call *call, const char *id,
               json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(task_row) struct task_row row = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    int64_t number = 0;
    enum ag_err err = core_parse_id(id, &number);

    if (err == AG_OK && call->who == CALLER_TASK && call->task_id != number) {
        return err_why(AG_EDENIED, "a task may look at itself only");
    }
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK) {
        err = task_numbered(r, number, &row);
    }
    if (err == AG_OK) {
        err = describe(core, &row, &item);
    }
    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(item, "grants", json_array()) != 0) {
        return AG_ENOMEM;
    }
    err = grants_of_task_each(r, number, list_grant,
                              json_object_get(item, "grants"));
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}
