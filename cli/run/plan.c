#include "run/plan.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "base/parse.h"
#include "grant.h"
#include "run/dotenv.h"
#include "run/plan_proxy.h"

enum {
    PATH_TEXT_BYTES = 2048,
};

static const char SCHEME[] = "ag://";

/* Appends {key: text, "ref": ref}; a variable named twice is refused, since
 * nobody could tell which value the command got. */
static enum ag_err
add_pair(json_t *list, const char *key, struct span text, struct span ref)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (span_is(text, json_string_value(json_object_get(item, key)))) {
            return err_why(AG_EUSAGE, "%.*s is given twice", (int)text.len,
                           (const char *)text.ptr);
        }
    }
    return json_array_append_new(list, json_pack("{s:s%,s:s%}", key, text.ptr,
                                                 text.len, "ref", ref.ptr,
                                                 ref.len)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
check_reference(const char *option, struct span ref)
{
    struct reference parsed;

    if (parse_reference(ref, &parsed) != AG_OK) {
        return err_why(AG_EUSAGE,
                       "%s: '%.*s' is no reference; write "
                       "ag://NAME or ag://NAME#/FIELD",
                       option, (int)ref.len, (const char *)ref.ptr);
    }
    return AG_OK;
}

static enum ag_err
add_env(struct run_plan *plan, const char *text)
{
    struct span all = span_str(text);
    size_t at = span_find(all, '=');
    struct span var = span_sub(all, 0, at);
    struct span ref = span_sub(all, at + 1, all.len);
    enum ag_err err;

    if (at == all.len || parse_env_name(var) != AG_OK) {
        return err_why(AG_EUSAGE, "--env needs VAR=REF, not '%s'", text);
    }
    err = check_reference("--env", ref);
    return err == AG_OK ? add_pair(plan->env, "var", var, ref) : err;
}

static enum ag_err
add_file(struct run_plan *plan, const char *text)
{
    struct span all = span_str(text);
    const char *equals = strrchr(text, '=');
    char path[PATH_TEXT_BYTES];
    char here[PATH_TEXT_BYTES];
    int n;
    enum ag_err err;

    /* The last '=': a path may hold one, a reference can't. */
    if (equals == NULL || equals == text) {
        return err_why(AG_EUSAGE, "--file needs PATH=REF, not '%s'", text);
    }
    err = check_reference("--file", span_str(equals + 1));
    if (err != AG_OK) {
        return err;
    }
    if (text[0] == '/') {
        return add_pair(plan->files, "path",
                        span_sub(all, 0, (size_t)(equals - text)),
                        span_str(equals + 1));
    }
    n = getcwd(here, sizeof(here)) == NULL
            ? -1
            : snprintf(path, sizeof(path), "%s/%.*s", here,
                       (int)(equals - text), text);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return err_why(AG_EUSAGE, "--file: the path is too long");
    }
    return add_pair(plan->files, "path", span_str(path), span_str(equals + 1));
}

static enum ag_err
add_plain(struct run_plan *plan, struct span name, struct span value)
{
    char *text;

    if (plan->plain_count == PLAN_PLAIN_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d variables",
                       PLAN_PLAIN_MAX_COUNT);
    }
    if (asprintf(&text, "%.*s=%.*s", (int)name.len, (const char *)name.ptr,
                 (int)value.len, (const char *)value.ptr) < 0) {
        return AG_ENOMEM;
    }
    plan->plain[plan->plain_count++] = text;
    return AG_OK;
}

static enum ag_err
on_assignment(void *arg, struct span name, struct span value)
{
    struct run_plan *plan = arg;
    enum ag_err err;

    if (!span_starts(value, span_str(SCHEME))) {
        return add_plain(plan, name, value);
    }
    err = check_reference("a value", value);
    return err == AG_OK ? add_pair(plan->env, "var", name, value) : err;
}

static enum ag_err
add_env_file(struct run_plan *plan, const char *path)
{
    AG_AUTO(buf) struct buf text;
    enum ag_err err;

    buf_init(&text, DOTENV_MAX_BYTES, BUF_WIPE);
    err = fs_read(AT_FDCWD, path, DOTENV_MAX_BYTES, &text);
    if (err != AG_OK) {
        return err_why(err, "--env-file %s can't be read", path);
    }
    err = dotenv_parse(buf_view(&text), on_assignment, plan);
    return err == AG_OK ? AG_OK : err_why(err, "%s: %s", path, err_text(err));
}

/* What the options and files say, in order. */
static enum ag_err
add_all(const struct run_options *options, struct run_plan *plan)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < options->env.count; i++) {
        err = add_env(plan, options->env.items[i]);
    }
    for (size_t i = 0; err == AG_OK && i < options->env_files.count; i++) {
        err = add_env_file(plan, options->env_files.items[i]);
    }
    for (size_t i = 0; err == AG_OK && i < options->files.count; i++) {
        err = add_file(plan, options->files.items[i]);
    }
    for (size_t i = 0; err == AG_OK && i < options->proxies.count; i++) {
        err = plan_proxy(options->proxies.items[i], plan->proxies);
    }
    return err;
}

