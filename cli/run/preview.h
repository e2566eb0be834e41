/*
 * preview.h - `run --dry-run`: what the command would be given and how it would
 * be kept apart; nothing is started.
 * Floor: cli/run. Depends on: run/plan, run/isolate, cli.
 */
#ifndef AG_CLI_RUN_PREVIEW_H
#define AG_CLI_RUN_PREVIEW_H

#include "base/attr.h"
#include "base/err.h"
#include "run/plan.h"

struct cli;

/* Asks the broker and prints its answer, with --json as it came. Errors: those
 * of a start; the passphrase is not asked for. */
AG_CHECK AG_NONNULL enum ag_err run_preview(struct cli *cli,
                                            const struct run_plan *plan);

#endif
