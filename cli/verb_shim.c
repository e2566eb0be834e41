/* shim: a command's name, typed in a terminal or used by an editor, means a
 * task. */
#include <stdlib.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "shim_acts.h"

enum {
    NAMES_MAX_COUNT = 256, /* of one call */
    LINE_MAX_BYTES = 64 * 1024,
};

/* ---- what the acts share ---- */

const char *
shim_member(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

const char *
shim_path_variable(void)
{
    const char *path = getenv("PATH");

    return path == NULL ? "" : path;
}

enum ag_err
shim_meaning(const json_t *record, struct buf *out)
{
    const json_t *word;
    size_t i;
    enum ag_err err = buf_add_str(out, "auth-guard run");

    json_array_foreach(json_object_get(record, "options"), i, word)
    {
        if (err == AG_OK) {
            err = buf_fmt(out, " %s", json_string_value(word));
        }
    }
    return err == AG_OK ? buf_fmt(out, " -- %s", shim_member(record, "name"))
                        : err;
}

char **
shim_run_words(const json_t *options, const char *command, char *const *rest,
               size_t rest_count, int *ret_argc)
{
    size_t count = json_array_size(options);
    const char **words = calloc(count + rest_count + 4, sizeof(*words));
    size_t n = 0;
    char **out;

    if (words == NULL) {
        return NULL;
    }
    words[n++] = "run";
    for (size_t i = 0; i < count; i++) {
        words[n++] = json_string_value(json_array_get(options, i));
    }
    words[n++] = "--";
    words[n++] = command;
    for (size_t i = 0; i < rest_count; i++) {
        words[n++] = rest[i];
    }
    *ret_argc = (int)n;
    memcpy(&out, &words, sizeof(out)); /* nobody writes to the texts */
    return out;
}

enum ag_err
shim_none(const char *name)
{
    return err_why(AG_ENOTFOUND,
                   "there is no shim '%s'; see: auth-guard shim list", name);
}

/* ---- list, remove ---- */

static const char *
state_word(enum shim_state state)
{
    switch (state) {
    case SHIM_SAME:
        return "ready";
    case SHIM_CHANGED:
        return "changed";
    case SHIM_GONE:
        return "gone";
    }
    return "damaged";
}

static enum ag_err
add_row(int dir_fd, const char *name, json_t *rows)
{
    AG_AUTO(buf) struct buf means;
    json_t *record = NULL;
    json_t *row = NULL;

    buf_init(&means, LINE_MAX_BYTES, BUF_PLAIN);
    if (shim_read(dir_fd, name, &record) != AG_OK) {
        row = json_pack("{s:s, s:s}", "name", name, "state", "damaged");
    } else if (shim_meaning(record, &means) == AG_OK) {
        row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "name", name,
                        "state", state_word(shim_judge(record)), "path",
                        shim_member(record, "path"), "real",
                        shim_member(record, "real"), "hash",
                        shim_member(record, "hash"), "means", buf_cstr(&means),
                        "options", json_object_get(record, "options"));
    }
    json_decref(record);
    return json_array_append_new(rows, row) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
collect(int dir_fd, json_t *rows)
{
    json_auto_t *names = NULL;
    const json_t *name;
    size_t i;
    enum ag_err err = shim_names(dir_fd, &names);

    json_array_foreach(names, i, name)
    {
        if (err == AG_OK) {
            err = add_row(dir_fd, json_string_value(name), rows);
        }
    }
    return err;
}

static enum ag_err
shim_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"NAME", "name", false},
                                                {"STATE", "state", false},
                                                {"PROGRAM", "path", false},
                                                {"MEANS", "means", false}};
    static const struct arg_spec spec = {
        .usage = "shim list",
        .about = "Lists the shims: ready, or what became of their program "
                 "(changed, gone)."};
    json_auto_t *rows = json_array();
    json_auto_t *answer = NULL;
    AG_AUTO(fd) int dir_fd = -1;
    char dir[PATH_BYTES];
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = shim_dir(&cli->paths, dir);
    if (err == AG_OK) {
        err = shim_dir_open(&cli->paths, false, &dir_fd);
        err = err == AG_OK          ? collect(dir_fd, rows)
              : err == AG_ENOTFOUND ? AG_OK
                                    : err;
    }
    if (err != AG_OK || !cli->out.json) {
        return err == AG_OK ? acts_rows(cli, rows, columns, AG_COUNT(columns))
                            : err;
    }
    answer = json_pack("{s:s, s:O}", "dir", dir, "shims", rows);
    return answer == NULL ? AG_ENOMEM : out_json(&cli->out, answer);
}

static enum ag_err
shim_take_away(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "shim remove NAME…",
        .about = "Removes shims: the names mean the programs again.",
        .words_min = 1,
        .words_max = NAMES_MAX_COUNT};
    AG_AUTO(fd) int dir_fd = -1;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = shim_dir_open(&cli->paths, false, &dir_fd);
    if (err == AG_ENOTFOUND) {
        return shim_none(args.words[0]);
    }
    for (size_t i = 0; err == AG_OK && i < args.count; i++) {
        err = shim_name_check(args.words[i]);
        if (err == AG_OK) {
            err = shim_remove(dir_fd, args.words[i]);
        }
        if (err == AG_ENOTFOUND) {
            return shim_none(args.words[i]);
        }
        if (err == AG_OK) {
            out_say(&cli->out, "The shim %s is gone.", args.words[i]);
        }
    }
    return err;
}

enum ag_err
verb_shim(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"install", "make them for these commands", shim_install},
        {"list", "those there are, and whether they work", shim_list},
        {"remove", "take them away", shim_take_away},
        {"exec", "what a shim calls", shim_exec},
    };
    static const struct act_table table = {
        "shim",
        "A shim makes a command's name, typed in a terminal or used by an "
        "editor, mean\nauth-guard run.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
