/*
 * hide.h - from what a person, a preset or a profile calls a place to the paths
 * that a view hides.
 * Floor: cli/run. Depends on: run/view, profile/expand.
 *
 * A path is resolved as far as it exists: what a link leads to is hidden, the
 * link stays and leads to nothing.
 */
#ifndef AG_CLI_RUN_HIDE_H
#define AG_CLI_RUN_HIDE_H

#include "base/attr.h"
#include "base/err.h"

struct view;

/* Of a path with `*` in it. */
enum hide_patterns {
    HIDE_MATCHES, /* what matches now */
    HIDE_FOLDER,  /* the folder: what comes later too; never the whole home */
};

/* An absolute path. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err hide_path(struct view *v, const char *path);

/* As a person writes it: from where the task stands, if not from the root.
 * Errors: AG_EUSAGE it is nothing, or the home; those of hide_path(). */
AG_CHECK AG_NONNULL enum ag_err hide_as_written(struct view *v,
                                                const char *text);

/* A template (profile/expand.h): as the variables say now, and as if there were
 * none, since the tool may run either way. Errors: AG_EINVAL; those of
 * hide_path(). */
AG_CHECK AG_NONNULL enum ag_err hide_template(struct view *v, const char *tmpl,
                                              enum hide_patterns how);

#endif
