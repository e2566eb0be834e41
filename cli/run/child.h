/*
 * child.h - the last steps before the command: in the task's tree, with the
 * values of its environment read from pipes into memory that exec throws away.
 * Floor: cli/run. Depends on: nothing but system calls.
 */
#ifndef AG_CLI_RUN_CHILD_H
#define AG_CLI_RUN_CHILD_H

#include <signal.h>
#include <stddef.h>

#include "base/attr.h"

enum {
    CHILD_VALUES_MAX_COUNT = 64,
    CHILD_VALUE_MAX_BYTES = 128 * 1024, /* the kernel's limit for one string */
};

/* A variable whose value comes by a pipe. */
struct child_value {
    const char *name;
    size_t slot; /* in env */
    int pipe_fd;
};

struct child_spec {
    char *const *argv;
    char **env; /* slots of `values` are filled in */
    const struct child_value *values;
    size_t value_count;
    int stdio[3];         /* moved to 0, 1, 2 */
    int tty_fd;           /* the PTY whose foreground it becomes, or -1 */
    const sigset_t *mask; /* of signals, as the command line found it */
};

enum child_step {
    CHILD_STEP_SETUP = 1,
    CHILD_STEP_VALUE, /* a value could not be read, or has a NUL */
    CHILD_STEP_EXEC,
};

/*
 * Does not return when it works. Otherwise *ret_step says where it failed and
 * the result is an errno. Only async-signal-safe calls.
 */
AG_NONNULL int child_exec(const struct child_spec *spec,
                          enum child_step *ret_step);

#endif
