/*
 * fence.h - what is left of isolation where the kernel allows no namespaces: a
 * Landlock domain that opens the places of a view and nothing else, of TCP the
 * broker's ports, and no datagrams.
 * Floor: cli/run. Depends on: run/view, run/ports, run/sieve.
 *
 * Less than a view: FENCE_LACKS names what it does not do, for the record and
 * the person. Source: Documentation/userspace-api/landlock.rst.
 */
#ifndef AG_CLI_RUN_FENCE_H
#define AG_CLI_RUN_FENCE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"

struct view;

enum {
    FENCE_LACKS_MAX_COUNT = 8,
};

/* The kernel's level; below 1 there is no fence. */
AG_CHECK long fence_level(void);

/* What this kernel's fence does not do, NULL-ended. */
void fence_lacks(const char *ret[FENCE_LACKS_MAX_COUNT]);

/*
 * Makes the domain, to be entered by fence_enter(). `dirs`, NULL-ended: places
 * of the task's own to write besides the view's.
 * Errors: AG_EUNSUPPORTED with a sentence; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err fence_make(const struct view *v,
                                           const struct paths *paths,
                                           const char *const *dirs,
                                           int *ret_fd);

/* For this process and all after it, for good. Errors: AG_EUNSUPPORTED. */
AG_CHECK enum ag_err fence_enter(int fd);

#endif
