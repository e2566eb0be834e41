/*
 * reach.h - what a command of an agent would bring to light: credential files
 * that it reads, variables that look like secrets and that it prints.
 * Floor: cli. Depends on: hook/shell, hook/credential.
 *
 * A guard against accidents: a command that means to hide what it reads can.
 */
#ifndef AG_CLI_HOOK_REACH_H
#define AG_CLI_HOOK_REACH_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;
struct credentials;

/*
 * Appends what the command does, "reads PATH (TITLE)", of the first such thing;
 * nothing if there is none.
 * Errors: those of shell_read() and credential_find().
 */
AG_CHECK AG_NONNULL enum ag_err reach_command(struct credentials *credentials,
                                              struct span command,
                                              struct buf *out);

/* The same of a path that a tool is given to read. */
AG_CHECK AG_NONNULL enum ag_err reach_path(struct credentials *credentials,
                                           const char *path, bool is_below,
                                           struct buf *out);

/* GITHUB_TOKEN, PGPASSWORD; not AWS_ACCESS_KEY_ID, PUBLIC_KEY or PWD. */
bool reach_is_secret_name(struct span name);

#endif
