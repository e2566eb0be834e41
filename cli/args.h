/*
 * args.h - options of one verb, from a table that also prints its --help.
 * Floor: cli. Depends on: base/err, out.
 *
 * Long options only (`--name value` or `--name=value`), in any order with the
 * words; `--` ends them; `-` is a word. Of short ones only -h. A flag takes no
 * value, a value can't be left out, an option is given once unless it is a
 * list. --json, --quiet and --help exist for every verb.
 */
#ifndef AG_CLI_ARGS_H
#define AG_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;

enum {
    ARG_LIST_MAX_COUNT = 64, /* one option given again: far past real use */
};

struct arg_list {
    size_t count;
    const char *items[ARG_LIST_MAX_COUNT]; /* borrowed from argv */
};

enum arg_kind {
    ARG_FLAG,  /* bool * */
    ARG_TEXT,  /* const char ** */
    ARG_MAYBE, /* const char **: `--name`, which gives "", or `--name=value` */
    ARG_COUNT, /* int64_t *, decimal */
    ARG_DURATION, /* int64_t *, milliseconds from "15m" */
    ARG_LIST,     /* struct arg_list * */
    ARG_HEADING,  /* no option: a line of the help */
};

struct arg_opt {
    const char *name; /* without the dashes */
    enum arg_kind kind;
    void *dest;
    const char *value; /* how the value is called in the help, or NULL */
    const char *help;
};

/* What NAME or ID in a usage are the names of; for complete.h. */
enum arg_names {
    ARG_NAMES_NONE,
    ARG_NAMES_SECRETS,
    ARG_NAMES_TASKS,
    ARG_NAMES_PROFILES,
    ARG_NAMES_INCIDENTS,
    ARG_NAMES_ROLES,
    ARG_NAMES_PROGRAMS,
    ARG_NAMES_SLOTS,
};

struct arg_spec {
    const char *usage; /* after "auth-guard ": "put [options] NAME" */
    const char *about; /* paragraphs of the help, wrapped by hand at 78 */
    const struct arg_opt *opts;
    size_t opt_count;
    size_t words_min;
    size_t words_max;
    bool stop_at_word; /* the first word ends the options (run) */
    enum arg_names names;
};

struct args {
    size_t count;
    char **words; /* NULL-ended */
    bool help; /* --help was given and answered, or the line only completed */
};

/*
 * Parses argv (argv[0] is the verb), which is reordered: the words follow each
 * other. When ret->help is true the verb returns AG_OK at once.
 * Errors: AG_EUSAGE with a sentence that names the option and what it needs.
 */
AG_CHECK AG_NONNULL enum ag_err args_parse(struct cli *cli,
                                           const struct arg_spec *spec,
                                           int argc, char **argv,
                                           struct args *ret);

#endif
