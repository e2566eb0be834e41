#include "acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/wipealloc.h"
#include "cli.h"
#include "client.h"
#include "complete.h"

enum {
    CELL_BYTES = 512,
    NAME_WIDTH = 16,
};

static enum ag_err
print_acts(const struct cli *cli, const struct act_table *table)
{
    (void)cli;
    printf("usage: auth-guard %s ACT [options] …\n\n%s\n\nacts:\n", table->verb,
           table->about);
    for (size_t i = 0; i < table->count; i++) {
        printf("  %-14s %s\n", table->acts[i].name, table->acts[i].summary);
    }
    return AG_OK;
}

/* Names the acts there are: who forgot one need not look them up. */
static enum ag_err
no_act(const struct act_table *table, const char *given)
{
    AG_AUTO(buf) struct buf all;
    enum ag_err err = AG_OK;

    buf_init(&all, CELL_BYTES, BUF_PLAIN);
    for (size_t i = 0; err == AG_OK && i < table->count; i++) {
        err = buf_fmt(&all, "%s%s",
                      i == 0                  ? ""
                      : i + 1 == table->count ? " or "
                                              : ", ",
                      table->acts[i].name);
    }
    if (err != AG_OK || buf_cstr(&all) == NULL) {
        return AG_EUSAGE;
    }
    return given == NULL
               ? err_why(AG_EUSAGE, "an act is missing: auth-guard %s %s",
                         table->verb, buf_cstr(&all))
               : err_why(AG_EUSAGE, "%s has no act '%s'; it has %s",
                         table->verb, given, buf_cstr(&all));
}

enum ag_err
acts_run(struct cli *cli, const struct act_table *table, int argc, char **argv)
{
    /* --json may stand before the act too. */
    while (argc > 1 && strcmp(argv[1], "--json") == 0) {
        cli->out.json = true;
        argv++;
        argc--;
    }
    if (argc == 2 && cli->completing != NULL) {
        complete_acts(table->acts, table->count, argv[1]);
        return AG_OK;
    }
    if (argc < 2) {
        return no_act(table, NULL);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return print_acts(cli, table);
    }
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(argv[1], table->acts[i].name) == 0) {
            return table->acts[i].run(cli, argc - 1, argv + 1);
        }
    }
    return no_act(table, argv[1]);
}

