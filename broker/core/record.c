#include "core/record.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/parse.h"
#include "core/detail.h"
#include "core/downgrade.h"
#include "core/incident.h"
#include "core/redaction.h"
#include "core/refresh.h"
#include "core/state.h"
#include "core/stray.h"
#include "core/tripwire.h"
#include "core/values.h"
#include "privsep/filter.h"
#include "store/audit_check.h"
#include "store/exposure.h"
#include "store/tasks.h"

enum {
    EXPOSURE_MAX_COUNT = 1000, /* rows of one answer, newest first */
    AUDIT_PAGE_COUNT = 500,    /* rows of one answer */
};

/* ---- exposure ---- */

struct exposing {
    struct db_read *read;
    json_t *items;
};

enum ag_err
record_exposure_item(struct db_read *r, const struct exposure_row *row,
                     json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(task_row) struct task_row task = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    char id[24];
    enum ag_err err = secrets_get(r, row->secret_id, &secret);

    if (err == AG_OK && row->task_id != 0) {
        err = tasks_get(r, row->task_id, &task);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(id, sizeof(id), "%lld", (long long)row->task_id);
    item = json_pack(
        "{s:s, s:I, s:s, s:s, s:s, s:I, s:b}", "secret", secret.name, "version",
        (json_int_t)row->version, "task", row->task_id != 0 ? id : "",
        "task_name", task.name, "grade", verb_text(row->verb), "times",
        (json_int_t)row->times_count, "removed", secret.removed_ms != 0);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = row->task_id != 0 ? downgrades_show(&task, secret.name, item) : AG_OK;
    if (err == AG_OK) {
        err = core_set_time(item, "first", row->first_ms);
    }
    if (err == AG_OK) {
        err = core_set_time(item, "last", row->last_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

static enum ag_err
list_exposure(const struct exposure_row *row, void *arg)
{
    const struct exposing *e = arg;
    json_t *item = NULL;
    enum ag_err err = record_exposure_item(e->read, row, &item);

    return err == AG_OK && json_array_append_new(e->items, item) != 0
               ? AG_ENOMEM
               : err;
}

/* "What must be rotated after this task?" */
static enum ag_err
add_rotate(struct db_read *r, int64_t task_id, json_t *answer)
{
    json_t *list = json_array();

    return json_object_set_new(answer, "rotate", list) == 0
               ? incident_rotate_of_task(r, task_id, list)
               : AG_ENOMEM;
}

/* A login that the service refused is looked at when something went wrong. */
static enum ag_err
add_needs_login(const struct secret_row *row, json_t *answer)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *code = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK || !refresh_is_needed(row, detail, &code)) {
        return err;
    }
    return json_object_set_new(answer, "needs_login", json_string(code)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

enum ag_err
record_exposure(struct core *core, const char *secret, const char *task,
                json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(task_row) struct task_row seen = {0};
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "exposure");
    struct exposing e = {0};
    int64_t id = 0;
    enum ag_err err = (secret == NULL) == (task == NULL)
                          ? err_why(AG_EINVAL, "give either secret or task")
                          : store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    e.read = r;
    e.items = json_object_get(answer, "exposure");
    if (secret != NULL) {
        err = secret_named(r, span_str(secret), &row);
        if (err == AG_OK) {
            err = exposure_of_secret_each(r, row.id, EXPOSURE_MAX_COUNT,
                                          list_exposure, &e);
        }
        if (err == AG_OK) {
            err = add_needs_login(&row, answer);
        }
    } else {
        err = core_parse_id(task, &id);
        if (err == AG_OK) {
            err = task_numbered(r, id, &seen);
        }
        if (err == AG_OK) {
            err = exposure_of_task_each(r, id, EXPOSURE_MAX_COUNT,
                                        list_exposure, &e);
        }
        if (err == AG_OK) {
            err = add_rotate(r, id, answer);
        }
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- audit ---- */

struct tailing {
    json_t *rows;
    uint64_t last;
};

static enum ag_err
list_row(const struct audit_row *row, void *arg)
{
    struct tailing *t = arg;
    AG_AUTO(wjson) json_t *body = NULL;
    AG_AUTO(wjson) json_t *item = NULL;
    const char *kind = audit_kind_text(row->kind);
    enum ag_err err = row->json.len > 0
                          ? wjson_parse(row->json, AUDIT_JSON_MAX_BYTES, &body)
                          : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    item = json_pack(
        "{s:I, s:s, s:I, s:I, s:I, s:O?}", "seq", (json_int_t)row->seq, "kind",
        kind != NULL ? kind : "unknown", "task", (json_int_t)row->task_id,
        "token", (json_int_t)row->token_id, "secret",
        (json_int_t)row->secret_id, "body", body);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "time", row->wall_ms);
    if (err != AG_OK) {
        return err;
    }
    t->last = row->seq;
    return json_array_append(t->rows, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
record_audit(struct core *core, int64_t after, int64_t limit, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "rows");
    struct tailing t = {0};
    uint32_t count = limit > 0 && limit < AUDIT_PAGE_COUNT
                         ? (uint32_t)limit
                         : (uint32_t)AUDIT_PAGE_COUNT;
    enum ag_err err = store_read(core->store, &r);

    if (err != AG_OK || answer == NULL) {
        return err != AG_OK ? err : AG_ENOMEM;
    }
    t.rows = json_object_get(answer, "rows");
    t.last = after > 0 ? (uint64_t)after : 0;
    err = after < 0 ? audit_tail(r, count, list_row, &t)
                    : audit_each(r, (uint64_t)after, count, list_row, &t);
    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(answer, "last", json_integer((json_int_t)t.last)) !=
        0) {
        return AG_ENOMEM;
    }
    *ret = AG_TAKE(answer);
    return AG_OK;
}

enum ag_err
record_verify(struct core *core, json_t **ret)
{
    struct audit_report report = {0};
    enum ag_err err = core_need_open(core);
    json_t *answer = NULL;

    if (err == AG_OK) {
        err = audit_verify(core->store, &report);
    }
    if (err != AG_OK) {
        return err;
    }
    if (report.fault != AUDIT_FAULT_NONE) {
        return err_why(AG_ECORRUPT, "%s", report.text);
    }
    answer = json_pack("{s:b, s:I, s:I, s:I}", "ok", 1, "rows",
                       (json_int_t)report.rows, "table_rows",
                       (json_int_t)report.table_rows, "head",
                       (json_int_t)report.seq);
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    *ret = answer;
    return AG_OK;
}

enum ag_err
record_export(struct core *core, int64_t after, struct buf *out)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    uint64_t last = 0;
    enum ag_err err = store_read(core->store, &r);

    return err == AG_OK ? audit_export(r, after > 0 ? (uint64_t)after : 0,
                                       AUDIT_PAGE_COUNT, out, &last)
                        : err;
}

/* ---- profiles ---- */

static enum ag_err
describe_profile(const struct profile *p, json_t **ret)
{
    AG_AUTO(wjson) json_t *files = json_array();
    json_t *item = NULL;

    for (size_t i = 0; i < p->files.count; i++) {
        const struct profile_file *file = &p->files.items[i];

        if (file->path != NULL &&
            json_array_append_new(files, json_string(file->path)) != 0) {
            return AG_ENOMEM;
        }
    }
    item = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:O}", "name", p->name, "title",
        p->title != NULL ? p->title : p->name, "kind", p->kind, "secret",
        p->secret != NULL ? p->secret : "", "min_grade",
        profile_grade_word(p->min_grade), "single_holder",
        (int)p->single_holder, "origin",
        p->origin == ORIGIN_SHIPPED ? "shipped" : "user", "files", files);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    *ret = item;
    return AG_OK;
}

enum ag_err
record_profiles(struct core *core, json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "profiles");
    json_t *items = json_object_get(answer, "profiles");

    for (size_t i = 0; i < profiles_count(core->parts.profiles); i++) {
        json_t *item = NULL;
        enum ag_err err =
            describe_profile(profiles_at(core->parts.profiles, i), &item);

        if (err != AG_OK) {
            return err;
        }
        if (json_array_append_new(items, item) != 0) {
            return AG_ENOMEM;
        }
    }
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    *ret = AG_TAKE(answer);
    return AG_OK;
}

