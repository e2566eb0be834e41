/*
 * acts.h - verbs with acts of their own: `auth-guard task list`.
 * Floor: cli. Depends on: args, cli.
 */
#ifndef AG_CLI_ACTS_H
#define AG_CLI_ACTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "args.h"
#include "base/attr.h"
#include "base/err.h"

struct cli;

struct act {
    const char *name;
    const char *summary;
    enum ag_err (*run)(struct cli *cli, int argc, char **argv);
};

struct act_table {
    const char *verb;
    const char *about;
    const struct act *acts;
    size_t count;
};

/* Runs the act named by argv[1], or prints the acts for --help.
 * Errors: AG_EUSAGE, those of the act. */
AG_CHECK AG_NONNULL enum ag_err
acts_run(struct cli *cli, const struct act_table *table, int argc, char **argv);

/*
 * What most acts are: `path` is a client_path() text with one %s for the only
 * word, called with `method` and no body; people are told `what`, the word and
 * `sentence`: "Task 7 is ended."
 */
struct act_call {
    const struct arg_spec *spec;
    const char *method;
    const char *path;
    const char *what;
    const char *sentence;
};
AG_CHECK AG_NONNULL enum ag_err
acts_call(struct cli *cli, const struct act_call *call, int argc, char **argv);

/* GET of a list and its table: rows are the objects under `key`. Cells come
 * from a member each; a "when:" prefix shows a time as a distance, "some:" a
 * number that is none when 0. */
struct act_column {
    const char *title;
    const char *member;
    bool right;
};
AG_CHECK enum ag_err acts_table(struct cli *cli, const char *path,
                                const char *key,
                                const struct act_column *columns, size_t count);

/* An act without words that is such a table. */
struct act_list {
    const struct arg_spec *spec;
    const char *path;
    const char *key;
    const struct act_column *columns;
    size_t count;
};
AG_CHECK AG_NONNULL enum ag_err
acts_list(struct cli *cli, const struct act_list *list, int argc, char **argv);

/* The table alone, of an array of objects. */
AG_CHECK enum ag_err acts_rows(struct cli *cli, const json_t *rows,
                               const struct act_column *columns, size_t count);

/* An answer as lines "name: value"; with --json itself. */
AG_CHECK AG_NONNULL enum ag_err acts_print(struct cli *cli, json_t *answer);

/* GET and acts_print(): an object as lines "name: value". */
AG_CHECK AG_NONNULL enum ag_err acts_show(struct cli *cli, const char *path);

/* An act of one word that shows what it names; `path` as in act_call. */
AG_CHECK AG_NONNULL enum ag_err acts_show_named(struct cli *cli,
                                                const struct arg_spec *spec,
                                                const char *path, int argc,
                                                char **argv);

#endif
