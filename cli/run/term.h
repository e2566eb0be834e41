/*
 * term.h - the person's terminal while a task has one of its own: raw, and given
 * back whatever happens.
 * Floor: cli/run. Depends on: base/err.
 */
#ifndef AG_CLI_RUN_TERM_H
#define AG_CLI_RUN_TERM_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* A PTY with the settings and size of the terminal `like` (-1: defaults). */
struct pty {
    int master_fd;
    int slave_fd;
};
AG_CHECK AG_NONNULL enum ag_err pty_open(int like, struct pty *ret);

/* Copies the window size of the terminal `from` to the PTY. */
void pty_resize(int master_fd, int from);

/*
 * Makes the terminal `fd` raw if this process is in its foreground; false when
 * it is not, or `fd` is no terminal. The settings from before are kept, once,
 * for term_restore(), which does nothing when the terminal is not raw.
 */
bool term_raw(int fd);
void term_restore(void);

#endif
