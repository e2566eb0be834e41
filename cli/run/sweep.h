/*
 * sweep.h - takes a directory of a task's away with everything in it.
 * Floor: cli/run. Depends on: base/fdx.
 */
#ifndef AG_CLI_RUN_SWEEP_H
#define AG_CLI_RUN_SWEEP_H

#include "base/attr.h"

/*
 * Removes `path` and what is below it, however deep a task has nested it; links
 * are removed and never followed. What can't be removed stays. May be done
 * twice. Threads: one at a time for one path. Blocks: for the removals.
 */
AG_NONNULL void sweep_dir(const char *path);

#endif
