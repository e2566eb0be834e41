/*
 * place.h - a link where a tool looks for its file, to where the task has it.
 * The link is there as long as any run needs it; outside a task it leads
 * nowhere.
 * Floor: cli/run. Depends on: base/fdx, libsodium (a hash for a name).
 */
#ifndef AG_CLI_RUN_PLACE_H
#define AG_CLI_RUN_PLACE_H

#include "base/attr.h"
#include "base/err.h"

struct place;

/*
 * Puts the link `path` -> `target`, or shares the one that other runs have put
 * there (a shared lock on run_dir/place-HASH.lock).
 * Errors: AG_EEXISTS something else is at `path`: the sentence says what to do;
 *         AG_ENOTFOUND its directory is missing; AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err place_link(const char *run_dir,
                                           const char *path, const char *target,
                                           struct place **ret);

/* Gives the place up; the last one removes the link, if it is still ours. */
void place_free(struct place *p);
AG_DEFINE_CLEANUP(place, place_free)

#endif
