/*
 * isolation.h - how a task says it is kept apart: put on record with its start,
 * told by `task show`; and what is hidden from it.
 * Floor: core. Depends on: profile/load, store/tasks.
 *
 * The supervisor does it and says so; the operator's command line is believed
 * in this, as in the task's name and purpose.
 */
#ifndef AG_CORE_ISOLATION_H
#define AG_CORE_ISOLATION_H

#include <stddef.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct core;
struct task_row;

enum isolation_network {
    ISOLATION_NETWORK_BROKER,
    ISOLATION_NETWORK_NONE,
};

enum isolation_home {
    ISOLATION_HOME_LAYER,
    ISOLATION_HOME_EMPTY,
    ISOLATION_HOME_KEPT,
};

struct isolation_paths {
    const char *const *items;
    size_t count;
};

/* As asked; decoded in place (http/messages). */
struct task_isolation {
    const char *preset; /* ISOLATION_NONE: not isolated, said on purpose */
    int network;        /* enum isolation_network */
    int home;           /* enum isolation_home */
    struct isolation_paths ro;
    struct isolation_paths rw;
    struct isolation_paths lacks; /* parts that the kernel does not allow */
};

#define ISOLATION_NONE "none"

/*
 * One line for people and the record, into the row's detail: "none", "none, on
 * purpose", "workspace: network broker, home layer, rw /srv/data". `is` NULL:
 * nothing was said. Errors: AG_ELIMIT too many places opened; AG_ENOMEM.
 */
AG_CHECK enum ag_err isolation_keep(const struct task_isolation *is,
                                    struct task_row *row);

/* Sets that line as the member `isolation` of `object`; "none" where a row has
 * none. Errors: AG_ECORRUPT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err isolation_show(const struct task_row *row,
                                               json_t *object);

/* For a task that is isolated, sets `hide`: the path templates of every file
 * that a profile knows, and `hide_copies`: those of copies beside them, patterns
 * of what may lie in a folder with other things. Errors: AG_ENOMEM. */
AG_CHECK enum ag_err isolation_answer(struct core *core,
                                      const struct task_isolation *is,
                                      json_t *answer);

#endif
