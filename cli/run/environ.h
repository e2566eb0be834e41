/*
 * environ.h - the environment of a task's command: the operator's without what
 * is the operator's own, plus what the task was given. Values that come from
 * the vault have their place kept; only the child fills it.
 * Floor: cli/run. Depends on: base/err.
 */
#ifndef AG_CLI_RUN_ENVIRON_H
#define AG_CLI_RUN_ENVIRON_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct env_list;

enum {
    ENV_LIST_MAX_COUNT = 8192, /* far past what exec takes */
};

/*
 * Starts from `base` (as environ): AUTH_GUARD_* is left out, and
 * CREDENTIALS_DIRECTORY when it holds the operator's passphrase file.
 */
AG_CHECK AG_NONNULL enum ag_err env_list_new(char *const *base,
                                             struct env_list **ret);
void env_list_free(struct env_list *e);
AG_DEFINE_CLEANUP(env_list, env_list_free)

/* Sets, replacing. Errors: AG_ENOMEM, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err env_set(struct env_list *e, const char *name,
                                        const char *value);
/* The same from "NAME=value". */
AG_CHECK AG_NONNULL enum ag_err env_put(struct env_list *e, const char *text);
AG_NONNULL void env_unset(struct env_list *e, const char *name);

/* Keeps a slot for `name`: its place in env_vector(), where the child puts
 * "NAME=…" of its own memory. Until then it holds "NAME=". */
AG_CHECK AG_NONNULL enum ag_err env_reserve(struct env_list *e,
                                            const char *name, size_t *ret_slot);

/* For execve; NULL-ended, borrowed. */
AG_NONNULL char **env_vector(struct env_list *e);

#endif