enum ag_err
record_profile(struct core *core, const char *name, json_t **ret)
{
    const struct profile *profile = NULL;
    enum ag_err err = profile_find(core->parts.profiles, name, &profile);

    return err == AG_OK ? describe_profile(profile, ret) : err;
}

/* ---- redact ---- */

struct counting {
    json_t *counts;
    uint64_t hits;
};

static void
count_hits(void *arg, const struct filter_report *report)
{
    struct counting *c = arg;

    c->hits = report->hits;
    for (size_t i = 0; i < report->count_count; i++) {
        const struct filter_count *row = &report->counts[i];
        json_int_t before =
            json_integer_value(json_object_get(c->counts, row->name));

        (void)json_object_set_new(
            c->counts, row->name,
            json_integer(before + (json_int_t)row->count));
    }
}

/* A task learns how many hits there were, not of what: names of secrets it has
 * no grant for are none of its business. */
enum ag_err
record_redact(struct core *core, const struct call *call, struct span text,
              json_t **ret)
{
    AG_AUTO(buf) struct buf out = {0};
    AG_AUTO(wjson) json_t *counts = json_object();
    struct counting counting = {.counts = counts};
    const struct core_settings settings = core_settings_of(core);
    const struct filter_options options = {
        .audience = call->who == CALLER_TASK ? FILTER_TASK : FILTER_OPERATOR,
        .marker = call->who == CALLER_TASK ? TRIPWIRE_MARKER : settings.marker};
    enum ag_err err = counts != NULL ? core_need_open(core) : AG_ENOMEM;
    json_t *answer = NULL;

    buf_init(&out, 2 * (size_t)FILTER_BODY_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK && call->who == CALLER_TASK) {
        err = tripwire_ask(core, call->task_id);
    }
    if (err == AG_OK) {
        err = stray_in_redact(core, call, text);
    }
    if (err == AG_OK) {
        err = redaction_commit(core);
    }
    if (err == AG_OK) {
        err = filter_body(core->parts.filter, text, &options, &out, count_hits,
                          &counting);
    }
    if (err != AG_OK) {
        return err;
    }
    if (call->who == CALLER_TASK) {
        tripwire_count(core, call->task_id, counts);
        (void)json_object_clear(counts);
    }
    answer = json_pack("{s:s%, s:I, s:O}", "text",
                       out.len > 0 ? (const char *)out.ptr : "", out.len,
                       "hits", (json_int_t)counting.hits, "counts", counts);
    if (answer == NULL) {
        return parse_is_utf8(buf_view(&out))
                   ? AG_ENOMEM
                   : err_why(AG_EINVAL, "text: must be UTF-8");
    }
    *ret = answer;
    return AG_OK;
}