static enum ag_err
check_grade(const struct run_options *options)
{
    static const char *const GRADES[] = {"proxy", "sign", "file", "env"};

    if (options->grade == NULL) {
        return AG_OK;
    }
    for (size_t i = 0; i < AG_COUNT(GRADES); i++) {
        if (strcmp(options->grade, GRADES[i]) == 0) {
            return options->profiles.count > 0
                       ? AG_OK
                       : err_why(AG_EUSAGE, "--grade is for --profile");
        }
    }
    return err_why(AG_EUSAGE, "--grade: '%s' is none of proxy, sign, file, env",
                   options->grade);
}

enum ag_err
plan_make(const struct run_options *options, struct run_plan **ret)
{
    AG_AUTO(run_plan) struct run_plan *plan = calloc(1, sizeof(*plan));
    enum ag_err err = AG_OK;

    if (plan == NULL) {
        return AG_ENOMEM;
    }
    plan->options = options;
    plan->env = json_array();
    plan->files = json_array();
    plan->proxies = json_array();
    if (plan->env == NULL || plan->files == NULL || plan->proxies == NULL) {
        return AG_ENOMEM;
    }
    if (options->pty && options->no_pty) {
        return err_why(AG_EUSAGE, "--pty and --no-pty exclude each other");
    }
    err = check_grade(options);
    if (err == AG_OK) {
        err = add_all(options, plan);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(plan);
    }
    return err;
}

void
plan_free(struct run_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (size_t i = 0; i < plan->plain_count; i++) {
        free(plan->plain[i]);
    }
    json_decref(plan->env);
    json_decref(plan->files);
    json_decref(plan->proxies);
    free(plan);
}

bool
plan_repository(char *out, size_t cap)
{
    char probe[PATH_MAX];
    struct stat st;

    if (getcwd(out, cap) == NULL) {
        return false;
    }
    for (int i = 0; i < PLAN_DEPTH_MAX && out[0] != '\0'; i++) {
        int n = snprintf(probe, sizeof(probe), "%s/.git", out);

        if (n > 0 && (size_t)n < sizeof(probe) && stat(probe, &st) == 0) {
            return true;
        }
        *strrchr(out, '/') = '\0';
    }
    return false;
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static enum ag_err
set_list(const struct arg_list *given, const char *member, json_t *body)
{
    json_t *list = json_array();
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < given->count; i++) {
        if (json_array_append_new(list, json_string(given->items[i])) != 0) {
            err = err_why(AG_EUSAGE, "%s: not UTF-8 text", member);
        }
    }
    if (err == AG_OK && given->count > 0) {
        return json_object_set_new(body, member, list) == 0 ? AG_OK : AG_ENOMEM;
    }
    json_decref(list);
    return err;
}

static enum ag_err
set_rest(const struct run_plan *plan, json_t *body)
{
    const struct run_options *o = plan->options;
    json_t *grants = NULL;
    bool ok = true;
    enum ag_err err = AG_OK;

    if (o->ttl_ms > 0) {
        ok = json_object_set_new(body, "ttl_s",
                                 json_integer((o->ttl_ms + 999) / 1000)) == 0;
    }
    if (ok && o->grade != NULL) {
        ok = json_object_set_new(body, "grade", json_string(o->grade)) == 0;
    }
    if (ok && json_array_size(plan->env) > 0) {
        ok = json_object_set(body, "env", plan->env) == 0;
    }
    if (ok && json_array_size(plan->files) > 0) {
        ok = json_object_set(body, "files", plan->files) == 0;
    }
    if (ok && json_array_size(plan->proxies) > 0) {
        ok = json_object_set(body, "proxy", plan->proxies) == 0;
    }
    if (ok && o->grants.count > 0) {
        err = grant_list(&o->grants, &grants);
        ok = err != AG_OK || json_object_set_new(body, "grants", grants) == 0;
    }
    return ok ? err : AG_ENOMEM;
}

enum ag_err
plan_body(const struct run_plan *plan, size_t stream_count, json_t **ret)
{
    const struct run_options *o = plan->options;
    char repository[PATH_TEXT_BYTES];
    bool in_one = plan_repository(repository, sizeof(repository));
    json_auto_t *body = json_pack(
        "{s:s,s:s*,s:s*,s:I}", "name",
        o->name != NULL ? o->name : base_name(o->command[0]), "purpose",
        o->purpose, "repository", in_one ? repository : NULL, "streams",
        (json_int_t)stream_count);
    enum ag_err err;

    if (body == NULL) {
        return err_why(AG_EUSAGE, "--name and --purpose must be UTF-8 text");
    }
    err = set_list(&o->profiles, "profiles", body);
    if (err == AG_OK) {
        err = set_list(&o->allow, "allow", body);
    }
    if (err == AG_OK) {
        err = set_rest(plan, body);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(body);
    }
    return err;
}
