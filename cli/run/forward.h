/*
 * forward.h - a task's clients are led to the broker's forward proxy.
 * Floor: cli/run. Depends on: run/run, run/ports, jansson.
 */
#ifndef AG_CLI_RUN_FORWARD_H
#define AG_CLI_RUN_FORWARD_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct run;

/*
 * Sets the variables that the broker's answer names under `forward`: for a task
 * in a network of its own always, since there is no other way out, else if it
 * wants them.
 * Errors: AG_EUSAGE the task has no network at all; AG_EUNSUPPORTED the broker
 *         has no port; AG_ENOMEM, AG_ELIMIT.
 */
AG_CHECK AG_NONNULL enum ag_err forward_env(struct run *r);

/* The variables by which clients find the file of roots at `path`. */
AG_CHECK AG_NONNULL enum ag_err forward_trust(struct run *r, const char *path);

/* Writes that file: the system's roots, or those of the caller's SSL_CERT_FILE,
 * and the broker's authority. Errors: AG_EIO, … */
AG_CHECK AG_NONNULL enum ag_err forward_fill(struct run *r, int fd);

/* Has this path cover the system's roots in the view, unless the person has
 * others in their stead. *ret: it does, and the jail makes it. Errors:
 * AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err forward_cover(struct run *r, const char *path,
                                              bool *ret);

#endif
