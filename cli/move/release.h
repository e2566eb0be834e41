/*
 * release.h - one secret back into its file.
 * Floor: cli. Depends on: move/restore, move/line.
 */
#ifndef AG_CLI_MOVE_RELEASE_H
#define AG_CLI_MOVE_RELEASE_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;

/*
 * Puts the current version of `name` back as the file it was, or to `path` if
 * not NULL. The vault lets go of it when the file is durable. *ret (the
 * caller's): {name, path, bytes, mode}.
 * Errors: AG_EPROOF; AG_EEXISTS something is there: nothing was changed;
 *         AG_ENOTFOUND; AG_ENOSPACE and others: nothing was changed, or the
 *         sentence says that the next run goes on.
 */
AG_CHECK enum ag_err release_file(struct cli *cli, const char *name,
                                  const char *path, json_t **ret);

#endif
