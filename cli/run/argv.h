/*
 * argv.h - the command of a task with the arguments its profiles add.
 * Floor: cli/run. Depends on: jansson.
 *
 * The broker's answer holds, per profile, the names of the commands that the
 * arguments are for and the arguments; they go right behind argv[0]. `{dir}` in
 * one stands for the directory of the task's private files, so that a tool can
 * be told to keep its own commands out of it; `{url:HOST}` for the address below
 * which the broker answers for HOST.
 */
#ifndef AG_CLI_RUN_ARGV_H
#define AG_CLI_RUN_ARGV_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct argv;

/* Both may be "". */
struct argv_marks {
    const char *dir;
    const char *url; /* of the task at the broker: the host follows */
};

/*
 * Ownership: `command` (NULL-ended) and the texts of `args` are borrowed as long
 *            as *ret lives, `marks` for the call; the caller frees it with
 *            argv_free().
 * Errors: AG_ELIMIT too many words; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err argv_new(char **command, const json_t *args,
                                         const struct argv_marks *marks,
                                         struct argv **ret);
void argv_free(struct argv *a);
AG_DEFINE_CLEANUP(argv, argv_free)

/* NULL-ended, for execvp(). */
AG_NONNULL char **argv_words(struct argv *a);

#endif