enum ag_err
acts_call(struct cli *cli, const struct act_call *call, int argc, char **argv)
{
    json_auto_t *answer = NULL;
    AG_AUTO(buf) struct buf path;
    AG_AUTO(buf) struct buf said;
    struct args args;
    enum ag_err err = args_parse(cli, call->spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    buf_init(&said, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = client_path(&path, call->path, args.words[0]);
    if (err == AG_OK) {
        err = cli_call(cli, call->method, buf_cstr(&path), NULL, &answer);
    }
    if (err != AG_OK) {
        return err;
    }
    if (cli->out.json) {
        return out_json(&cli->out, answer);
    }
    out_say(&cli->out, "%s %s %s.", call->what, args.words[0], call->sentence);
    return AG_OK;
}

/* A member as people read it; out must hold CELL_BYTES. */
static const char *
cell(const json_t *row, const char *member, char *out)
{
    const json_t *value;
    bool when = strncmp(member, "when:", 5) == 0;
    bool some = strncmp(member, "some:", 5) == 0;

    value = json_object_get(row, when || some ? member + 5 : member);
    /* -1 stands for none in what the broker says: no exit, no limit. */
    if (json_is_integer(value) && json_integer_value(value) < (some ? 1 : 0)) {
        return "-";
    }
    if (when && json_is_string(value)) {
        return out_when(json_string_value(value), out);
    }
    switch (json_typeof(value != NULL ? value : json_null())) {
    case JSON_STRING:
        snprintf(out, CELL_BYTES, "%s", json_string_value(value));
        break;
    case JSON_INTEGER:
        snprintf(out, CELL_BYTES, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_TRUE:
        snprintf(out, CELL_BYTES, "yes");
        break;
    case JSON_FALSE:
        snprintf(out, CELL_BYTES, "no");
        break;
    case JSON_ARRAY:
        snprintf(out, CELL_BYTES, "%zu", json_array_size(value));
        break;
    case JSON_OBJECT: {
        size_t n = json_dumpb(value, out, CELL_BYTES - 1, JSON_COMPACT);

        out[n < CELL_BYTES - 1 ? n : CELL_BYTES - 1] = '\0';
        break;
    }
    case JSON_REAL:
    case JSON_NULL:
        snprintf(out, CELL_BYTES, "-");
        break;
    }
    return *out == '\0' ? "-" : out;
}

static enum ag_err
add_row(struct out_table *table, const json_t *row,
        const struct act_column *columns, size_t count)
{
    char text[OUT_COLUMNS_MAX_COUNT][CELL_BYTES];
    const char *cells[OUT_COLUMNS_MAX_COUNT] = {NULL};

    for (size_t i = 0; i < count; i++) {
        cells[i] = cell(row, columns[i].member, text[i]);
    }
    return out_table_add(table, cells);
}

enum ag_err
acts_table(struct cli *cli, const char *path, const char *key,
           const struct act_column *columns, size_t count)
{
    json_auto_t *answer = NULL;
    enum ag_err err = cli_call(cli, "GET", path, NULL, &answer);

    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    return acts_rows(cli, json_object_get(answer, key), columns, count);
}

enum ag_err
acts_list(struct cli *cli, const struct act_list *list, int argc, char **argv)
{
    struct args args;
    enum ag_err err = args_parse(cli, list->spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    return acts_table(cli, list->path, list->key, list->columns, list->count);
}

enum ag_err
acts_rows(struct cli *cli, const json_t *rows, const struct act_column *columns,
          size_t count)
{
    struct out_column heads[OUT_COLUMNS_MAX_COUNT] = {{0}};
    AG_AUTO(out_table) struct out_table *table = NULL;
    const json_t *row;
    size_t i;
    enum ag_err err;

    for (i = 0; i < count; i++) {
        heads[i] = (struct out_column){columns[i].title, columns[i].right};
    }
    err = out_table_new(heads, count, &table);
    json_array_foreach(rows, i, row)
    {
        if (err == AG_OK) {
            err = add_row(table, row, columns, count);
        }
    }
    if (err == AG_OK && json_array_size(rows) == 0) {
        out_say(&cli->out, "There are none.");
        return AG_OK;
    }
    return err == AG_OK ? out_table_print(&cli->out, table) : err;
}

enum ag_err
acts_print(struct cli *cli, json_t *answer)
{
    const char *name;
    json_t *value;
    char text[CELL_BYTES];

    if (cli->out.json) {
        return out_json(&cli->out, answer);
    }
    json_object_foreach(answer, name, value)
    {
        if (!json_is_object(value) && !json_is_array(value)) {
            out_line(&cli->out, OUT_PLAIN, "%-*s %s", NAME_WIDTH, name,
                     cell(answer, name, text));
        } else {
            char *nested = json_dumps(value, JSON_COMPACT);

            out_line(&cli->out, OUT_PLAIN, "%-*s %s", NAME_WIDTH, name,
                     nested == NULL ? "-" : nested);
            wipe_free(nested);
        }
    }
    return AG_OK;
}

enum ag_err
acts_show(struct cli *cli, const char *path)
{
    json_auto_t *answer = NULL;
    enum ag_err err = cli_call(cli, "GET", path, NULL, &answer);

    return err == AG_OK ? acts_print(cli, answer) : err;
}

enum ag_err
acts_show_named(struct cli *cli, const struct arg_spec *spec, const char *path,
                int argc, char **argv)
{
    AG_AUTO(buf) struct buf whole;
    struct args args;
    enum ag_err err = args_parse(cli, spec, argc, argv, &args);

    buf_init(&whole, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = client_path(&whole, path, args.words[0]);
    return err == AG_OK ? acts_show(cli, buf_cstr(&whole)) : err;
}
