#include "core/isolation.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "core/state.h"
#include "profile/load.h"
#include "profile/profile.h"
#include "store/tasks.h"
#include "wire/json.h"

enum {
    LINE_MAX_BYTES = TASK_DETAIL_MAX_BYTES / 2, /* escaped it is twice that */
    TEMPLATE_MAX_BYTES = 1024,
    HEAD_BYTES = 320,
};

static const char *const NETWORKS[] = {"broker", "none"};
static const char *const HOMES[] = {"layer", "empty", "kept"};

static enum ag_err
add(struct buf *out, const char *text)
{
    return buf_add(out, span_str(text));
}

static enum ag_err
add_paths(struct buf *out, const char *word, const struct isolation_paths *list)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < list->count; i++) {
        err = add(out, word);
        if (err == AG_OK) {
            err = add(out, list->items[i]);
        }
    }
    return err;
}

static enum ag_err
make_line(const struct task_isolation *is, struct buf *out)
{
    char head[HEAD_BYTES];
    enum ag_err err;

    if (is == NULL) {
        return add(out, ISOLATION_NONE);
    }
    if (strcmp(is->preset, ISOLATION_NONE) == 0) {
        return add(out, ISOLATION_NONE ", on purpose");
    }
    (void)snprintf(head, sizeof(head), "%.255s: network %s, home %s",
                   is->preset, NETWORKS[is->network], HOMES[is->home]);
    err = add(out, head);
    if (err == AG_OK) {
        err = add_paths(out, ", ro ", &is->ro);
    }
    if (err == AG_OK) {
        err = add_paths(out, ", rw ", &is->rw);
    }
    return err == AG_OK ? add_paths(out, ", without ", &is->lacks) : err;
}

enum ag_err
isolation_keep(const struct task_isolation *is, struct task_row *row)
{
    AG_AUTO(buf) struct buf line;
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err;

    buf_init(&line, LINE_MAX_BYTES, BUF_PLAIN);
    err = make_line(is, &line);
    if (err != AG_OK) {
        return err;
    }
    detail = json_pack("{s:s%}", "isolation", line.ptr, line.len);
    return detail == NULL ? AG_ENOMEM : core_dump(detail, &row->detail);
}

enum ag_err
isolation_show(const struct task_row *row, json_t *object)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *line = NULL;
    enum ag_err err = AG_OK;

    if (row->detail != NULL) {
        err =
            wjson_parse(span_str(row->detail), TASK_DETAIL_MAX_BYTES, &detail);
    }
    if (err != AG_OK) {
        return err;
    }
    line = json_object_get(detail, "isolation");
    line =
        json_is_string(line) ? json_incref(line) : json_string(ISOLATION_NONE);
    return json_object_set_new(object, "isolation", line) == 0 ? AG_OK
                                                               : AG_ENOMEM;
}

/* ---- what is hidden ---- */

static enum ag_err
add_file(const struct profile_file *file, json_t *paths, json_t *copies)
{
    char copy[TEMPLATE_MAX_BYTES];
    const char *slash = file->path == NULL ? NULL : strrchr(file->path, '/');

    if (slash == NULL) {
        return AG_OK; /* found by its name in any tree: no place to hide */
    }
    if (json_array_append_new(paths, json_string(file->path)) != 0) {
        return AG_ENOMEM;
    }
    if (strchr(slash, '}') != NULL) {
        return AG_OK; /* a variable names the file itself, not its folder */
    }
    for (size_t i = 0; i < file->copies.count; i++) {
        (void)snprintf(copy, sizeof(copy), "%.*s/%s", (int)(slash - file->path),
                       file->path, file->copies.items[i]);
        if (json_array_append_new(copies, json_string(copy)) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

enum ag_err
isolation_answer(struct core *core, const struct task_isolation *is,
                 json_t *answer)
{
    const struct profiles *all = core->parts.profiles;
    AG_AUTO(wjson) json_t *paths = NULL;
    AG_AUTO(wjson) json_t *copies = NULL;
    enum ag_err err = AG_OK;

    if (is == NULL || strcmp(is->preset, ISOLATION_NONE) == 0) {
        return AG_OK;
    }
    paths = json_array();
    copies = json_array();
    if (paths == NULL || copies == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; err == AG_OK && i < profiles_count(all); i++) {
        const struct profile *p = profiles_at(all, i);

        for (size_t k = 0; err == AG_OK && k < p->files.count; k++) {
            err = add_file(&p->files.items[k], paths, copies);
        }
    }
    if (err == AG_OK && (json_object_set(answer, "hide", paths) != 0 ||
                         json_object_set(answer, "hide_copies", copies) != 0)) {
        err = AG_ENOMEM;
    }
    return err;
}
