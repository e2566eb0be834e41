/*
 * dotenv.h - the .env format, strictly: what a shell would read from the same
 * lines, less everything a shell would execute.
 * Floor: cli/run. Depends on: base/span, base/buf, base/parse.
 *
 *   # comment               export NAME=value        NAME = value
 *   NAME='literal, may span lines'
 *   NAME="with \n \r \t \" \\ \$, may span lines"
 *   NAME=bare words to the end of the line  # a comment after a blank
 *
 * $NAME and backquotes mean nothing: they are kept as they are. A later line
 * for the same name wins, as in a shell.
 */
#ifndef AG_CLI_RUN_DOTENV_H
#define AG_CLI_RUN_DOTENV_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    DOTENV_MAX_BYTES = 1024 * 1024,      /* a file of configuration */
    DOTENV_VALUE_MAX_BYTES = 128 * 1024, /* the kernel's limit for one string */
};

/* Called for every assignment; both are borrowed, the value is unquoted and
 * holds no NUL. Stops at the first error, which is passed on. */
typedef enum ag_err (*dotenv_fn)(void *arg, struct span name,
                                 struct span value);

/* Errors: AG_EINVAL with the line ("line 3: …"), AG_ELIMIT, AG_ENOMEM. */
AG_CHECK enum ag_err dotenv_parse(struct span text, dotenv_fn each, void *arg);

#endif
