#include "sarif.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "out.h"
#include "report.h"

enum {
    URI_MAX_BYTES = 3 * PATH_MAX + 16,
};

/* RFC 3986: all but unreserved characters and the slash. */
static enum ag_err
add_escaped(struct buf *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    enum ag_err err = AG_OK;

    for (; err == AG_OK && *path != '\0'; path++) {
        err = strchr(plain, *path) != NULL
                  ? buf_add_byte(out, (uint8_t)*path)
                  : buf_fmt(out, "%%%02X", (unsigned)(uint8_t)*path);
    }
    return err;
}

static enum ag_err
add_uri(struct buf *out, const char *path)
{
    char *here = getcwd(NULL, 0);
    size_t len = here == NULL ? 0 : strlen(here);
    enum ag_err err = AG_OK;

    if (len > 0 && strncmp(path, here, len) == 0 && path[len] == '/') {
        path += len + 1;
    }
    free(here);
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    if (*path == '/') {
        err = buf_add_str(out, "file://");
    }
    return err == AG_OK ? add_escaped(out, path) : err;
}

enum ag_err
sarif_add(json_t *rows, const struct sarif_find *find)
{
    AG_AUTO(buf) struct buf uri;
    json_t *row;
    enum ag_err err;

    buf_init(&uri, URI_MAX_BYTES, BUF_PLAIN);
    err = add_uri(&uri, find->path);
    if (err != AG_OK || buf_cstr(&uri) == NULL) {
        return err == AG_OK ? AG_ENOMEM : err;
    }
    row = json_pack("{s:s, s:s, s:{s:s}, s:[{s:{s:{s:s}}}]}", "ruleId",
                    find->rule, "level", find->level, "message", "text",
                    find->text, "locations", "physicalLocation",
                    "artifactLocation", "uri", buf_cstr(&uri));
    if (row != NULL && find->line > 0) {
        json_t *place = json_object_get(
            json_array_get(json_object_get(row, "locations"), 0),
            "physicalLocation");

        (void)json_object_set_new(
            place, "region",
            json_pack("{s:I}", "startLine", (json_int_t)find->line));
    }
    /* The rule's text travels with the row until it is written. */
    if (row == NULL ||
        json_object_set_new(row, "about", json_string(find->about)) != 0) {
        json_decref(row);
        return AG_ENOMEM;
    }
    return json_array_append_new(rows, row) == 0 ? AG_OK : AG_ENOMEM;
}

/* Each rule once; the rows lose its text. */
static enum ag_err
gather_rules(json_t *rows, json_t *rules)
{
    json_auto_t *seen = json_object();
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *id = out_member(row, "ruleId");

        if (json_object_get(seen, id) == NULL &&
            (json_object_set_new(seen, id, json_true()) != 0 ||
             json_array_append_new(rules,
                                   json_pack("{s:s, s:{s:s}}", "id", id,
                                             "shortDescription", "text",
                                             out_member(row, "about"))) != 0)) {
            return AG_ENOMEM;
        }
        (void)json_object_del(row, "about");
    }
    return AG_OK;
}

enum ag_err
sarif_write(const json_t *rows, int fd)
{
    json_auto_t *results = json_deep_copy(rows);
    json_auto_t *rules = json_array();
    json_t *log;
    enum ag_err err = results == NULL || rules == NULL
                          ? AG_ENOMEM
                          : gather_rules(results, rules);

    if (err != AG_OK) {
        return err;
    }
    log = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:O}}, s:O}]}", "$schema",
                    "https://json.schemastore.org/sarif-2.1.0.json", "version",
                    "2.1.0", "runs", "tool", "driver", "name", "auth-guard",
                    "version", AG_VERSION, "rules", rules, "results", results);
    return report_write(fd, log);
}
