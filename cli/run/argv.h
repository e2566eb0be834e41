/*
 * argv.h - the command of a task with the arguments its profiles add.
 * Floor: cli/run. Depends on: jansson.
 *
 * The broker's answer holds, per profile, the names of the commands that the
 * arguments are for and the arguments; they go right behind argv[0]. `{dir}` in
 * one stands for the directory of the task's private files, so that a tool can
 * be told to keep its own commands out of it.
 */
#ifndef AG_CLI_RUN_ARGV_H
#define AG_CLI_RUN_ARGV_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct argv;

/*
 * Ownership: `command` (NULL-ended) and the texts of `args` are borrowed as long
 *            as *ret lives; the caller frees it with argv_free().
 * Errors: AG_ELIMIT too many words; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err argv_new(char **command, const json_t *args,
                                         const char *dir, struct argv **ret);
void argv_free(struct argv *a);
AG_DEFINE_CLEANUP(argv, argv_free)

/* NULL-ended, for execvp(). */
AG_NONNULL char **argv_words(struct argv *a);

#endif
