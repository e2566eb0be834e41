/*
 * stray.h - placeholders of tasks in a file of this machine: only the broker can
 * tell them from values.
 * Floor: cli. Depends on: cli, base/secret, jansson.
 */
#ifndef AG_CLI_STRAY_H
#define AG_CLI_STRAY_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;

/* Is there a broker that would answer: one with its vault open, and are we the
 * operator? Never asks for anything. */
AG_NONNULL bool stray_can_ask(struct cli *cli);

/*
 * Gives the broker the content of the file, by way of locked memory. *ret: array
 * of {task, running}; empty for a file that is no text, or too large.
 * Errors: those of cli_call_secret().
 */
AG_CHECK AG_NONNULL enum ag_err stray_ask(struct cli *cli, const char *path,
                                          json_t **ret);

#endif
