/*
 * own_path.h - a file by the name that its tool knows it by, where directories
 * on the way are links (`~/.codex` leading into a tree of dot files).
 * Floor: cli. Depends on: profile.
 */
#ifndef AG_CLI_MOVE_OWN_PATH_H
#define AG_CLI_MOVE_OWN_PATH_H

#include "base/attr.h"
#include "profile/expand.h"
#include "profile/load.h"

/*
 * `path` has its directory resolved. If it lies where some profile's file does
 * once that one's directory is resolved too, this is the profile's own spelling
 * of it, for profile_for_path() and the like; else a copy of `path`.
 * Ownership: *ret is freed by free(). Errors: AG_ENOMEM. Blocks: looks at
 * directories.
 */
AG_CHECK AG_NONNULL enum ag_err own_path(const struct profiles *ps,
                                         const struct expand_env *env,
                                         const char *path, char **ret);

#endif
