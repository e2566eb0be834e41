/*
 * complete.h - what may stand at the cursor of a shell's line.
 * Floor: cli. Depends on: acts, args, verb, client.
 *
 * A shell's script (packaging/completions) calls
 *
 *     auth-guard completion words -- WORD…
 *
 * with what stands behind `auth-guard`, the last word being the one at the
 * cursor, "" where none is begun. The verb is then called as ever, but with
 * `cli->completing` set: acts_run() and args_parse() answer from the same tables
 * that they read and help from, and nothing else is done.
 *
 * The answer: a line for each word that may stand there, "word TAB what it is",
 * or what the shell is to do itself:
 *     :files, :dirs   names of files, of directories
 *     :command N      from word N on (the verb is 0) it is a command of its own
 *
 * Names of secrets, tasks and the like come from the broker: when it runs, the
 * vault is open and the caller the operator, within a fraction of a second,
 * and never by asking for a passphrase. Nothing is said of errors.
 */
#ifndef AG_CLI_COMPLETE_H
#define AG_CLI_COMPLETE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct act;
struct arg_spec;
struct cli;

/* Offers the acts that begin with `word`. */
AG_NONNULL void complete_acts(const struct act *acts, size_t count,
                              const char *word);

/* Offers what may stand as the last word of argv, by `spec`; argv[0] is the verb
 * or the act. */
AG_NONNULL void complete_args(struct cli *cli, const struct arg_spec *spec,
                              int argc, char **argv);

/* The answer for words[0 .. count-1]; count is at least 1. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err complete_words(struct cli *cli, size_t count,
                                               char **words);

/* The scripts; made from packaging/completions by the build. */
extern const char complete_bash[];
extern const char complete_fish[];
extern const char complete_zsh[];

#endif
