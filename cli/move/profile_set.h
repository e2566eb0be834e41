/*
 * profile_set.h - the profiles of this machine, for verbs that look at files.
 * Floor: cli. Depends on: cli, profile/load.
 */
#ifndef AG_CLI_MOVE_PROFILE_SET_H
#define AG_CLI_MOVE_PROFILE_SET_H

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct profiles;

/* The shipped ones and the user's own; what is wrong with one of the latter is
 * warned of. Ownership: profiles_free(). Errors: those of profiles_load(). */
AG_CHECK AG_NONNULL enum ag_err profile_set_load(struct cli *cli,
                                                 struct profiles **ret);

#endif
