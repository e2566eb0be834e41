#include "core/rotation_plan.h"

#include "core/state.h"
#include "store/rotation_rules.h"

enum {
    MS_PER_S = 1000,
};

void
rotation_plan_done(struct rotation_plan *plan)
{
    json_decref(AG_TAKE(plan->tree));
}

static enum ag_err
read_windows(const json_t *windows, struct schedule *s)
{
    enum ag_err err = AG_OK;

    if (json_array_size(windows) > SCHEDULE_WINDOWS_MAX_COUNT) {
        return err_why(AG_EINVAL, "windows: %d at most",
                       SCHEDULE_WINDOWS_MAX_COUNT);
    }
    for (size_t i = 0; err == AG_OK && i < json_array_size(windows); i++) {
        const char *text = json_string_value(json_array_get(windows, i));

        err = text == NULL ? AG_EINVAL
                           : window_parse(span_str(text),
                                          &s->windows[s->window_count++]);
    }
    return err;
}

static enum ag_err
read_schedule(const json_t *tree, struct schedule *s)
{
    const char *cron = json_string_value(json_object_get(tree, "cron"));
    enum ag_err err = AG_OK;

    s->every_ms = json_integer_value(json_object_get(tree, "every_ms"));
    s->jitter_ms = json_integer_value(json_object_get(tree, "jitter_ms"));
    if ((s->every_ms != 0) == (cron != NULL)) {
        return err_why(AG_EINVAL, "say one: an interval, or a cron expression");
    }
    if (s->every_ms != 0 && (s->every_ms < SCHEDULE_EVERY_LEAST_MS ||
                             s->every_ms > SCHEDULE_EVERY_MAX_MS)) {
        return err_why(AG_EINVAL, "every: one second to ten years");
    }
    if (s->jitter_ms < 0 || s->jitter_ms > SCHEDULE_EVERY_MAX_MS) {
        return err_why(AG_EINVAL, "jitter: up to ten years");
    }
    if (cron != NULL) {
        err = cron_parse(span_str(cron), &s->cron);
    }
    return err == AG_OK ? read_windows(json_object_get(tree, "windows"), s)
                        : err;
}

static enum ag_err
read_notify(struct rotation_plan *plan)
{
    const json_t *notify = json_object_get(plan->tree, "notify");

    plan->notify = json_string_value(notify);
    return notify == NULL || (plan->notify != NULL &&
                              parse_name(span_str(plan->notify)) == AG_OK)
               ? AG_OK
               : err_why(AG_EINVAL,
                         "notify: the name of a program, as it was put on "
                         "record by auth-guard rotate program add");
}

/* All that can be wrong with a plan is found here, made or read. */
static enum ag_err
read_tree(struct rotation_plan *plan)
{
    const char *name =
        json_string_value(json_object_get(plan->tree, "rotator"));
    enum ag_err err = rotator_find(name != NULL ? name : "", &plan->rotator);

    plan->params = json_object_get(plan->tree, "params");
    plan->grace_ms =
        json_integer_value(json_object_get(plan->tree, "grace_ms"));
    if (err == AG_OK && (!json_is_object(plan->params) || plan->grace_ms < 0)) {
        err = AG_EINVAL;
    }
    if (err == AG_OK) {
        err = plan->rotator->check(plan->params);
    }
    if (err == AG_OK && plan->rotator->refreshes && plan->grace_ms > 0) {
        err = err_why(AG_EINVAL,
                      "grace: by %s the old value works no more at "
                      "once",
                      plan->rotator->name);
    }
    if (err == AG_OK) {
        err = read_notify(plan);
    }
    return err == AG_OK ? read_schedule(plan->tree, &plan->schedule) : err;
}

/* ---- from a request ---- */

static json_t *
words_of(const char *const *words, size_t count)
{
    json_t *list = count > 0 ? json_array() : NULL;

    for (size_t i = 0; list != NULL && i < count; i++) {
        if (json_array_append_new(list, json_string(words[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *
params_of(const struct rotation_rule_request *q)
{
    return json_pack(
        "{s:o*, s:s*, s:o*, s:s*, s:o*, s:s*, s:s*, s:s*, s:s*, s:s*}",
        "length", q->length != 0 ? json_integer(q->length) : NULL, "alphabet",
        q->alphabet, "require", words_of(q->require, q->require_count),
        "program", q->program, "generate", q->generate ? json_true() : NULL,
        "region", q->region, "section", q->section, "endpoint", q->endpoint,
        "users", q->users, "source", q->source);
}

enum ag_err
rotation_plan_make(const struct rotation_rule_request *q,
                   struct rotation_plan *ret, char **ret_text)
{
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    enum ag_err err = AG_OK;

    plan.tree =
        json_pack("{s:I, s:s*, s:I, s:o*, s:I, s:s, s:o, s:s*}", "every_ms",
                  (json_int_t)q->every_s * MS_PER_S, "cron", q->cron,
                  "jitter_ms", (json_int_t)q->jitter_s * MS_PER_S, "windows",
                  words_of(q->windows, q->window_count), "grace_ms",
                  (json_int_t)q->grace_s * MS_PER_S, "rotator", q->rotator,
                  "params", params_of(q), "notify", q->notify);
    if (plan.tree == NULL) {
        return AG_ENOMEM;
    }
    err = read_tree(&plan);
    if (err == AG_OK) {
        err = core_dump(plan.tree, ret_text);
    }
    if (err == AG_OK) {
        *ret = plan;
        plan.tree = NULL;
    }
    return err;
}

enum ag_err
rotation_plan_read(const char *text, struct rotation_plan *ret)
{
    AG_AUTO(rotation_plan) struct rotation_plan plan = {0};
    enum ag_err err =
        wjson_parse(span_str(text), ROTATION_PLAN_MAX_BYTES, &plan.tree);

    if (err == AG_OK) {
        err = read_tree(&plan);
    }
    if (err == AG_EINVAL) {
        return err_why(AG_ECORRUPT, "a plan of rotation can't be read");
    }
    if (err == AG_OK) {
        *ret = plan;
        plan.tree = NULL;
    }
    return err;
}
