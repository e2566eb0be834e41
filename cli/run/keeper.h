/*
 * keeper.h - the first process of a task: it makes the jail, opens the empty
 * files, starts the command and stays until it ends. In a PID namespace it is
 * process 1, so its end is everybody's end; without one it kills what is left.
 * Floor: cli/run. Depends on: run/jail, run/child, run/sweep, base/fdx.
 *
 * It talks with the supervisor over a socket pair; the end of that line is the
 * end of the task. It never holds a value.
 */
#ifndef AG_CLI_RUN_KEEPER_H
#define AG_CLI_RUN_KEEPER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "run/child.h"
#include "run/jail.h"

struct view;

enum {
    KEEPER_TEXT_BYTES = 200,
};

/* One file the command is to find, empty until the broker fills it. */
struct keeper_file {
    const char *dir;  /* one segment below the jail's directory */
    const char *name; /* one segment */
    mode_t mode;
    bool made; /* by the jail already */
};

struct keeper_spec {
    enum jail_kind kind;
    struct view *view; /* what it sees when isolated (JAIL_FULL), or NULL */
    int fence_fd;      /* else a domain that it enters (run/fence), or 0 */
    const char *dir;   /* where files go; a tmpfs is mounted on it, but with
                        JAIL_NONE it is a directory of this task's own */
    const struct keeper_file *files;
    size_t file_count;
    bool pty;      /* make one: every -1 of child.stdio is its slave */
    int pty_model; /* the terminal it copies, or -1 */
    bool at_once;  /* nothing has to be there first: don't wait for KEEPER_GO */
    struct child_spec child;
};

/* Keeper to supervisor. */
enum keeper_says {
    KEEPER_TTY = 1, /* with [master] */
    KEEPER_FILE,    /* with [file, its directory]; value: index */
    KEEPER_READY,   /* the jail stands */
    KEEPER_STOPPED, /* value: signal */
    KEEPER_ENDED,   /* value: wait status of the command; step: 1 when no
                        other process of the task is left */
    KEEPER_FAILED,  /* before exec; value: errno, step, text */
};

/* Supervisor to keeper. */
enum keeper_hears {
    KEEPER_GO = 1,
    KEEPER_SIGNAL, /* value: signal, for the command's process group */
};

enum keeper_steps {
    KEEPER_NO_NAMESPACES = 0, /* a lesser jail may do */
    KEEPER_JAIL = -1,         /* there are, but the jail could not be made */
};

struct keeper_message {
    int32_t what;
    int32_t value;
    int32_t step; /* enum child_step, or one of keeper_steps */
    char text[KEEPER_TEXT_BYTES];
};

/*
 * Starts it. *ret_line is the supervisor's end.
 * Errors: AG_EUNSUPPORTED when the kernel gives no such namespaces; AG_ENOMEM,
 *         AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err keeper_start(const struct keeper_spec *spec,
                                             pid_t *ret_pid, int *ret_line);

/* Errors: AG_EIO when the line is broken. */
AG_CHECK enum ag_err keeper_tell(int line, enum keeper_hears what, int value);

/* The next message; blocks. *ret_fds takes up to two descriptors (-1 else).
 * Errors: AG_EIO when the line has ended. */
AG_CHECK AG_NONNULL enum ag_err
keeper_hear(int line, struct keeper_message *ret, int ret_fds[2]);

/* With JAIL_NONE: takes the directory away, whatever the command has put there;
 * may be done twice. */
AG_NONNULL void keeper_remove_files(const struct keeper_spec *spec);

#endif
