/*
 * hook.h - the acts of `auth-guard hook`: other programs ask before they
 * commit, push, post or run something.
 * Floor: cli. Depends on: verb.
 */
#ifndef AG_CLI_HOOK_HOOK_H
#define AG_CLI_HOOK_HOOK_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"
#include "verb.h"

struct buf;

verb_fn hook_install_git, hook_remove_git, hook_run_git;
verb_fn hook_install_agent, hook_remove_agent, hook_run_agent;
verb_fn hook_install_command, hook_remove_command, hook_run_post;

/* Rows of `hook list`: {tool, hook, state, place}, appended. Errors: AG_EIO,
 * AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err hook_list_git(struct cli *cli, json_t *rows);

AG_CHECK AG_NONNULL enum ag_err hook_list_agents(struct cli *cli, json_t *rows);

/* The path of this program, as hooks call it. Errors: AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err hook_program(char out[PATH_BYTES]);

#endif
