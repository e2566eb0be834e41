/*
 * shim_acts.h - the acts of `auth-guard shim`, and what they share.
 * Floor: cli. Depends on: shim, verb.
 */
#ifndef AG_CLI_SHIM_ACTS_H
#define AG_CLI_SHIM_ACTS_H

#include <stddef.h>

#include "shim.h"
#include "verb.h"

struct buf;

verb_fn shim_install, shim_exec;

/* A text of a record; NULL where it has none. */
AG_NONNULL const char *shim_member(const json_t *record, const char *key);

/* $PATH, or "". */
const char *shim_path_variable(void);

/* "auth-guard run --profile codex -- codex", for people. Errors: AG_ELIMIT,
 * AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err shim_meaning(const json_t *record,
                                             struct buf *out);

/* The words of `run`: its options, `--`, `command` and `rest`; NULL-ended, to
 * be freed; the texts are borrowed. NULL: no memory. */
char **shim_run_words(const json_t *options, const char *command,
                      char *const *rest, size_t rest_count, int *ret_argc);

/* AG_ENOTFOUND with its sentence. */
AG_CHECK AG_NONNULL enum ag_err shim_none(const char *name);

#endif
