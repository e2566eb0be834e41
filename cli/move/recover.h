/*
 * recover.h - moves that a crash left open: found, finished or undone, and
 * said.
 * Floor: cli. Depends on: move/line, move/erase, profile.
 *
 * For every kill point of adopt (erase.h) and release (restore.h):
 *
 *   adopt, open or taken     nothing happened to the file: undone
 *   adopt, erasing           .ag-gone-ID: erased
 *                            .ag-erase-ID with our content: copies, then erased
 *                            .ag-erase-ID with other content: back to its name,
 *                              conflict
 *                            the file with our content: erased
 *                            the file with other content: left, conflict
 *                            no file, or a link: erased already
 *   release, open or taken   .ag-release-ID: erased, undone
 *                            the file with our content: synced, committed
 *                            anything else: undone
 *   release, erasing         done
 *
 * The broker compares (a keyed hash); nothing is taken on trust of its name.
 */
#ifndef AG_CLI_MOVE_RECOVER_H
#define AG_CLI_MOVE_RECOVER_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;

/*
 * Does nothing when the vault is locked or this is no operator, when no move is
 * open, or when another auth-guard is moving files. Says one line on stderr for
 * each move. *ret_found (may be NULL; the caller's) becomes a list of
 * {name, path, kind, outcome, detail}.
 * Errors: what a step raised; the other moves were still tried.
 */
AG_CHECK enum ag_err moves_recover(struct cli *cli, json_t **ret_found);

#endif
