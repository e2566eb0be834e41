/*
 * readback.h - can a task read what `run` writes for the person? A file that
 * both see would tell the task what the filter found in its guesses.
 * Floor: cli/run. Depends on: run/isolate, run/view.
 */
#ifndef AG_CLI_RUN_READBACK_H
#define AG_CLI_RUN_READBACK_H

#include <stdbool.h>

#include "base/attr.h"

struct isolation;

/*
 * Is `fd` a file (or a named pipe) that has a name the task can open? Of an
 * isolated task: in its working tree, in what it was given, in the home or the
 * system it is shown, or anywhere if it has a second name. Without isolation
 * every file is. Terminals and pipes without a name are the person's own. When
 * it can't be told: yes.
 */
AG_CHECK AG_NONNULL bool readback_can(const struct isolation *is, int fd);

#endif
