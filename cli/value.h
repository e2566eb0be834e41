/*
 * value.h - a value in from the person, out to the person.
 * Floor: cli. Depends on: base/secret, body, tty, keyfile.
 */
#ifndef AG_CLI_VALUE_H
#define AG_CLI_VALUE_H

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct secret;

/*
 * From the file `from`, as it is; without one from stdin, less the newline at
 * the end of a single line, which is the shell's; or, when stdin is a terminal,
 * typed without echo. Errors: those of value_read() and tty_secret_line().
 */
AG_CHECK enum ag_err value_ask(struct cli *cli, const char *from,
                               const char *prompt, struct secret **ret);

/* The answer {value, encoding, …}: the decoded value on stdout, with a newline
 * on a terminal; with --json the answer itself. */
AG_CHECK AG_NONNULL enum ag_err value_print(struct cli *cli,
                                            const struct secret *answer);

#endif
