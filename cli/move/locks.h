/*
 * locks.h - the locks a tool takes for its own file, taken as it would, so that
 * it does not write while we move.
 * Floor: cli. Depends on: profile.
 */
#ifndef AG_CLI_MOVE_LOCKS_H
#define AG_CLI_MOVE_LOCKS_H

#include "base/attr.h"
#include "base/err.h"
#include "profile/profile.h"

struct locks;

enum {
    LOCKS_MAX_COUNT = 8,
    LOCKS_WAIT_MS = 5000, /* a refresh takes a second or two */
};

/*
 * Takes every lock of `file` in the directory, in order, waiting wait_ms at
 * most. A lock file that a killed auth-guard left behind is taken over at once,
 * a lock directory when nobody has touched it for a while.
 * Ownership: locks_free() lets go of them, in reverse order.
 * Errors: AG_EBUSY, with the tool's lock by name; AG_EIO; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err locks_take(int dir_fd,
                                           const struct profile_file *file,
                                           int64_t wait_ms, struct locks **ret);
void locks_free(struct locks *l);
AG_DEFINE_CLEANUP(locks, locks_free)

#endif
