#include "run/preview.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "cli.h"
#include "run/isolate.h"

enum {
    LINE_MAX_BYTES = 4096, /* some hosts and paths; more is cut */
};

/* ---- lines ---- */

/* One fact, its kind in front. */
static void
tell(const struct cli *cli, const char *kind, const char *text)
{
    out_line(&cli->out, OUT_PLAIN, "%-11s %s", kind, text);
}

/* The texts of a list, or `none` without any. */
static enum ag_err
add_texts(struct buf *line, const json_t *list, const char *none)
{
    const json_t *item;
    size_t i;
    enum ag_err err =
        json_array_size(list) == 0 ? buf_add(line, span_str(none)) : AG_OK;

    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);

        if (err == AG_OK && i > 0) {
            err = buf_add(line, span_str(", "));
        }
        if (err == AG_OK && text != NULL) {
            err = buf_add(line, span_str(text));
        }
    }
    return err;
}

static void
tell_value(const struct cli *cli, const json_t *value)
{
    const json_t *best = json_object_get(value, "instead_of");
    bool env = strcmp(out_member(value, "kind"), "env") == 0;
    bool proxied = strcmp(out_member(value, "grade"), "proxy") == 0;
    char text[LINE_MAX_BYTES];

    (void)snprintf(
        text, sizeof(text), "%s, version %lld, at grade %s%s%s: %s in %s %s",
        out_member(value, "secret"),
        (long long)out_member_int(value, "version"), out_member(value, "grade"),
        best != NULL ? " instead of " : "",
        best != NULL ? json_string_value(best) : "",
        proxied ? "a placeholder" : "the value", env ? "variable" : "file",
        out_member(value, env ? "var" : "path"));
    tell(cli, "value", text);
}

static void
tell_grant(const struct cli *cli, const json_t *grant)
{
    const char *field = out_member(grant, "field");
    char text[LINE_MAX_BYTES];

    /* The others are behind the values above. */
    if (strcmp(out_member(grant, "verb"), "read") != 0) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%s%s%s: the value, by its token",
                   out_member(grant, "secret"), field[0] == '/' ? "#" : "",
                   field[0] == '/' ? field : "");
    tell(cli, "read", text);
}

static void
tell_url(const struct cli *cli, const json_t *url)
{
    const char *path = out_member(url, "path");
    char text[LINE_MAX_BYTES];

    (void)snprintf(text, sizeof(text), "variable %s: the broker's, for %s%s",
                   out_member(url, "var"), out_member(url, "service"),
                   path[0] == '/' ? path : "");
    tell(cli, "address", text);
}

static enum ag_err
tell_place(const struct cli *cli, const json_t *place)
{
    AG_AUTO(buf) struct buf line = {0};
    const char *in = out_member(place, "in");
    char text[LINE_MAX_BYTES];
    enum ag_err err;

    buf_init(&line, LINE_MAX_BYTES, BUF_PLAIN);
    err = add_texts(&line, json_object_get(place, "hosts"), "-");
    if (err == AG_OK) {
        err = buf_add(&line, span_str(", "));
    }
    if (err == AG_OK) {
        err = add_texts(&line, json_object_get(place, "paths"), "every path");
    }
    if (err == AG_OK && buf_cstr(&line) == NULL) {
        err = AG_ENOMEM;
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(
        text, sizeof(text), "%s to %s, in %s %s%s%s%s",
        out_member(place, "secret"), buf_cstr(&line),
        strcmp(in, "basic") == 0   ? "basic authentication of"
        : strcmp(in, "query") == 0 ? "parameter"
        : strcmp(in, "json") == 0  ? "JSON field"
                                   : "header",
        out_member(place, "name"),
        json_is_true(json_object_get(place, "inner")) ? ", inside" : "",
        json_is_true(json_object_get(place, "plain")) ? ", by http" : "",
        json_is_true(json_object_get(place, "optional"))
            ? ", requests without it too"
            : "");
    tell(cli, "place", text);
    return AG_OK;
}

static enum ag_err
tell_all(const struct cli *cli, const struct isolation *is,
         const json_t *answer)
{
    AG_AUTO(buf) struct buf hosts = {0};
    const struct view *view = isolation_shown(is);
    const json_t *allow = json_object_get(answer, "allow");
    const json_t *item;
    size_t i;
    enum ag_err err = AG_OK;

    json_array_foreach(json_object_get(answer, "values"), i, item)
    {
        tell_value(cli, item);
    }
    json_array_foreach(json_object_get(answer, "grants"), i, item)
    {
        tell_grant(cli, item);
    }
    json_array_foreach(json_object_get(answer, "urls"), i, item)
    {
        tell_url(cli, item);
    }
    json_array_foreach(json_object_get(answer, "places"), i, item)
    {
        err = err == AG_OK ? tell_place(cli, item) : err;
    }
    buf_init(&hosts, LINE_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = add_texts(&hosts, allow, "none without a value");
    }
    if (err == AG_OK && buf_cstr(&hosts) != NULL) {
        tell(cli, "hosts", buf_cstr(&hosts));
    }
    tell(cli, "isolation", out_member(answer, "isolation"));
    if (view != NULL) {
        tell(cli, "writes to", view->tree);
    }
    if (json_is_true(json_object_get(answer, "passphrase"))) {
        tell(cli, "costs", "the passphrase");
    }
    return err;
}

/* ---- the question ---- */

static enum ag_err
make_body(const struct run_plan *plan, const struct isolation *is, json_t **ret)
{
    json_auto_t *body = NULL;
    json_t *isolation = NULL;
    enum ag_err err = plan_body(plan, 0, &body);

    if (err == AG_OK) {
        err = isolation_allow(is, body);
    }
    if (err == AG_OK) {
        err = isolation_body(is, &isolation);
    }
    if (err == AG_OK &&
        json_object_set_new(body, "isolation", isolation) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(body);
    }
    return err;
}

enum ag_err
run_preview(struct cli *cli, const struct run_plan *plan)
{
    struct isolation is = {.keep_lock = -1};
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    enum ag_err err = isolation_make(plan->options, &cli->paths, &is);

    if (err == AG_OK) {
        err = make_body(plan, &is, &body);
    }
    if (err == AG_OK) {
        err = cli_call(cli, "POST", "/v1/preview", body, &answer);
    }
    if (err == AG_OK && cli->out.json) {
        err = out_json(&cli->out, answer);
    } else if (err == AG_OK) {
        out_say(&cli->out, "nothing is started; the command would get:");
        err = tell_all(cli, &is, answer);
    }
    isolation_done(&is);
    return err;
}
